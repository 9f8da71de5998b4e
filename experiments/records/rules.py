"""What the fields of a record must be, one by one and together."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Set
from datetime import date
from typing import Any, Literal

from experiments.records import schedules
from experiments.records.experiment import (
    CI_LEVEL,
    ESTIMANDS,
    GRADES,
    METHODS,
    Assignment,
    Block,
    Experiment,
    std_error_of,
)
from measurement.errors import did_you_mean, shown
from measurement.reading import faults

type Fault = tuple[str, str, str]  # field, message, code
type Checked = tuple[Any, str | None]  # value, or what is wrong with it
type Kind = Literal["text", "prose", "names", "number"]

FIELDS = tuple(Experiment.model_fields)
REQUIRED = ("experiment_id", "channel", "method", "start_date", "end_date")
NUMBERS = (
    "estimate",
    "std_error",
    "ci_lower",
    "ci_upper",
    "ci_level",
    "spend_delta",
    "counterfactual_spend",
    "market_share",
    "allocation",
    "geo_share",
    "placebo_sd",
)
NESTED = ("pairs", "assignment", "schedule", "correlations")
"""Fields whose csv cells hold json."""
LISTS = ("channel", "treatment_geos", "control_geos")
FLAGS = ("preregistered", "off_panel")
_DATES = ("start_date", "end_date", "cooldown_end_date")
_CHOICES: dict[str, tuple[str, ...]] = {
    "method": METHODS,
    "estimand": ESTIMANDS,
    "grade": GRADES,
    "adstock": ("steady_state", "cold_start"),
}
_LONGEST = {"experiment_id": 200, "notes": 10_000}
JOINERS = "\u200c\u200d"
"""Characters without a width of their own that some scripts are written with."""
_TAKES_AWAY, _ADDS = ("go_dark",), ("heavy_up",)
_SE_AGREES = 0.3
"""How far a standard error may lie from its interval: with few degrees of freedom one is wider than the Normal's."""


def field(name: str, value: Any, more: Mapping[str, Kind]) -> Checked:
    """One field of the right type and form, or what is wrong with it.

    Args:
        name: Name of a field of a record, or of one of ``more``.
        value: What was found.
        more: Further fields, and what each of them holds.
    """
    return of_kind(more[name], value) if name in more else _CHECKS[name](value)


def of_kind(kind: Kind, value: Any) -> Checked:
    """A value of a kind: a line of text, several lines, a list of names, a number."""
    return _KINDS[kind](value)


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return f"found {names[type(value)]} ({shown(value, 40)})" if type(value) in names else f"found {shown(value, 60)}"


def _text(longest: int, multiline: bool) -> Callable[[Any], Checked]:
    def check(value: Any) -> Checked:
        if not isinstance(value, str):
            return None, f"{_kind(value)}; a text is needed: write it in quotes"
        if len(value) > longest:
            return None, f"found a text of {len(value)} characters; at most {longest} are allowed"
        allowed = "\n\r\t" if multiline else ""
        bad = [c for c in value if unicodedata.category(c) in {"Cc", "Cs"} and c not in allowed]
        if bad:
            return None, f"found '{shown(value, 40)}' with the control character or half character U+{ord(bad[0]):04X}"
        return value, None

    return check


def identity(value: Any) -> Checked:
    """An id: a line of text that is no path and looks like no other."""
    value, wrong = _text(_LONGEST["experiment_id"], False)(value)
    if wrong:
        return None, wrong
    if not value.strip():
        return None, "is empty; every test needs a name"
    if value != value.strip() or value.startswith(".") or re.search(r"[/\\]", value):
        return None, f"found '{shown(value)}'; no slash, no dot in front and no space around it are allowed"
    hidden = next((c for c in value if unicodedata.category(c) == "Cf" and c not in JOINERS), None)
    if hidden is not None:
        code = f"U+{ord(hidden):04X}"
        return None, f"found '{shown(value)}' with the invisible character {code}; two ids must not look alike"
    return value, None


def _names(value: Any) -> Checked:
    if isinstance(value, str):
        return None, f"found a text ('{shown(value, 40)}'); a list of names is needed, such as [\"berlin\"]"
    if not isinstance(value, list | tuple):
        return None, f"{_kind(value)}; a list of names is needed"
    for each in value:
        _, wrong = _text(500, False)(each)
        if wrong or not each.strip():
            return None, wrong or "found an empty name"
    twice = sorted({each for each in value if list(value).count(each) > 1})
    if twice:
        return None, f"'{shown(twice[0])}' stands in it twice"
    return tuple(value), None


