"""An analysed test on its page: the result, the course of it, how sure it is, the checks and how it was computed."""

import math
from collections.abc import Sequence

from experiments import Result, charts
from experiments.grade import Check
from experiments.result import Quantity
from measurement.typing import Json
from theodolite.report import experiment_words as say
from theodolite.report.page import (
    Block,
    Cell,
    ChartBlock,
    Column,
    Fact,
    Facts,
    Fold,
    Heading,
    Points,
    Prose,
    Range,
    Section,
    TableBlock,
    Tone,
)
from theodolite.report.standing import Line, Standing
from theodolite.report.words import NOTHING, money, number, percent, ratio

TONES: dict[str, Tone] = {"A": "good", "B": "good", "C": "plain", "D": "caution", "E": "caution"}
MOST_WEIGHTS = 12


def result_section(
    result: Result, currency: str, break_even: float | None, standing: Standing | None = None
) -> Section:
    """What came out, in a sentence and five figures, which grade counts, and what to do with it."""
    level = say.level(result)
    brought, lift = result.incremental_outcome, result.relative_lift
    other = "" if standing is None else standing.which_grade(result)
    tone = "muted" if other else TONES[result.grade]
    facts = [
        Fact("Brought by the ads", say.amount(brought.estimate), f"{result.kpi}; {level} {_ends(brought)}"),
        Fact(
            f"Change of {result.kpi}",
            say.signed_share(lift.estimate),
            f"{level} {say.interval(lift, say.signed_share)}",
        ),
        _return(result, currency, break_even),
        Fact(
            "p-value",
            say.p_words(result.p_value),
            f"how often chance alone would look like this; below {result.alpha:g} counts as found",
            "good" if say.found(result) else "plain",
        ),
        Fact("Grade of this analysis" if other else "Grade", result.grade, say.GRADES[result.grade], tone),
    ]
    blocks: list[Block] = [Facts(tuple(facts)), Prose((say.money_answer(result, currency, break_even),))]
    if other:
        blocks.append(Prose((other,), "caution"))
    blocks += [Heading("What to do next"), Points(tuple(say.next_steps(result, standing)))]
    return Section("result", "What came out", "decide", lead=say.answer(result), blocks=tuple(blocks))


def _return(result: Result, currency: str, break_even: float | None) -> Fact:
    q = result.iroas
    if q is None:
        return Fact("Return (iROAS)", NOTHING, "the change of spend is not known", "muted")
    pays = None if break_even is None else q.low > break_even
    tone: Tone = "plain" if not pays else "good"
    rest = f"; break-even {ratio(break_even)}" if break_even is not None else ""
    detail = f"{currency} per {currency}; {say.level(result)} {say.interval(q, say.money_ratio)}{rest}"
    return Fact("Return (iROAS)", ratio(q.estimate), detail, tone)


def _ends(q: Quantity) -> str:
    return say.interval(q, say.amount)


def course_section(result: Result) -> Section:
    """The test over time: fit, effect by period, effect so far."""
    blocks: list[Block] = []
    pre = result.diagnostics.get("pre_mape")
    if result.pre_periods:
        blocks.append(
            _chart(
                charts.fit(result).to_dict(validate=False),
                "What was sold, and what would have been sold without the test",
                f"{_before(result)} In the shaded window their distance is the effect; the band is its "
                f"{_level(result)} by period.",
                280,
                "fit.csv",
            )
        )
    blocks.append(
        _chart(
            charts.gap(result).to_dict(validate=False),
            "The change, period by period",
            f"Observed minus estimated. Before the test it should stay near zero. Bars: {_level(result)} of each "
            "period alone.",
            200,
            "change.csv",
        )
    )
    blocks.append(
        _chart(
            charts.cumulative(result).to_dict(validate=False),
            "The change added up",
            "Since the first day of the test; the last point is the result." + _late(result),
            200,
            "cumulative.csv",
        )
    )
    blocks.append(Fold("Every period in numbers", (_periods_table(result),)))
    lead = "The treated geos against a mix of control geos that moved as they did before the test."
    if result.experiment.method in say.SCHEDULED:
        lead = "The periods with the ads on against those without, as the schedule drew them."
    if pre is not None:
        lead += f" Before the test it missed them by {percent(pre, 1)} on average."
    return Section("course", "How it went", "understand", lead=lead, blocks=tuple(blocks))


def _late(result: Result) -> str:
    if result.experiment.cooldown_end_date is None:
        return ""
    return " In the cool-down spend is back to usual, and what advertising leaves behind still counts."


