"""Power of a design by rehearsal: the effect that its own randomisation test would just have found, in closed form.

In a held-back window nothing happened, so an effect ``d`` (relative) put on a set moves every set's gap in proportion
to its reach: ``gap + d reach``. Turned round, the test of no effect under ``d`` is the test of ``-d`` without it: the
smallest effect that is found is the far end of the interval that the window gives without any effect. So one sort per
window gives the threshold of every set that could be drawn, and the power of an effect is the share of thresholds
below it. Nothing is simulated and there is no grid.

The minimum detectable effect comes from few windows, and a quantile of few is too small on average. It is stretched
by what leaving windows out shows: the effect that the other windows promise, held against each window in turn.
"""

from dataclasses import dataclass, field

import numpy as np

from experiments.geo.inference.randomisation import span
from experiments.geo.inference.self_calibration import wilson
from experiments.planning.contrasts import fitted
from experiments.planning.windows import effective, start_of
from measurement.typing import Bools, Floats, Ints, Json

_TINY = 1e-12  # reach of a set that sold nothing in a window, which no relative effect can change
CURVE_POINTS = 41
CURVE_REACH = 2.0
"""The power curve runs to twice the minimum detectable effect."""


ROUGH = 6
"""With fewer separate windows than this the power is said to be rough."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Where tests are rehearsed.

    Attributes:
        outcome: KPI, shape (geos, periods).
        alpha: Level of the test.
        sign: +1 where the test should raise the KPI of the treated geos, -1 where it should lower it.
        weekly: Whether histories are cut to whole weeks.
        inflation: Stretches intervals about the estimate: what the analysis asks for where markets were not drawn.
    """

    outcome: Floats
    alpha: float
    sign: int
    weekly: bool
    inflation: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsal:
    """What sets of geos showed in held-back windows.

    Attributes:
        thresholds: Smallest relative effect in the expected direction that is found, shape (windows, draws); infinite
            where no effect is.
        opposite: The same in the other direction.
        gaps: Relative gaps of the draws without an effect, shape (windows, draws).
        errors: Their pre-period errors, same shape.
        onsets: First period of each window.
        length: Periods of the read-out.
    """

    thresholds: Floats
    opposite: Floats
    gaps: Floats
    errors: Floats
    onsets: tuple[int, ...]
    length: int

    @property
    def windows(self) -> float:
        """How many windows that do not overlap these are worth."""
        return effective(self.onsets, self.length)


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """What a design can find.

    Attributes:
        mde: Smallest relative effect found with the wanted power; infinite where none is.
        optimistic: Power at that effect in the windows that chose the sets; ``None`` for given markets.
        mde_optimistic: The effect that those windows alone would promise; likewise.
        planning: Power at that effect in the planning windows before the stretch for few windows.
        stretch: Factor on the effect for the few windows it was learned from.
        effects: Relative effects of the curve, shape (points,).
        power: Power of each.
        low: Lower end of its 90 % Wilson band, with as many trials as there are windows that do not overlap.
        high: Upper end.
        false_positives: Share of rehearsals without an effect that find one, either way.
        false_positives_low: Lower end of its 90 % Wilson interval.
        false_positives_high: Upper end.
        rmse: Root mean square of the relative gap without an effect.
        bias: Its mean.
        windows: Windows that do not overlap, about.
        draws: Sets that may be drawn.
    """

    mde: float
    optimistic: float | None
    mde_optimistic: float | None
    planning: float
    stretch: float
    effects: Floats = field(repr=False)
    power: Floats = field(repr=False)
    low: Floats = field(repr=False)
    high: Floats = field(repr=False)
    false_positives: float
    false_positives_low: float
    false_positives_high: float
    rmse: float
    bias: float
    windows: float
    draws: int

    def in_words(self, wanted: float) -> str:
        """With which probability the smallest detectable effect is found, and how rough that is."""
        if self.windows >= ROUGH:
            return f"with {wanted:.0%} probability"
        low, high = (float(np.interp(self.mde, self.effects, band)) for band in (self.low, self.high))
        return f"with roughly {wanted:.0%} probability ({low:.0%} to {high:.0%} fit the few windows of the history)"

    def curve(self) -> list[Json]:
        """The power curve, point by point."""
        columns = (self.effects, self.power, self.low, self.high)
        return [
            {"effect": float(effect), "power": float(power), "low": float(low), "high": float(high)}
            for effect, power, low, high in zip(*columns, strict=True)
        ]


def needed_count(sets: int, alpha: float) -> int:
    """How many sets must speak for an effect so that it stays inside the interval."""
    return max(int(np.argmax(np.arange(sets + 1) / sets >= alpha)), 1)