def _channel(value: Any) -> Checked:
    names, wrong = _names([value] if isinstance(value, str) else value)
    return (names, None) if names else (None, wrong or "is an empty list; a test has one channel or more")


def _pairs(value: Any) -> Checked:
    whole = isinstance(value, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value)
    if not whole:
        return None, f"{_kind(value)}; a list of [treatment geo, control geo] is needed"
    names, wrong = _names([geo for pair in value for geo in pair])
    return (None, wrong) if wrong else (tuple(zip(names[::2], names[1::2], strict=True)), None)


def _correlations(value: Any) -> Checked:
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list | tuple) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        return None, f'{_kind(value)}; an object from the other cell\'s id to a number is needed, such as {{"b": 0.4}}'
    names, wrong = _names([name for name, _ in pairs])
    checked = [_number(number) for _, number in pairs]
    wrong = wrong or next((words for _, words in checked if words), None)
    if wrong:
        return None, wrong
    for number, _ in checked:
        if not -1 < number < 1:
            return None, f"found {number:g}; a correlation lies between -1 and 1"
    return tuple((name, number) for name, (number, _) in zip(names, checked, strict=True)), None


def _assignment(value: Any) -> Checked:
    if isinstance(value, Assignment):
        return value, None
    if not isinstance(value, dict):
        return None, f'{_kind(value)}; an object is needed, such as {{"rule": "uniform"}}'
    known = tuple(Assignment.model_fields)
    strange = next((name for name in value if name not in known), None)
    if strange is not None:
        return None, f"'{shown(strange)}' is no part of it{did_you_mean(str(strange), known)}"
    rule, wrong = _choice(("uniform", "near_best", "pairs"))(value.get("rule"))
    seed, candidates = value.get("seed"), value.get("candidates", [])
    if not wrong and seed is not None and (type(seed) is not int or not 0 <= seed < 1 << 63):
        wrong = f"seed: {_kind(seed)}; a whole number from 0 is needed"
    if not wrong and not isinstance(candidates, list | tuple):
        wrong = f"candidates: {_kind(candidates)}; a list of lists of geos is needed"
    lists = [] if wrong else [_names(value.get("eligible", [])), *(_names(each) for each in candidates)]
    wrong = wrong or next((words for _, words in lists if words), None)
    if not wrong and rule == "near_best" and not candidates:
        wrong = "names no candidates; near_best needs the sets that the draw was made from"
    if wrong:
        return None, wrong
    sets = [names for names, _ in lists]
    return Assignment(rule=rule, seed=seed, eligible=sets[0], candidates=tuple(sets[1:])), None


def _schedule(value: Any) -> Checked:
    if not isinstance(value, list | tuple) or not value:
        return None, f'{_kind(value)}; a list of blocks is needed, such as [{{"start", "end", "on"}}]'
    blocks = []
    for i, each in enumerate(value, 1):
        if isinstance(each, Block):
            blocks.append(each)
            continue
        if not isinstance(each, dict) or not {"start", "end", "on"} <= set(each) <= set(Block.model_fields):
            return None, f"block {i}: {_kind(each)}; a block has start, end and on, and geo where geos switch apart"
        checks = (_day(each["start"]), _day(each["end"]), _flag(each["on"]), _text(500, False)(each.get("geo", "")))
        wrong = next((words for _, words in checks if words), None)
        if wrong:
            return None, f"block {i}: {wrong}"
        start, end, on, geo = (found for found, _ in checks)
        if end < start:
            return None, f"block {i}: ends {end}, before its start {start}"
        blocks.append(Block(start=start, end=end, on=on, geo=geo))
    return tuple(blocks), None


def _count(value: Any) -> Checked:
    whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return (int(value), None) if whole and 0 <= value < 10_000 else (None, f"{_kind(value)}; a whole number from 0")


def _number(value: Any) -> Checked:
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = ": write it without quotes" if isinstance(value, str) else ""
        return None, f"{_kind(value)}; a number is needed{hint}"
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    return (number, None) if math.isfinite(number) else (None, f"found {shown(value, 40)}; a number must be finite")


def _day(value: Any) -> Checked:
    if type(value) is date:
        return value, None
    if not isinstance(value, str):
        return None, f'{_kind(value)}; write dates as "2024-01-31"'
    try:
        day = date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII) else None
    except ValueError:
        day = None
    return (day, None) if day and 1900 <= day.year <= 2100 else (None, faults.day(value)[0])