def _before(result: Result) -> str:
    if result.experiment.method in say.SCHEDULED:
        return "Before the test the two lines should lie on each other."
    return (
        "Before the test the two lines should lie on each other: that is how well the controls stand in for the "
        "treated geos."
    )


def _level(result: Result) -> str:
    return say.level(result)


def _chart(spec: Json, title: str, caption: str, height: int, file: str) -> ChartBlock:
    return ChartBlock(spec, title=title, caption=caption, height=height, file=file)


def _periods_table(result: Result) -> TableBlock:
    unit = result.kpi
    columns = (
        Column("From"),
        Column("Phase"),
        Column("Observed", unit, True),
        Column("Without the test", unit, True),
        Column("Change", unit, True),
        Column("Low", unit, True),
        Column("High", unit, True),
        Column("Change so far", unit, True),
    )
    rows = tuple(
        (
            Cell(period.day.isoformat()),
            Cell("cool-down" if period.phase == "cooldown" else period.phase),
            *(_number(v) for v in (period.observed, period.counterfactual, period.effect)),
            *(_number(v) for v in (period.low, period.high, period.cumulative)),
        )
        for period in result.periods
    )
    return TableBlock(columns, rows, "", "periods.csv")


def _number(value: float | None) -> Cell:
    return Cell(NOTHING, tone="muted") if value is None else Cell(say.amount(value), value=value)


def sure_section(result: Result) -> Section:
    """How sure the result is: the reference distribution and the other estimators."""
    blocks: list[Block] = []
    if result.placebo_effects.size:
        blocks.append(
            _chart(
                charts.placebos(result).to_dict(validate=False),
                "This test among draws that might have been",
                f"{_draws(result)} The further out this test stands, the less chance explains it.",
                230,
                "placebos.csv",
            )
        )
    blocks.append(
        _chart(
            charts.estimators(result).to_dict(validate=False),
            "The same test by every estimator",
            f"The first one counts; it was chosen before seeing the result. {say.disagreement(result)}",
            70 + 30 * (1 + len(result.alternates)),
            "estimators.csv",
        )
    )
    blocks.append(Fold("Every estimator in numbers", (_estimators_table(result),)))
    return Section("sure", "How sure is it?", "understand", lead=say.chance(result), blocks=tuple(blocks))


def _draws(result: Result) -> str:
    size = result.placebo_effects.size
    if result.experiment.method in say.SCHEDULED:
        return f"Each bar counts schedules that the lot might have drawn instead ({size} in all)."
    return (
        f"Each bar counts sets of geos that might have been treated instead ({size} in all), with this test's effect "
        "taken out. p-value and interval also weigh how well each set was fitted before the test."
    )


def _estimators_table(result: Result) -> TableBlock:
    frame = charts.estimates(result)
    low, high = float(frame["low"].min()), float(frame["high"].max())
    columns = (
        Column("Estimator"),
        Column(f"Change of {result.kpi}", say.level(result), True, (min(low, 0.0), max(high, 0.0)), 0.0),
        Column("p-value", numeric=True),
        Column("Inference", wide=True),
    )
    rows = [_estimator_row(charts.readable(result.estimator), result.outcome_change, result.p_value, result.inference)]
    for name, other in result.alternates.items():
        q = other["outcome_change"]
        low_end, high_end = (q["low"], q["high"])
        quantity = Quantity(
            q["estimate"],
            q["std_error"] or math.inf,
            -math.inf if low_end is None else low_end,
            math.inf if high_end is None else high_end,
            result.kpi,
        )
        rows.append(_estimator_row(charts.readable(name), quantity, other.get("p_value"), other.get("inference", "")))
    return TableBlock(columns, tuple(rows), "", "estimators-table.csv")


def _estimator_row(name: str, q: Quantity, p: float | None, how: str) -> tuple[Cell, ...]:
    return (
        Cell(name),
        Cell(say.signed(q.estimate), say.interval(q), value=q.estimate, range=_range(q)),
        Cell(NOTHING) if p is None else Cell(say.p_words(p), value=p),
        Cell(how),
    )


def _range(q: Quantity) -> Range | None:
    known = math.isfinite(q.low) and math.isfinite(q.high)
    return Range(q.low, q.estimate, q.high) if known else None


