"""Plans: from what a user writes of a budget, or of a plan, to what the planner takes."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, cast

from measurement.errors import DataError, Problem, did_you_mean, refuse, shown

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from measurement import Panel
    from measurement.plan.allocation import Objective
    from measurement.plan.budget import Budget
    from measurement.plan.horizon import Horizon
    from measurement.plan.items import Bound, GroupBound, Held
    from theodolite.config import Config
    from theodolite.results import Fitted

AIMS = ("mean", "worst", "cautious", "goal")
MOST_TIMES = 10.0
"""The largest multiple of business as usual that a scenario may hold."""
LARGEST_MULTIPLE = 100.0
"""A multiple of business as usual beyond this was meant as money."""

type Side = tuple[float, bool] | None
"""An end of a range: its number and whether it is money; ``None`` where it is left open."""


def bound_of(text: str, currency: str) -> "Bound":
    """A bound of one channel: ``0.8:1.2`` times business as usual, or money, ``10000EUR:50000EUR``; a side may be open.

    Raises:
        DataError: Where the text is no range.
    """
    from measurement.plan.items import Bound

    low, high = _range(text, currency)
    return Bound(
        low=low[0] if low and not low[1] else None,
        high=high[0] if high and not high[1] else None,
        least=low[0] if low and low[1] else None,
        most=high[0] if high and high[1] else None,
    )


def group_of(channels: tuple[str, ...], text: str, currency: str, usual: Mapping[str, float]) -> "GroupBound":
    """A bound of several channels together, written as for `bound_of`; ``usual`` is business as usual per channel."""
    from measurement.plan.items import GroupBound

    together = sum(usual.get(name, 0.0) for name in channels)
    low, high = (None if side is None else side[0] * (1.0 if side[1] else together) for side in _range(text, currency))
    return GroupBound(channels, 0.0 if low is None else low, float("inf") if high is None else high)


def pairs(texts: Iterable[str], option: str) -> list[tuple[str, str]]:
    """``NAME=RANGE`` texts, split.

    Raises:
        DataError: With every text that is none.
    """
    found, wrong = [], []
    for text in texts:
        name, sign, span = text.rpartition("=")
        if not sign or not name.strip():
            wrong.append(Problem(f"{option}: found '{shown(text)}', expected NAME=LOW:HIGH", code="bound"))
        found.append((name.strip(), span.strip()))
    if wrong:
        raise DataError(wrong)
    return found


def together(texts: Iterable[str], option: str) -> dict[tuple[str, ...], str]:
    """``A,B=RANGE`` texts: the names and the range of each.

    Raises:
        DataError: With every text that is none.
    """
    return {tuple(name.strip() for name in names.split(",")): span for names, span in pairs(texts, option)}


def bounds_of(texts: Iterable[str], fixed: Iterable[str], stops: Iterable[str], currency: str) -> "dict[str, Bound]":
    """Bounds of channels from the options ``--bound``, ``--fix`` and ``--may-stop``.

    Raises:
        DataError: With every text that is wrong, and channels that are bounded twice.
    """
    from measurement.plan.items import Bound

    found: dict[str, Bound] = {}
    twice = []
    given = [(name, bound_of(text, currency)) for name, text in pairs(texts, "--bound")]
    for name, bound in [*given, *((name, Bound(low=1.0, high=1.0)) for name in fixed)]:
        if name in found:
            twice.append(Problem(f"channel '{shown(name)}' is bounded twice", code="bound"))
        found[name] = bound
    if twice:
        raise DataError(twice)
    for name in stops:
        found[name] = replace(found.get(name, Bound()), may_stop=True)
    return found


def ramps_of(texts: Iterable[str]) -> tuple[float | None, dict[str, float]]:
    """The ramp of all channels and those of single ones, from the option ``--ramp`` (``0.2`` or ``tv=0.2``).

    Raises:
        DataError: With every text that is none.
    """
    shared, own, wrong = None, {}, []
    for text in texts:
        name, sign, number = text.rpartition("=")
        if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", number.strip()) or (sign and not name.strip()):
            words = f"--ramp: found '{shown(text)}', expected SHARE or CHANNEL=SHARE of usual spend, as in 0.2"
            wrong.append(Problem(words, code="ramp"))
        elif sign:
            own[name.strip()] = float(number)
        else:
            shared = float(number)
    if wrong:
        raise DataError(wrong)
    return shared, own


def objective_of(aim: str, level: float | None, goal: float | None) -> "Objective":
    """The objective that the options ``--aim``, ``--level`` and ``--goal`` name.

    Raises:
        DataError: For an unknown aim, and for settings that belong to another.
    """
    from measurement.plan.allocation import Objective

    problems = []
    if aim not in AIMS:
        words = f"the aim: found '{shown(aim)}'{did_you_mean(aim, AIMS)}; allowed are {', '.join(AIMS)}"
        problems.append(Problem(words, code="aim"))
    if level is not None and aim in ("mean", "goal"):
        problems.append(Problem(f"a level goes with the aims worst and cautious, not with {aim}", code="aim"))
    if (goal is None) == (aim == "goal"):
        words = "the aim goal needs the profit to reach" if goal is None else f"a goal does not go with the aim {aim}"
        problems.append(Problem(words, code="aim"))
    if problems:
        raise DataError(problems)
    usual = 1.0 if aim == "cautious" else 0.1
    return Objective(cast(Literal["mean"], aim), level=usual if level is None else level, goal=goal or 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What `theodolite.study.Study.budget` was asked for; the fields are its arguments."""

    total: float | None
    periods: int | None
    at_most: bool
    bounds: "Mapping[str, Bound | str]"
    otherwise: "Bound | str | None"
    groups: Mapping[tuple[str, ...], str]
    iroas: float | None
    by_geo: bool
    target_mroas: float | None = None
    target_iroas: float | None = None
    ramp: float | None = None
    ramps: Mapping[str, float] = field(default_factory=dict)
    geos: Mapping[tuple[str, ...], str] = field(default_factory=dict)


