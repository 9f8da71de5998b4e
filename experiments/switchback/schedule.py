"""Schedules of switchback tests: blocks of equal length, on or off by a draw that the analysis can repeat.

``pairs``: of every two neighbouring blocks one is on, by a fair coin; slow drift touches both alike, so this is the
default. ``uniform``: half of the blocks are on, any half as likely. With several geos each has a draw of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import count

import numpy as np

from experiments.geo.inference.self_calibration import wilson
from experiments.records import Block
from experiments.switchback.cells import of_market, of_markets, usual_autocorrelation
from experiments.switchback.draws import RULES, Mechanism, Rule, drawn, ways
from experiments.switchback.regression import randomisation_test, reduce
from measurement.errors import DataError, DesignError, Problem, did_you_mean, shown
from measurement.panel import Panel
from measurement.periods import Period, last_day
from measurement.typing import Floats, Ints, Json

MOST_WINDOWS = 40
MOST_REFERENCES = 499


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """How well a kind of schedule finds effects, seen on a panel's own history.

    Attributes:
        effects: Effects as a share of the KPI, shape (effects,).
        power: Share of the rehearsals that find each, same shape.
        low: Lower end of its 90 % Wilson interval.
        high: Upper end.
        mde: Smallest effect, up or down, that is found with the wanted power; infinite where none is.
        mde_absolute: The same in KPI units per period of the whole market.
        false_positive_rate: Share of rehearsals without an effect that find one.
        false_positive_interval: Its 90 % Wilson interval.
        rmse: Root mean square error of the estimate, as a share of the KPI.
        bias: Mean error, as a share of the KPI.
        rehearsals: Schedules drawn and analysed, over all windows of the history.
        windows: Windows of the history.
    """

    effects: Floats
    power: Floats
    low: Floats
    high: Floats
    mde: float
    mde_absolute: float
    false_positive_rate: float
    false_positive_interval: tuple[float, float]
    rmse: float
    bias: float
    rehearsals: int
    windows: int

    def to_dict(self) -> Json:
        """As plain JSON values; an MDE that is out of reach is ``None``."""
        finite = np.isfinite(self.mde)
        return {
            "mde": self.mde if finite else None,
            "mde_absolute": self.mde_absolute if finite else None,
            "power_curve": [
                dict(zip(("effect", "power", "low", "high"), map(float, row), strict=True))
                for row in zip(self.effects, self.power, self.low, self.high, strict=True)
            ],
            "false_positive_rate": self.false_positive_rate,
            "false_positive_interval": list(self.false_positive_interval),
            "rmse": self.rmse,
            "bias": self.bias,
            "rehearsals": self.rehearsals,
            "windows": self.windows,
        }


def make_schedule(
    start: date,
    periods: int,
    block_length: int,
    burn_in: int = 0,
    seed: int = 0,
    pattern: Rule = "pairs",
    *,
    period: Period = "day",
    geos: Sequence[str] = (),
    alpha: float = 0.1,
) -> tuple[Block, ...]:
    """Draw a schedule.

    Blocks of whole weeks are balanced over the days of the week by construction; with others the analysis takes the
    days of the week out by regression.

    Args:
        start: First day of the first block, the first day of a period.
        periods: Length of the test in periods: an even number of blocks.
        block_length: Length of a block in periods, longer than ``burn_in``.
        burn_in: Periods dropped at the start of each block: as long as the ads work on after a switch.
        seed: Seed of the draw; write it into the record's ``assignment``, with ``pattern`` as the rule.
        pattern: ``pairs`` or ``uniform``.
        period: Cadence of the data.
        geos: Geos that switch each by itself; the whole market switches together where empty.
        alpha: One minus the level of the interval that the test is to give.

    Returns:
        The blocks, geo by geo and in order of time, ready for ``Experiment.schedule``.

    Raises:
        DataError: Numbers that make no sense.
        DesignError: So few blocks that no draw could ever give a p-value below ``alpha``.
    """
    _refuse_senseless(periods, block_length, burn_in, pattern, geos)
    blocks, markets = periods // block_length, tuple(geos) or ("",)
    _refuse_few(periods, block_length, period=period, pattern=pattern, markets=len(markets), alpha=alpha)
    ends = [start]
    for _ in range(periods):
        ends.append(last_day(np.datetime64(ends[-1], "D"), period).item() + timedelta(days=1))
    edges = ends[::block_length]
    rng = np.random.default_rng(seed)
    return tuple(
        Block(start=edges[i], end=edges[i + 1] - timedelta(days=1), on=bool(on), geo=geo)
        for geo in markets
        for i, on in enumerate(drawn(blocks, pattern, rng))
    )


def smallest_p(blocks: int, pattern: Rule = "pairs", markets: int = 1) -> float:
    """The smallest p-value that a schedule can give: its mirror image (on for off) is always as extreme as itself.

    Args:
        blocks: Number of blocks of each market, even.
        pattern: Rule of the draw.
        markets: Markets that are drawn each by itself.
    """
    return float(Fraction(2, ways(blocks, blocks // 2, pattern) ** markets))


def fewest_blocks(alpha: float = 0.1, pattern: Rule = "pairs", markets: int = 1) -> int:
    """Fewest blocks of each market with which a p-value below ``alpha`` is possible at all."""
    return next(blocks for blocks in count(2, 2) if smallest_p(blocks, pattern, markets) < alpha)


def power(
    panel: Panel,
    periods: int,
    block_length: int,
    burn_in: int = 0,
    effects: Sequence[float] = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2),
    *,
    kpi: str | None = None,
    geos: Sequence[str] = (),
    per_geo: bool = False,
    pattern: Rule = "pairs",
    alpha: float = 0.1,
    wanted: float = 0.8,
    rehearsals: int = 400,
    seed: int = 0,
) -> Power:
    """Rehearse a schedule on the panel's history: draw it, analyse it, see which effects it would have found.

    An effect is a constant share of the mean KPI in every period that is read. Each rehearsal is one randomisation
    test; as its interval is the set of effects that cannot be told from what was seen, it answers for all effects.

    Args:
        panel: The history.
        periods: Length of the test, an even number of blocks.
        block_length: Length of a block in periods.
        burn_in: Periods dropped at the start of each block.
        effects: Effects as a share of the KPI, negative for losses.
        kpi: The KPI; the panel's own where ``None``.
        geos: Geos that switch; all where empty.
        per_geo: Whether each geo is drawn by itself (otherwise the geos switch together).
        pattern: Rule of the draw.
        alpha: One minus the level of the interval.
        wanted: Power at which the minimum detectable effect is read.
        rehearsals: Number of schedules drawn, at least.
        seed: Seed of the draws.

    Raises:
        DataError: Numbers that make no sense, an unknown geo or KPI.
        DesignError: A history shorter than the test, or too few blocks for ``alpha``.
    """
    _refuse_senseless(periods, block_length, burn_in, pattern, geos)
    panel = panel.with_kpi(kpi) if kpi else panel
    values = panel.outcome[panel.geo_index(tuple(geos))] if geos else panel.outcome
    values = values if per_geo and len(values) > 1 else values.sum(axis=0, keepdims=True)
    _refuse_few(periods, block_length, period=panel.period, pattern=pattern, markets=len(values), alpha=alpha)
    if periods > values.shape[1]:
        raise DesignError(f"a test of {periods} {panel.period}s cannot be rehearsed on {values.shape[1]} of them")
    sizes = np.abs(values).mean(axis=1)
    if not (sizes > 0).all():
        raise DesignError("a market without any KPI cannot be rehearsed: leave it out")
    onsets = np.unique(np.linspace(0, values.shape[1] - periods, MOST_WINDOWS).astype(np.int64))
    weekday = panel.dates.astype(np.int64) % 7 if panel.period == "day" else None
    rng = np.random.default_rng(seed)
    each = -(-rehearsals // onsets.size)
    found = np.array(
        [
            one
            for onset in onsets
            for one in _rehearse(
                values / sizes[:, None],
                int(onset),
                (periods, block_length, burn_in),
                weekday,
                pattern,
                alpha,
                each,
                rng,
            )
        ]
    )
    if not found.size:
        raise DesignError("no schedule can be told apart from the days of the week: take longer blocks or more of them")
    return _summed_up(found, np.asarray(effects, dtype=np.float64), wanted, float(sizes.sum()), int(onsets.size))


def _summed_up(found: Floats, grid: Floats, wanted: float, size: float, windows: int) -> Power:
    """What rehearsals say of power; ``found`` holds each one's interval and error, shape (rehearsals, 3)."""
    lows, highs, errors = found.T
    shares = ((-grid[:, None] < lows) | (-grid[:, None] > highs)).mean(axis=1)
    ends = np.array([wilson(float(share), len(found)) for share in shares]).reshape(-1, 2)
    wrong = float(((lows > 0) | (highs < 0)).mean())
    mde = float(np.quantile(np.append(-lows, highs), wanted, method="higher"))
    return Power(
        effects=grid,
        power=shares,
        low=ends[:, 0],
        high=ends[:, 1],
        mde=mde,
        mde_absolute=mde * size,
        false_positive_rate=wrong,
        false_positive_interval=wilson(wrong, len(found)),
        rmse=float(np.sqrt(np.square(errors).mean())),
        bias=float(errors.mean()),
        rehearsals=len(found),
        windows=windows,
    )


