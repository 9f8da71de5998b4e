"""An analysed test in words: the answer, how sure it is, and what to do next; for the page and for the command line."""

import math
from collections.abc import Callable

from experiments import Result
from experiments.records import ON_USERS, Experiment
from experiments.result import Quantity
from theodolite.report.cells import names
from theodolite.report.page import Span, Strong, Text
from theodolite.report.standing import Standing
from theodolite.report.words import GAP, count, percent

METHODS = {
    "geo_holdout": "geo holdout",
    "go_dark": "go-dark test",
    "heavy_up": "heavy-up test",
    "scale": "scaled spend",
    "conversion_lift": "conversion lift",
    "ghost_ads": "ghost ads",
    "psa": "PSA test",
    "switchback": "switchback",
    "on_off": "on-off test",
}
MOVES = {
    "geo_holdout": "Holding out",
    "go_dark": "Switching off",
    "heavy_up": "Spending more on",
    "scale": "Changing the spend on",
    "conversion_lift": "Showing or withholding",
    "ghost_ads": "Showing or withholding",
    "psa": "Showing or replacing",
    "switchback": "Switching on and off",
    "on_off": "Switching on and off",
}
GRADES = {
    "A": "randomised, planned in advance, every check passed",
    "B": "every check passed, but no locked plan or no random assignment",
    "C": "one or two checks failed",
    "D": "more than two checks failed",
    "E": "a failure that makes it unusable",
}
SCHEDULED = ("switchback", "on_off")
SURE = 0.001
"""A p-value below this is printed as such."""


def amount(value: float) -> str:
    """A quantity of the KPI: whole from 100 on, three significant digits below."""
    if not math.isfinite(value):
        return "no end"
    text = f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:,.3g}"
    return "0" if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def signed(value: float) -> str:
    """The same with its sign."""
    text = amount(value)
    return f"+{text}" if value > 0 and text != "0" else text


def signed_share(value: float) -> str:
    """A share as a percentage with its sign."""
    if not math.isfinite(value):
        return amount(value)
    text = percent(value, 1)
    return f"+{text}" if value > 0 and not text.startswith("0.0") else text


def interval(q: Quantity, form: Callable[[float], str] = signed) -> str:
    """``from +1,818 to +12,023``; an end that nothing bounds is said in words."""
    if math.isfinite(q.low) and math.isfinite(q.high):
        return f"from {form(q.low)} to {form(q.high)}"
    if math.isfinite(q.low):
        return f"from {form(q.low)} without an upper end"
    return f"up to {form(q.high)} without a lower end" if math.isfinite(q.high) else "without an end on either side"


def money_ratio(value: float) -> str:
    """Money per money, or per unit of KPI: two decimals."""
    return f"{value:,.2f}".replace("-", "−") if math.isfinite(value) else amount(value)


def p_words(p: float) -> str:
    """``0.034``, or ``< 0.001``."""
    return "< 0.001" if p < SURE else f"{p:.3f}"


def level(result: Result) -> str:
    """``90 % interval``."""
    return f"{percent(1 - result.alpha)} interval"


def found(result: Result) -> bool:
    """Whether the interval excludes no effect."""
    return result.p_value < result.alpha


def what_moved(test: Experiment) -> Text:
    """``Switching off tv and radio``."""
    return (f"{MOVES[test.method]} ", *names(test.channel))


def chance(result: Result) -> str:
    """The p-value in words; and why it differs from the one by time alone, where the two fall on either side."""
    share = result.p_value
    often = "under 0.1" if share < SURE else f"{100 * share:.1f}" if share < 0.1 else f"{100 * share:.0f}"
    said = f"If the ads did nothing, about {often}{GAP}% of such tests would show a change at least this large."
    return said.replace("about under", "under") + _others_moved_too(result)


def _others_moved_too(result: Result) -> str:
    """Why a change that is large beside the treated geos' own past is none beside the other geos."""
    seen = result.diagnostics.get("p_values", {})
    by_time, by_sets = seen.get("block_conformal"), seen.get("randomisation")
    if by_time is None or by_sets is None or not by_time < result.alpha <= by_sets:
        return ""
    return (
        f" Against its own past alone the change would stand out (p = {p_words(by_time)}), but other sets of geos "
        "moved as much in the same periods without the test, so it does not count as found."
    ).replace("p = <", "p <")


def verdict(result: Result) -> str:
    """The answer in a few words."""
    if result.grade == "E":
        return "This test cannot be used."
    if not found(result):
        return "No effect stands out from chance."
    if result.incremental_outcome.estimate > 0:
        return "The ads brought more than chance explains."
    return "The result points against the ads."