def thresholds(
    gaps: Floats, reach: Floats, errors: Floats, draws: Ints, beside: Bools, alpha: float, inflation: float = 1.0
) -> tuple[Floats, Floats]:
    """Smallest relative effect that each draw's randomisation test finds in one window.

    Args:
        gaps: Relative gap of each set without an effect, shape (sets,).
        reach: How much of the effect on each draw reaches each set, shape (sets, draws).
        errors: Pre-period errors, shape (sets,).
        draws: Which of the sets may be treated, shape (draws,).
        beside: The reference sets, shape (sets,): all draws are among them, or none is.
        alpha: Level of the test.
        inflation: Stretches every span about the estimate, 1 or more.

    Returns:
        Thresholds upwards and downwards, both positive, shape (draws,); an effect beyond is found, with its sign.
    """
    own = np.maximum(reach[draws, np.arange(draws.size)], _TINY)
    lows, highs = span(gaps[beside, None], (reach / own)[beside], errors[beside, None], gaps[draws], errors[draws])
    lows, highs = gaps[draws] - inflation * (gaps[draws] - lows), gaps[draws] + inflation * (highs - gaps[draws])
    if not beside[draws].any():  # the treated set itself speaks for everything
        always = np.full((1, draws.size), np.inf)
        lows, highs = np.vstack([lows, -always]), np.vstack([highs, always])
    count = needed_count(len(lows), alpha)
    low = np.partition(lows, count - 1, axis=0)[count - 1]
    high = np.partition(highs, len(highs) - count, axis=0)[len(highs) - count]
    return np.maximum(-low, 0.0) / own, np.maximum(high, 0.0) / own


def rehearse(
    stage: Stage, sets: Bools, donors: Bools, beside: Bools | None, onsets: tuple[int, ...], length: int
) -> Rehearsal:
    """Rehearse the draws of a design, each against all reference sets, in every window.

    Args:
        stage: Where.
        sets: The draws and their reference sets, shape (sets, geos).
        donors: Geos that take part, shape (geos,).
        beside: Which of the sets are references; the others may be treated; shape (sets,). ``None``: all may be
            treated and are each other's references.
        onsets: First periods of the windows.
        length: Periods of the read-out.
    """
    rows: list[tuple[Floats, ...]] = []
    draws = np.arange(len(sets)) if beside is None else np.flatnonzero(~beside)
    references = np.ones(len(sets), dtype=np.bool_) if beside is None else beside
    near = None
    for onset in onsets:
        near = fitted(stage.outcome, sets, donors, start_of(onset, stage.weekly), onset, near)
        gaps, reach = near.read(stage.outcome, length, sets[draws])
        up, down = thresholds(gaps, reach, near.errors, draws, references, stage.alpha, stage.inflation)
        rows.append((up, down, gaps[draws], near.errors[draws]))
    up, down, gap, error = (np.array(each) for each in zip(*rows, strict=True))
    ahead, back = (up, down) if stage.sign > 0 else (down, up)
    return Rehearsal(ahead, back, gap, error, onsets, length)


def summarise(planning: Rehearsal, wanted: float, selection: Rehearsal | None = None) -> Power:
    """Minimum detectable effect, power curve, false positives and accuracy from rehearsals.

    Args:
        planning: Rehearsals in windows that did not choose the sets.
        wanted: Power at which the minimum detectable effect is read.
        selection: Rehearsals in the windows that did.
    """
    found = planning.thresholds
    plain = _quantile(found, wanted)
    stretch = _stretch(planning, wanted)
    mde = plain * stretch
    reach = mde if np.isfinite(mde) else _quantile(found, 0.5 * float(np.isfinite(found).mean()))
    effects = np.linspace(0.0, CURVE_REACH * (reach if np.isfinite(reach) else 1.0), CURVE_POINTS)
    power = _power(found, effects / stretch)
    trials = max(int(planning.windows), 1)
    bands = np.array([wilson(share, trials) for share in power])
    either = (found == 0.0) | (planning.opposite == 0.0)
    false = float(either.mean())
    low, high = wilson(false, trials)
    return Power(
        mde,
        None if selection is None else float(_power(selection.thresholds, np.array([mde]))[0]),
        None if selection is None else _quantile(selection.thresholds, wanted),
        float(_power(found, np.array([mde]))[0]),
        stretch,
        effects,
        power,
        np.clip(bands[:, 0], 0.0, power),
        np.clip(bands[:, 1], power, 1.0),
        false,
        max(low, 0.0),
        min(high, 1.0),
        float(np.sqrt(np.square(planning.gaps).mean())),
        float(planning.gaps.mean()),
        planning.windows,
        found.shape[1],
    )


def _power(found: Floats, effects: Floats) -> Floats:
    """Share of thresholds at or below each effect; at no effect at all, the share of false finds in its direction."""
    return np.searchsorted(np.sort(found, axis=None), effects, side="right") / found.size


def _quantile(found: Floats, share: float) -> float:
    """Smallest effect that at least the given share of thresholds does not exceed."""
    place = min(int(np.ceil(share * found.size)), found.size) - 1
    return float(np.partition(found, place, axis=None)[place])


def _stretch(rehearsal: Rehearsal, wanted: float) -> float:
    """Factor on a quantile of few windows, at least 1.

    Each window's thresholds over the effect that the windows it does not overlap promise, at the same quantile. That
    is what a window adds to one fewer than there are; what it adds to all of them is nearer to nothing by
    ``(n - 1) / n`` of the logarithm, because the error of a mean of ``n`` windows falls with ``1/n``.
    """
    onsets, found = np.array(rehearsal.onsets), rehearsal.thresholds
    ratios = []
    for row, onset in enumerate(onsets):
        others = np.abs(onsets - onset) >= rehearsal.length
        promise = _quantile(found[others], wanted) if others.any() else np.inf
        if np.isfinite(promise) and promise > 0.0:
            ratios.append(found[row] / promise)
    factor = _quantile(np.array(ratios), wanted) if ratios else 1.0
    if not np.isfinite(factor):
        return 1.0
    return max(float(factor ** ((rehearsal.windows - 1) / rehearsal.windows)), 1.0)