def _rehearse(
    values: Floats,
    onset: int,
    lengths: tuple[int, int, int],
    weekday: Ints | None,
    pattern: Rule,
    alpha: float,
    draws: int,
    rng: np.random.Generator,
) -> list[tuple[float, float, float]]:
    """Interval and estimate of each of several schedules in one window, as shares of the window's mean KPI."""
    periods, length, burn_in = lengths
    markets, blocks = len(values), periods // length
    step = np.arange(periods)
    block = np.full(values.shape, -1)
    block[:, onset : onset + periods] = np.arange(markets)[:, None] * blocks + step // length
    read = np.zeros(values.shape, dtype=np.bool_)
    read[:, onset : onset + periods] = step % length >= burn_in
    level = float(np.abs(values[read]).mean())
    if markets > 1:
        cells = of_markets(values, block, read, np.ones(markets), pattern)
    else:
        until = onset + periods
        cells = of_market(values[0, :until], block[0, :until], read[0, :until], weekday, pattern)
    rho = usual_autocorrelation(
        values[:, :onset], weekday if markets == 1 else None, 2 * length if pattern == "pairs" else periods
    )
    reduced, unit = reduce(cells, markets * blocks, rho), np.repeat(np.arange(markets), blocks)
    found = []
    for _ in range(draws):
        on = np.concatenate([drawn(blocks, pattern, rng) for _ in range(markets)])
        if not reduced.sees(on):  # the analysis would refuse it
            continue
        others = Mechanism(on, unit, pattern).others(int(rng.integers(1 << 31)), MOST_REFERENCES)
        test, _ = randomisation_test(reduced, on, others)
        low, high = test.interval(alpha)
        found.append((low / level, high / level, test.estimate / level))
    return found