def advise(panel: "Panel", fitted: "Fitted", config: "Config", asked: Asked, objective: "Objective") -> "Budget":
    """The best budget on a fit, under the study's names and with its margin."""
    from calibration.conflict import withheld
    from measurement.plan.budget import budget, quarter
    from measurement.plan.horizon import business_as_usual
    from measurement.plan.items import Bound

    currency, aliases = panel.currency, config.aliases
    plan = business_as_usual(panel, quarter(panel) if asked.periods is None else asked.periods)
    usual = dict(zip(panel.channels, plan.by_channel.tolist(), strict=True))
    groups = [(tuple(aliases.get(name, name) for name in names), text) for names, text in asked.groups.items()]
    others = replace(
        Bound() if asked.otherwise is None else _bound(asked.otherwise, currency, "otherwise"), ramp=asked.ramp
    )
    bounds = _bounds(asked.bounds, lambda name: _held(name, panel, aliases), currency)
    bounds = {name: bound if asked.ramp is None else replace(bound, ramp=asked.ramp) for name, bound in bounds.items()}
    for name, ramp in asked.ramps.items():
        held = _held(name, panel, aliases)
        bounds[held] = replace(bounds.get(held, others), ramp=ramp)
    return budget(
        fitted.best,
        panel,
        total=asked.total,
        spend_all=not asked.at_most,
        horizon=plan,
        margin=config.study.margin or 1.0,
        objective=objective,
        bounds=bounds,
        otherwise=others,
        groups=[group_of(names, text, currency, usual) for names, text in groups]
        + [_geos_of(names, text, panel, plan) for names, text in asked.geos.items()],
        iroas=asked.iroas,
        target_mroas=asked.target_mroas,
        target_iroas=asked.target_iroas,
        by_geo=asked.by_geo,
        held=withheld(fitted.conflicts),
    )


def _held(name: str, panel: "Panel", aliases: Mapping[str, str]) -> "Held":
    """A channel by the study's name, or ``channel@geo``."""
    channel, at, geo = name.rpartition("@")
    if not at or name in panel.channels or name in aliases:
        return aliases.get(name, name)
    return aliases.get(channel, channel), geo


def _geos_of(names: tuple[str, ...], text: str, panel: "Panel", plan: "Horizon") -> "GroupBound":
    """A bound of geos together, all their channels."""
    usual = dict(zip(panel.geos, plan.spend.sum(axis=(1, 2)).tolist(), strict=True))
    return replace(group_of(names, text, panel.currency, usual), channels=(), geos=names)


def plan_of(panel: "Panel", config: "Config", given: "Path | str | pd.DataFrame") -> "Horizon":
    """A plan of spend from a file or a frame ``date, (geo,) channel, spend``.

    Raises:
        DataError: With everything that is wrong about it.
    """
    from measurement import tables
    from measurement.plan.planned import planned_spend

    named = isinstance(given, str) or hasattr(given, "open")
    frame = tables.read_media(str(given), period=panel.period).frame if named else given
    return planned_spend(panel, cast("pd.DataFrame", frame), config.aliases)


