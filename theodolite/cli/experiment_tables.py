"""Tests as text for people: an analysed test, a search of designs."""

from typing import TYPE_CHECKING

from theodolite.cli import output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from experiments import Result
    from experiments.geo.cells import CellResults
    from experiments.result import Quantity
    from theodolite.report.experiment import Dossier

PHASES = {"test": "test", "cooldown": "cool-down"}


def analysed(found: "Dossier") -> None:
    """One analysed test: the answer, the numbers, how sure, what to do next; then its other KPIs."""
    from experiments.charts import readable
    from theodolite.report import experiment_words as say
    from theodolite.report.page import plain

    results, about, standing = found.results, found.about, found.standing
    main = results[0]
    test = main.experiment
    output.say(f"{test.experiment_id}: {main.window[0]} to {main.window[1]}, {main.kpi}", "bold")
    output.say(plain(say.answer(main)))
    output.say(say.money_answer(main, about.currency, about.break_even))
    _numbers(main)
    output.say(f"p-value: {say.p_words(main.p_value)}. {say.chance(main)}")
    output.say(f"How: {readable(main.estimator)}; {main.inference}.")
    _estimators(main)
    _grade(main)
    if standing is not None and (other := standing.which_grade(main)):
        output.say(other, "yellow")
    if len(results) > 1:
        _other_kpis(results)
    output.say("What to do next:", "bold")
    for step in say.next_steps(main, standing):
        output.say(f"  - {step}")


def _numbers(result: "Result") -> None:
    from theodolite.report import experiment_words as say

    rows = [_row(f"brought by the ads, {result.kpi}", result.incremental_outcome)]
    rows.append(_row(f"change of {result.kpi}", result.outcome_change))
    if len(result.phases) > 1:
        rows += [_row(f"  in the {PHASES[phase]}", q) for phase, q in result.phases.items()]
    rows.append(_row("the same, relative", result.relative_lift, say.signed_share))
    rows.append(_row(f"the same, {result.average_effect.unit}", result.average_effect))
    for name, money in (("iROAS", result.iroas), ("cost per incremental", result.icpa)):
        if money is not None:
            rows.append(_row(f"{name}, {money.unit}", money, say.money_ratio))
    output.table(f"What came out ({say.level(result)})", ["quantity", "estimate", "low", "high"], rows)


def _row(name: str, q: "Quantity", form: "Callable[[float], str] | None" = None) -> list[str]:
    from theodolite.report import experiment_words as say

    write = form or say.signed
    return [name, write(q.estimate), write(q.low), write(q.high)]


def _estimators(result: "Result") -> None:
    from experiments.charts import readable
    from theodolite.report import experiment_words as say

    if not result.alternates:
        return
    rows = []
    for name, other in result.alternates.items():
        change = other["outcome_change"]
        p = other.get("p_value")
        ends = ["no end" if change[end] is None else say.signed(change[end]) for end in ("estimate", "low", "high")]
        rows.append([readable(name), *ends, "–" if p is None else say.p_words(p)])
    output.table(f"Other estimators: change of {result.kpi}", ["estimator", "estimate", "low", "high", "p"], rows)
    output.say(say.disagreement(result))


def _grade(result: "Result") -> None:
    from theodolite.report import experiment_words as say

    output.say(f"Grade {result.grade}: {say.GRADES[result.grade]}.", "bold")
    for caveat in say.caveats(result):
        output.say(f"  - {caveat}")


def _other_kpis(results: "Sequence[Result]") -> None:
    from theodolite.report import experiment_words as say

    rows = []
    for result in results:
        change, lift = result.outcome_change, result.relative_lift
        rows.append(
            [
                result.kpi,
                *(say.signed(v) for v in (change.estimate, change.low, change.high)),
                say.signed_share(lift.estimate),
                say.p_words(result.p_value),
            ]
        )
    output.table("Every KPI", ["KPI", "change", "low", "high", "relative", "p"], rows)
    if len(results) > 1:
        output.say("With several KPIs one of them stands out by chance more easily: decide by the first.")


def cells(found: "CellResults") -> None:
    """The cells of one test beside each other, and their differences."""
    from experiments.analysis import holm
    from theodolite.analysis import differences
    from theodolite.report import experiment_words as say

    results = found.results
    first = results[0]
    output.say(f"{first.experiment.cell_of}: {first.window[0]} to {first.window[1]}, {first.kpi}", "bold")
    adjusted = holm([result.p_value for result in results])
    rows = [
        [
            result.experiment.experiment_id,
            *(say.signed(getattr(result.outcome_change, end)) for end in ("estimate", "low", "high")),
            say.signed_share(result.relative_lift.estimate),
            say.p_words(p),
            result.grade,
        ]
        for result, p in zip(results, adjusted, strict=True)
    ]
    columns = ["cell", "change", "low", "high", "relative", "p, all cells", "grade"]
    output.table(f"Change of {first.kpi} by cell ({say.level(first)})", columns, rows)
    output.say("p, all cells: after Holm, so that all cells together err no more often than one would.")
    rows = [[names, *map(say.signed_share, ends)] for names, *ends in differences(found)]
    output.table("Differences of the relative changes (90 % interval)", ["cells", "difference", "low", "high"], rows)
    for result in results:
        for caveat in say.caveats(result):
            output.say(f"  - {result.experiment.experiment_id}: {caveat}")