def answer(result: Result) -> Text:
    """What happened, by how much, with its interval."""
    change, lift = result.outcome_change, result.relative_lift
    what: list[Span] = [Strong(verdict(result)), " ", *what_moved(result.experiment)]
    what += [" moved ", f"{result.kpi} by ", Strong(f"{signed(change.estimate)} ({signed_share(lift.estimate)})")]
    places: dict[str, str] = {
        **dict.fromkeys(ON_USERS, "among the treated users"),
        **dict.fromkeys(SCHEDULED, "over all periods that were on"),
    }
    where = places.get(result.experiment.method, "in the treated geos")
    what.append(f" {where}, against what it would have been. The {level(result)} goes {interval(change)}")
    tail = ", so no effect at all remains possible." if not found(result) else " and leaves zero out."
    return (*what, tail)


def money_answer(result: Result, currency: str, break_even: float | None = None) -> str:
    """What a unit of money brought, or why that is not known."""
    q = result.iroas
    if q is None:
        if result.spend.delta is None:
            return "What was spent is not known, so neither is the return: give spend_delta, or a media table."
        return "The change of spend is too small to divide by, so there is no return to state."
    ends = f"{level(result)} {interval(q, money_ratio)}"
    said = f"Each {currency} brought {currency}{GAP}{money_ratio(q.estimate)} ({ends})."
    if break_even is None:
        return said
    if q.low > break_even:
        judged = f"That pays: break-even is {break_even:.2f}."
    elif q.high < break_even:
        judged = f"That does not pay: break-even is {break_even:.2f}."
    else:
        judged = f"Whether that pays is open: break-even, {break_even:.2f}, lies inside the interval."
    return f"{said} {judged}"


def disagreement(result: Result) -> str:
    """How the other estimators stand to the one that counts."""
    others = list(result.alternates.values())
    if not others:
        return "No other estimator was run."
    error = result.outcome_change.std_error
    own = result.outcome_change.estimate
    far = [o for o in others if not abs(o["outcome_change"]["estimate"] - own) <= error]
    opposite = [o for o in others if o["outcome_change"]["estimate"] * own < 0]
    if not far:
        if len(others) == 1:
            return "The other estimator lies within one standard error of it."
        return f"All {len(others)} other estimators lie within one standard error of it."
    words = f"{len(far)} of {count(len(others), 'other estimator')} {'lies' if len(far) == 1 else 'lie'} more than one "
    words += "standard error away" + (f", {len(opposite)} with the other sign" if opposite else "")
    agree = next((check for check in result.checks if check.name == "estimators agree"), None)
    if agree is not None and agree.passed:
        return f"{words}. The grade asks less: {agree.text}."
    return f"{words}."


def caveats(result: Result) -> list[str]:
    """What a reader must know before using the number: each failed check, and what was noted on the way."""
    said = [f"{check.name}: {check.text}" for check in result.checks if not check.passed]
    noted = (q.note for q in (result.relative_lift, result.iroas, result.icpa) if q is not None and q.note)
    return [*said, *result.diagnostics.get("notes", []), *dict.fromkeys(noted)]


def next_steps(result: Result, standing: Standing | None = None) -> list[str]:
    """What to do with the result, and with the test as it stands in the registry; ``None`` for a bare record."""
    if standing is not None and standing.waits:
        return standing.steps()
    steps = []
    if result.grade == "E":
        steps.append("Do not use the number. Mend what failed, or test again.")
    elif not found(result):
        steps.append(
            f"Do not read it as 'the ads do nothing': changes {interval(result.relative_lift, signed_share)} fit these "
            "data. Where that would change the decision, test longer, in more geos or with more spend: "
            "'theodolite experiments power' says what that takes."
        )
    elif result.incremental_outcome.estimate < 0:
        steps.append("Look for what else happened in the treated geos before believing that ads drive sales away.")
    if standing is None:
        steps += _as_evidence(result)
    else:
        first, *rest = standing.steps()
        steps += [first + (_null(result) if standing.state == "analysed" else ""), *rest]
    if result.spend.delta is None:
        steps.append(
            "Find out what was spent in the treated geos and what would have been: without it there is no iROAS."
        )
    if not result.experiment.preregistered:
        steps.append("Next time, write the plan down before the test starts: a locked plan is what an A needs.")
    return steps


def _as_evidence(result: Result) -> list[str]:
    """What to do with a result that no registry holds yet."""
    if result.grade == "E":
        return []
    if result.grade == "D":
        return ["Take it as a hint. Import it only with its grade; the model widens its error."]
    return [
        "Bring it into the model as evidence: save its record (--save), and give it to 'theodolite experiments "
        f"import'.{_null(result)}"
    ]


def _null(result: Result) -> str:
    return "" if found(result) or result.grade == "E" else " A result without an effect is evidence too."