def scaled(panel: "Panel", periods: int, multiples: Mapping[str, float]) -> "pd.DataFrame":
    """Business as usual with the spend of some channels multiplied: a plan as `plan_of` takes it.

    Args:
        panel: The data.
        periods: How many periods ahead.
        multiples: Per channel its multiple; 1 for all others.

    Raises:
        DataError: With every channel that there is not, and every multiple that is none.
    """
    import pandas as pd

    from measurement.plan.horizon import business_as_usual

    problems = [
        Problem(f"there is no channel '{shown(name)}'{did_you_mean(name, panel.channels)}", code="unknown-name")
        for name in multiples
        if name not in panel.channels
    ]
    problems += [
        Problem(f"the spend of {shown(name)}: found {times:g} times, expected 0 to {MOST_TIMES:g}", code="multiple")
        for name, times in multiples.items()
        if not 0 <= times <= MOST_TIMES
    ]
    refuse(problems)
    usual = business_as_usual(panel, periods)
    days = usual.dates.astype("datetime64[s]")
    index = pd.MultiIndex.from_product([panel.geos, days, panel.channels], names=["geo", "date", "channel"])
    frame = pd.DataFrame({"spend": usual.spend.reshape(-1)}, index=index).reset_index()
    frame["spend"] *= frame["channel"].map(lambda name: multiples.get(name, 1.0))
    return frame


def controls_of(panel: "Panel", given: "Path | str | pd.DataFrame | None") -> "pd.DataFrame | None":
    """Controls of the periods ahead from a file or a frame ``date, (geo,)`` and controls of the study.

    Raises:
        DataError: With everything that is wrong about it.
    """
    from measurement import tables

    if given is None or not (isinstance(given, str) or hasattr(given, "open")):
        return cast("pd.DataFrame | None", given)
    if not panel.control_names:
        raise DataError("the study has no controls: name their columns in theodolite.toml first")
    held = [name for name in panel.control_names if name in _columns(str(given))]
    if not held:
        raise DataError(
            f"{shown(given)} holds none of the study's controls: {', '.join(map(shown, panel.control_names))}"
        )
    return tables.read_outcome(str(given), held[:1], controls=held[1:], period=panel.period).frame


def _columns(file: str) -> tuple[str, ...]:
    from measurement.reading import source

    return source.header(file)


def _bounds(given: "Mapping[str, Bound | str]", held: "Callable[[str], Held]", currency: str) -> "dict[Held, Bound]":
    found: dict[Held, Bound] = {}
    problems: list[Problem] = []
    for name, bound in given.items():
        try:
            found[held(name)] = _bound(bound, currency, name)
        except DataError as error:
            problems += error.problems
    refuse(problems)
    return found


def _bound(given: "Bound | str", currency: str, name: str) -> "Bound":
    """A bound; a problem with it stands under the name of what it bounds."""
    try:
        return bound_of(given, currency) if isinstance(given, str) else given
    except DataError as error:
        raise DataError([replace(problem, column=problem.column or name) for problem in error.problems]) from None


def _range(text: str, currency: str) -> tuple[Side, Side]:
    low, colon, high = text.partition(":")
    expected = f"expected LOW:HIGH, times business as usual (0.8:1.2) or money (10000{currency}:50000{currency})"
    if not colon or not text.replace(":", "").strip():
        raise DataError([Problem(f"found '{shown(text)}'; {expected}; one side may be left open", code="bound")])
    return _side(low.strip(), currency, expected), _side(high.strip(), currency, expected)


def _side(text: str, currency: str, expected: str) -> Side:
    if not text:
        return None
    found = side_of(text, currency)
    if found is None:
        raise DataError([Problem(f"found '{shown(text)}'; {expected}", code="bound")])
    return found


def side_of(text: str, currency: str) -> Side:
    """A number and whether it is money, from ``1.2`` or ``50000EUR``; ``None`` where it is neither.

    Raises:
        DataError: Where a multiple is so large that money was meant.
    """
    money = text.strip().casefold().endswith(currency.casefold())
    number = text.strip()[: -len(currency)].strip() if money else text.strip().removesuffix("x").strip()
    if not re.fullmatch(r"\d+(\.\d*)?([eE]\d+)?|\.\d+", number):
        return None
    value = float(number)
    if not money and value > LARGEST_MULTIPLE:
        words = f"found {value:g} times business as usual; for money write the currency behind it: {number}{currency}"
        raise DataError([Problem(words, code="bound")])
    return value, money