def _flag(value: Any) -> Checked:
    return (value, None) if isinstance(value, bool) else (None, f"{_kind(value)}; true or false is needed")


def _choice(choices: tuple[str, ...]) -> Callable[[Any], Checked]:
    def check(value: Any) -> Checked:
        if isinstance(value, str) and value in choices:
            return value, None
        found = f"found '{shown(value)}'{did_you_mean(value, choices)}" if isinstance(value, str) else _kind(value)
        return None, f"{found}; allowed are {', '.join(choices)}"

    return check


_CHECKS: Mapping[str, Callable[[Any], Checked]] = {
    **{name: _text(500, False) for name in ("kpi", "source", "cell_of")},
    **{name: _choice(choices) for name, choices in _CHOICES.items()},
    **dict.fromkeys(_DATES, _day),
    **dict.fromkeys(NUMBERS, _number),
    **dict.fromkeys(FLAGS, _flag),
    **dict.fromkeys(LISTS, _names),
    "experiment_id": identity,
    "channel": _channel,
    "pairs": _pairs,
    "assignment": _assignment,
    "correlations": _correlations,
    "schedule": _schedule,
    "burn_in": _count,
    "notes": _text(_LONGEST["notes"], True),
}

_KINDS: Mapping[Kind, Callable[[Any], Checked]] = {
    "text": _text(500, False),
    "prose": _text(_LONGEST["notes"], True),
    "names": _names,
    "number": _number,
}


def together(record: Mapping[str, Any], given: Set[str], results: bool) -> Iterator[Fault]:
    """What is wrong between the sound fields of a record.

    Args:
        record: Fields that passed `field`.
        given: Names of all fields that were given, sound or not.
        results: Whether the record must say what was measured.
    """
    yield from _window(record)
    yield from _arms(record)
    yield from _drawn(record)
    yield from _spend(record, results and "estimate" in given)
    yield from _off_panel(record)
    yield from _result(record, given, results)


def _window(record: Mapping[str, Any]) -> Iterator[Fault]:
    start, end, cooldown = (record.get(name) for name in _DATES)
    if start and end and end < start:
        yield "end_date", f"is {end}, before the start_date {start}", "reversed-window"
    if end and cooldown and cooldown < end:
        yield (
            "cooldown_end_date",
            f"is {cooldown}, before the end_date {end}; the cool-down follows the test",
            "reversed-window",
        )


def _arms(record: Mapping[str, Any]) -> Iterator[Fault]:
    both = [geo for geo in record.get("treatment_geos", ()) if geo in set(record.get("control_geos", ()))]
    for geo in both:
        yield "control_geos", f"geo '{shown(geo)}' is in treatment_geos too; a geo is in one arm", "geo-in-both-arms"


def _drawn(record: Mapping[str, Any]) -> Iterator[Fault]:
    """The assignment, the allocation of users and the schedule, against the rest of the record."""
    assignment, share = record.get("assignment"), record.get("allocation")
    switches = record.get("method") in schedules.SCHEDULED
    if assignment and assignment.rule == "pairs" and not record.get("pairs") and not switches:
        yield "assignment", "was drawn within pairs, and the record names no pairs", "assignment"
    if assignment and assignment.candidates and "treatment_geos" in record:
        treated = set(record["treatment_geos"])
        if treated not in [set(each) for each in assignment.candidates]:
            yield "assignment", "the treatment_geos are none of its candidates", "assignment"
    if share is not None and not 0 < share < 1:
        yield "allocation", f"is {share:g}; it is the share of users in treatment, between 0 and 1", "allocation"
    if record.get("correlations") and not record.get("cell_of"):
        yield "correlations", "are between the cells of one test, and cell_of names none", "correlations"
    if any(name == record.get("experiment_id") for name, _ in record.get("correlations", ())):
        yield "correlations", "name the test itself; they are with the other cells", "correlations"
    yield from schedules.faults(record)