def kpis_section(results: Sequence[Result]) -> Section:
    """The same test on its other KPIs."""
    columns = (
        Column("KPI"),
        Column("Change", "over the read-out", True),
        Column("Relative", "to what it would have been", True),
        Column("p-value", numeric=True),
        Column("Grade"),
    )
    rows = tuple(
        (
            Cell(r.kpi),
            Cell(say.signed(r.outcome_change.estimate), _ends(r.outcome_change), value=r.outcome_change.estimate),
            Cell(
                say.signed_share(r.relative_lift.estimate),
                say.interval(r.relative_lift, say.signed_share),
                value=r.relative_lift.estimate,
            ),
            Cell(say.p_words(r.p_value), value=r.p_value),
            Cell(r.grade),
        )
        for r in results
    )
    lead = "With several KPIs one of them stands out by chance more easily: the first one decides."
    return Section("kpis", "Every KPI", "understand", lead=lead, blocks=(TableBlock(columns, rows, "", "kpis.csv"),))


def checks_section(result: Result, standing: Standing | None = None) -> Section:
    """The checklist behind the grade; behind the one that counts too, where that is another one."""
    blocks: list[Block] = [_checklist(result.checks, "checks.csv")]
    if notes := result.diagnostics.get("notes"):
        blocks += [Heading("Noted on the way"), Points(tuple(notes))]
    failed = [check.name for check in result.checks if not check.passed]
    lead = f"Grade {result.grade}: {say.GRADES[result.grade]}."
    if failed:
        lead += f" Not passed: {', '.join(failed)}."
    if standing is not None and (other := standing.which_grade(result)):
        lead = other
        blocks += _registry_checks(standing)
    return Section("checks", "Checks and grade", "check", lead=lead, blocks=tuple(blocks))


def _checklist(checks: Sequence[Check | Line], file: str) -> TableBlock:
    rows = tuple(
        (
            Cell(check.name),
            Cell("passed" if check.passed else "failed", tone="good" if check.passed else "caution"),
            Cell(check.text),
        )
        for check in checks
    )
    return TableBlock((Column("Check"), Column("Outcome"), Column("What was seen", wide=True)), rows, "", file)


def _registry_checks(standing: Standing) -> list[Block]:
    """The registry's checklist; nothing of a test that was measured elsewhere."""
    if not standing.checks:
        return []
    table = _checklist(standing.checks, "registry-checks.csv")
    return [Heading(f"What the registry checks as well: grade {standing.computed or standing.grade}"), table]


def method_section(result: Result, currency: str) -> Section:
    """How it was computed, and what it rests on."""
    d = result.diagnostics
    facts = [
        ("Estimator", charts.readable(result.estimator)),
        ("Inference", result.inference),
        ("Level", say.level(result)),
        ("Change of spend", _spend(result, currency)),
        ("Periods before the test", d.get("pre_periods")),
        ("Periods read out", d.get("read_out_periods")),
        ("Treated geos", d.get("treated_geos")),
        ("Control geos", d.get("control_geos")),
        ("Fit before the test, R²", f"{d['pre_r2']:.3f}" if "pre_r2" in d else None),
        ("Typical miss before the test", percent(d["pre_mape"], 1) if "pre_mape" in d else None),
        ("Day of the week", "a weekly pattern was found" if d.get("weekly_pattern") else None),
    ]
    rows = tuple((Cell(label), Cell(str(value))) for label, value in facts if value is not None)
    blocks: list[Block] = [TableBlock((Column("What"), Column("Value", wide=True)), rows, "", "method.csv")]
    if weights := d.get("weights"):
        blocks.append(Fold("Which control geos stand in for the treated ones", (_weights(weights),)))
    lead = "Enough to repeat it, and to see where it could be wrong."
    return Section("method", "How it was computed", "check", lead=lead, blocks=tuple(blocks))


def _spend(result: Result, currency: str) -> str:
    spend = result.spend
    if spend.delta is None:
        return "unknown"
    where = {"record": "from the record", "panel": "worked out from the media table"}.get(spend.source, spend.source)
    return f"{money(spend.delta, currency)}, {where}"


def _weights(weights: Json) -> TableBlock:
    shown = sorted(weights.items(), key=lambda pair: -pair[1])[:MOST_WEIGHTS]
    rows = [(Cell(geo), Cell(percent(weight, 1), value=weight)) for geo, weight in shown]
    left = len(weights) - len(shown)
    caption = f"{number(left)} more with smaller weights." if left > 0 else ""
    return TableBlock((Column("Control geo"), Column("Weight", numeric=True)), tuple(rows), caption, "weights.csv")
