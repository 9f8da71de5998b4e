"""The fields of the forms in which a test is registered, or the result of one that was run elsewhere recorded."""

from collections.abc import Mapping

from experiments.records.experiment import ESTIMANDS, GRADES
from measurement import Panel
from theodolite.app.blocks import Field as Entry
from theodolite.plan_texts import quoted

KINDS = {
    "geo_holdout": "geo holdout: no ads in some markets",
    "go_dark": "go-dark: stopped in some markets",
    "heavy_up": "heavy-up: more in some markets",
    "scale": "scaled: by a share in some markets",
    "conversion_lift": "conversion lift, by the platform",
    "ghost_ads": "ghost ads, by the platform",
    "psa": "PSA: another ad in its place",
    "switchback": "switchback: on and off by a draw",
    "on_off": "on-off: on and off everywhere",
}
"""Kinds of tests as a select box on a telephone can show them."""
ESTIMAND_WORDS = {
    "outcome_change": "change of the KPI, with its sign",
    "incremental_outcome": "what the tested spend brought",
    "iroas": "iROAS: revenue per unit of spend",
    "icpa": "iCPA: spend per extra conversion",
    "relative_lift": "lift as a share: 0.05 is 5 %",
}
GRADE_WORDS = {
    "A": "A: randomised, all checks passed",
    "B": "B: checks passed, not all locked",
    "C": "C: one or two checks failed",
    "D": "D: more than two checks failed",
    "E": "E: a failure makes it unusable",
}
"""Grades, as short (`theodolite.report.experiment_words.GRADES` has them in full)."""


def options(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Names as choices to tick; their values can stand in a list with commas."""
    return tuple((quoted(name), name) for name in names)


def what(panel: Panel) -> tuple[Entry, ...]:
    """What is changed, where and when."""
    fields = [
        Entry("experiment_id", "Name of the test", help="short and its own, as in tv-dark-2026", required=True),
        Entry("method", "Kind of test", "select", "go_dark", options=tuple(KINDS.items())),
        Entry("start_date", "First day", "date", required=True),
        Entry("end_date", "Last day", "date", required=True),
        Entry("cooldown_end_date", "Last day of the cool-down", "date", help="left empty, there is none"),
        Entry("channel", "Channels that are moved", "choices", options=options(panel.channels)),
    ]
    if len(panel.geos) > 1:
        geos = options(panel.geos)
        fields += [
            Entry("treatment_geos", "Treated markets", "choices", options=geos),
            Entry("control_geos", "Control markets", "choices", help="none ticked: all others", options=geos),
        ]
    return tuple(fields)


def plan_fields(panel: Panel) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The fields of a plan, and those that few need."""
    money = panel.currency
    words = "over the treated markets; negative where spend is taken away"
    kpis = (("", f"{panel.kpi} (the study's)"), *((kpi, kpi) for kpi in sorted(panel.kpis) if kpi != panel.kpi))
    main = (
        *what(panel),
        Entry("spend_delta", "Planned change of spend", "number", "", words, money),
        Entry("hypothesis", "What is believed", "prose", "", "written down before anybody knows the answer"),
        Entry("decision_rule", "What will be done on which result", "prose"),
    )
    more = (
        Entry("title", "Title"),
        Entry("owner", "Whose test it is"),
        Entry("tags", "Tags", help="with commas between"),
        Entry("decision", "What it informs"),
        Entry("kpi", "KPI that decides", "select", options=kpis),
        Entry("estimator", "Estimator", help="of the analysis plan; the method's usual one where empty"),
        Entry("alpha", "Error rate", "number", "", "of the analysis plan; 0.1 where empty"),
        Entry("mde", "Smallest change it finds", "number", "", "as a share: 0.05 is 5 %"),
        Entry("power", "With which probability", "number", "", "0.8 is usual"),
        Entry("cost", "What it costs", "number", unit=money),
        Entry("counterfactual_spend", "Spend without the test", "number", "", "over the same days and markets", money),
        Entry("notes", "Notes", "prose"),
    )
    return main, more


def result_fields(panel: Panel) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The fields of a result that was measured elsewhere, and those that few need."""
    money = panel.currency
    yes = (("", "no"), ("true", "yes"))
    sign = "a change is against without the test: negative where a cut cost sales"
    estimands = tuple((name, ESTIMAND_WORDS[name]) for name in ESTIMANDS)
    main = (
        *what(panel),
        Entry("estimand", "What was measured", "select", "", sign, options=estimands),
        Entry("estimate", "Estimate", "number", required=True),
        Entry("std_error", "Standard error", "number", help="or both ends of the interval"),
        Entry("ci_lower", "Interval from", "number", help="90 % unless said otherwise below"),
        Entry("ci_upper", "Interval to", "number"),
        Entry("spend_delta", "Money moved", "number", "", "negative where spend was taken away", money, required=True),
        Entry("source", "Who measured it", help="the platform, the agency, the team"),
    )
    grades = (("", "by its checklist"), *((grade, GRADE_WORDS[grade]) for grade in GRADES))
    more = (
        Entry("ci_level", "Level of the interval", "number", help="0.9 where empty"),
        Entry("counterfactual_spend", "Spend without the test", "number", "", "over the same days and markets", money),
        Entry("grade", "Grade", "select", options=grades),
        Entry("preregistered", "Planned in advance", "select", options=yes),
        Entry("off_panel", "Run in another market or time than the data's", "select", options=yes),
        Entry("market_share", "Size of that market", "number", help="1 is as large as the whole panel"),
        Entry("placebo_sd", "Spread of placebo runs", "number", help="in the unit of the estimate"),
        Entry("notes", "Notes", "prose"),
    )
    return main, more


def entered(form: Mapping[str, str], entries: tuple[Entry, ...]) -> dict[str, str]:
    """What a form says of these fields."""
    return {entry.name: form[entry.name] for entry in entries if entry.name in form}