def _refuse_few(periods: int, block_length: int, *, period: str, pattern: Rule, markets: int, alpha: float) -> None:
    blocks = periods // block_length
    smallest = smallest_p(blocks, pattern, markets)
    if smallest >= alpha:
        needed = fewest_blocks(alpha, pattern, markets)
        raise DesignError(
            f"{blocks} blocks can fall in {round(2 / smallest):,} ways, so no p-value can be below {smallest:.2g}: "
            f"an interval of {1 - alpha:.0%} needs {needed} blocks or more ({needed * block_length} {period}s)"
        )


def _refuse_senseless(periods: int, block_length: int, burn_in: int, pattern: str, geos: Sequence[str]) -> None:
    problems = []
    if pattern not in RULES:
        words = f"found '{shown(pattern)}'{did_you_mean(pattern, RULES)}; allowed are {', '.join(RULES)}"
        problems.append(Problem(words, column="pattern", code="pattern"))
    if block_length < 1:
        words = f"found {block_length}; a block has 1 period or more"
        problems.append(Problem(words, column="block_length", code="block-length"))
    elif periods < 2 * block_length or periods % (2 * block_length):
        down, up = periods // (2 * block_length), periods // (2 * block_length) + 1
        near = " or ".join(str(2 * block_length * pairs) for pairs in (down, up) if pairs)
        words = f"found {periods}; an even number of blocks of {block_length} is needed: {near}"
        problems.append(Problem(words, column="periods", code="whole-blocks"))
    if not 0 <= burn_in < max(block_length, 1):
        words = f"found {burn_in}; from 0 to less than a block of {block_length}, or nothing is left to read"
        problems.append(Problem(words, column="burn_in", code="burn-in"))
    if len(set(geos)) < len(geos):
        problems.append(Problem("names a geo twice", column="geos", code="duplicate-geo"))
    if problems:
        raise DataError(problems)