def _spend(record: Mapping[str, Any], results: bool) -> Iterator[Fault]:
    delta, usual, method = record.get("spend_delta"), record.get("counterfactual_spend"), record.get("method")
    if delta is None and results:
        yield (
            "spend_delta",
            "is missing; a result needs the money moved (negative where spend was taken away)",
            "missing-field",
        )
    if delta == 0:
        yield "spend_delta", "is 0; a test that moves no money measures nothing", "zero-spend-delta"
    if delta is not None and delta > 0 and method in _TAKES_AWAY:
        yield "spend_delta", f"is {delta:g}, and a {method} test takes spend away: it is negative", "spend-delta-sign"
    if delta is not None and delta < 0 and method in _ADDS:
        yield "spend_delta", f"is {delta:g}, and a {method} test adds spend: it is positive", "spend-delta-sign"
    if usual is not None and usual < 0:
        yield "counterfactual_spend", f"is {usual:g}; money is 0 or more", "negative"
    elif usual is not None and delta is not None and delta < -usual * (1 + 1e-6):
        words = f"takes away {-delta:g}, and counterfactual_spend is only {usual:g}"
        yield "spend_delta", words, "spend-delta-too-large"


def _off_panel(record: Mapping[str, Any]) -> Iterator[Fault]:
    share = record.get("market_share")
    if share is not None and share <= 0:
        yield "market_share", f"is {share:g}; it must be above 0 (1 is a market as large as the panel)", "negative"
    part = record.get("geo_share", 1.0)
    if not 0 < part <= 1:
        yield (
            "geo_share",
            f"is {part:g}; it is a share of the treated geos' usual spend, above 0 and at most 1",
            "share",
        )
    elif part < 1 and record.get("off_panel"):
        yield "geo_share", "is for a part of the panel's geos; a test outside it has a market_share", "off-panel-field"
    if record.get("off_panel"):
        if record.get("counterfactual_spend") is None:
            words = "is missing; a test outside the panel needs its business-as-usual money"
            yield "counterfactual_spend", words, "missing-field"
        return
    for name, usual in (("market_share", 1.0), ("adstock", "steady_state")):
        if record.get(name, usual) != usual:
            yield name, "is for a test outside the panel; say off_panel: true, or leave it out", "off-panel-field"


def _result(record: Mapping[str, Any], given: Set[str], results: bool) -> Iterator[Fault]:
    if "estimate" not in given:
        if results:
            yield "estimate", "is missing; without it the record is a plan, not a result", "missing-field"
        for name in ("std_error", "ci_lower", "ci_upper"):
            if name in given and not results:
                yield name, "stands there without an estimate", "missing-field"
        return
    if "estimand" not in given:
        words = f"is missing; say what the estimate is: {', '.join(ESTIMANDS)}"
        yield "estimand", words, "missing-field"
    estimate = record.get("estimate")
    if estimate is not None and record.get("estimand") == "icpa" and estimate <= 0:
        yield "estimate", f"is {estimate:g}, and a cost per outcome is above 0; give outcome_change instead", "icpa"
    if estimate is not None and record.get("estimand") == "relative_lift" and estimate <= -1:
        yield "estimate", f"is {estimate:g}, and no more than everything (-1) can be lost", "relative-lift"
    yield from _uncertainty(record, estimate)


def _uncertainty(record: Mapping[str, Any], estimate: float | None) -> Iterator[Fault]:
    error, lower, upper = (record.get(name) for name in ("std_error", "ci_lower", "ci_upper"))
    level = record.get("ci_level", CI_LEVEL)
    placebo = record.get("placebo_sd")
    if placebo is not None and placebo <= 0:
        yield "placebo_sd", f"is {placebo:g}; it must be above 0", "std-error"
    if error is not None and error <= 0:
        yield "std_error", f"is {error:g}; it must be above 0", "std-error"
    if not 0 < level < 1:
        yield "ci_level", f"is {level:g}; write a share between 0 and 1, such as 0.9", "ci-level"
        return
    if (lower is None) != (upper is None):
        lacking, other = ("ci_lower", "ci_upper") if lower is None else ("ci_upper", "ci_lower")
        yield lacking, f"is missing, and {other} is there; an interval has both", "missing-field"
    elif lower is None or upper is None:
        if error is None:
            yield "std_error", "is missing; give it, or ci_lower and ci_upper", "missing-field"
    elif lower >= upper:
        yield "ci_lower", f"is {lower:g} and ci_upper {upper:g}; the lower end comes first", "reversed-interval"
    elif estimate is not None and not lower <= estimate <= upper:
        yield "estimate", f"is {estimate:g}, outside its own interval {lower:g} to {upper:g}", "outside-interval"
    elif error is not None and error > 0:
        implied = std_error_of(lower, upper, level)
        if abs(math.log(error / implied)) > math.log1p(_SE_AGREES):
            words = f"is {error:g}, and the {level:.0%} interval says {implied:g}; give one of them, or mend ci_level"
            yield "std_error", words, "std-error-disagrees"
