"""The page of one experiment: what is asked, what was decided or found, where, when, how sure, and what made it."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np

from experiments import Experiment, Result, charts
from experiments.records import ON_USERS
from measurement.panel import Panel
from measurement.provenance import Provenance
from theodolite.report import experiment_design as planned
from theodolite.report import experiment_result as analysed
from theodolite.report import experiment_users as users
from theodolite.report import experiment_words as say
from theodolite.report.cells import joined, names
from theodolite.report.choice import Choice, Choices
from theodolite.report.page import (
    Block,
    Cell,
    ChartBlock,
    Column,
    Fold,
    Name,
    Page,
    Reader,
    Section,
    TableBlock,
    Text,
)
from theodolite.report.render import write_page
from theodolite.report.standing import Standing
from theodolite.report.words import NOTHING, count, percent

LEADS: dict[Reader, str] = {
    "decide": "what is asked, what came out, what to do",
    "understand": "which markets, when, and where the numbers come from",
    "check": "whether the test can be trusted, and what made this page",
}
PLAN_LEADS: dict[Reader, str] = LEADS | {
    "decide": "what is asked, what to do, what it costs",
    "check": "how the plan was made",
}


@dataclass(frozen=True, slots=True)
class About:
    """The study that an experiment belongs to.

    Attributes:
        study: Its name; empty for bare files.
        currency: Currency of all money.
        break_even: iROAS from which spend pays; ``None`` where no margin is known.
        head: Hash of the newest event of its store.
    """

    study: str = ""
    currency: str = "EUR"
    break_even: float | None = None
    head: str | None = None


@dataclass(frozen=True, eq=False)
class Dossier:
    """Everything the page of one experiment tells.

    Attributes:
        test: The record.
        panel: KPI and media by geo and period; ``None`` for a test on users.
        choices: What the planner can choose from, where the test was planned here.
        chosen: The choice that the record stands for.
        other_kpis: What the chosen markets can find in other KPIs.
        records: The records of the chosen test: one, or one for each cell.
        plan: What made the choices.
        results: The analysis by each KPI, the one that decides first; none where it is not analysed yet.
        about: The study it belongs to.
        standing: Where it stands in the study's registry; ``None`` for a bare record.
    """

    test: Experiment
    panel: Panel | None = None
    results: tuple[Result, ...] = ()
    choices: Choices | None = None
    chosen: Choice | None = None
    other_kpis: Mapping[str, Choice] = field(default_factory=dict)
    records: tuple[Experiment, ...] = ()
    plan: Provenance | None = None
    about: About = field(default_factory=About)
    standing: Standing | None = None

    @property
    def name(self) -> str:
        """Name of the test; of the whole test where it has several cells."""
        return (self.test.cell_of if len(self.records) > 1 else None) or self.test.experiment_id

    @property
    def treated(self) -> tuple[str, ...]:
        """Treated geos, of all cells."""
        return tuple(geo for test in self.records for geo in test.treatment_geos) or self.test.treatment_geos

    @property
    def planned(self) -> tuple[Choices, Choice]:
        """The choices and the chosen one, of a dossier that plans a test."""
        if self.choices is None or self.chosen is None:
            raise ValueError("this dossier holds no plan")
        return self.choices, self.chosen

    @property
    def result(self) -> Result | None:
        """The analysis of the KPI that decides."""
        return self.results[0] if self.results else None


def compose(found: Dossier) -> Page:
    """The page of one experiment."""
    made_by = None
    sections = [_question(found)]
    if found.result is not None:
        about = found.about
        sections.append(analysed.result_section(found.result, about.currency, about.break_even, found.standing))
    if found.choices is not None and found.chosen is not None:
        sections.append(planned.recommendation_section(found.choices, found.chosen))
    if found.panel is not None and found.test.treatment_geos and found.test.method not in say.SCHEDULED:
        sections.append(_markets(found, found.panel))
    sections.append(_calendar(found))
    if found.choices is not None and found.chosen is not None:
        sections.append(planned.power_section(found.chosen, found.other_kpis))
        sections.append(planned.choices_section(found.choices, found.chosen))
        sections.append(planned.method_section(found.chosen, found.panel))
        made_by = found.plan
    if found.result is not None:
        sections += _analysed(found, found.result)
        made_by = found.result.provenance
    if made_by is not None:
        sections.append(_provenance(found, made_by))
    return Page(
        title=(Name(found.name),),
        subtitle=_subtitle(found),
        sections=tuple(sections),
        notice=_notice(found.result),
        meta={} if made_by is None else _meta(found, made_by),
        leads=LEADS if found.result is not None else PLAN_LEADS,
    )


def _analysed(found: Dossier, result: Result) -> list[Section]:
    """The course of the test, how sure its result is, the checks and how it was computed."""
    sections = [analysed.course_section(result)] if result.periods else []
    if "arms" in result.diagnostics:
        sections.append(users.arms_section(result))
    sections.append(analysed.sure_section(result))
    if len(found.results) > 1:
        sections.append(analysed.kpis_section(found.results))
    checks = analysed.checks_section(result, found.standing)
    return [*sections, checks, analysed.method_section(result, found.about.currency)]


def write(found: Dossier, target: Path) -> Path:
    """Write the page; one HTML file that holds everything and works offline.

    Raises:
        DataError: Where the file cannot be written.
    """
    return write_page(compose(found), target)


def file_name(experiment_id: str) -> str:
    """A file name for the page of a test, whatever its id holds."""
    kept = re.sub(r"[^A-Za-z0-9_-]+", "-", experiment_id).strip("-")[:60]
    if kept and kept == experiment_id:
        return f"{kept}.html"
    return f"{kept or 'test'}-{hashlib.sha256(experiment_id.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.html"


def _subtitle(found: Dossier) -> Text:
    test = found.test
    study: Text = (Name(found.about.study), " · ") if found.about.study else ""
    return joined(
        study, f"{say.METHODS[test.method]} of ", names(test.channel), f" · {test.start_date} to {test.read_out_end}"
    )


def _notice(result: Result | None) -> Text:
    if result is None or result.grade != "E":
        return ""
    failed = "; ".join(check.text for check in result.checks if check.hard and not check.passed)
    return f"This test failed a check that makes it unusable: {failed}."


def _question(found: Dossier) -> Section:
    test = found.test
    kpi = test.kpi or (found.panel.kpi if found.panel else "the KPI")
    kpi = found.result.kpi if found.result else found.chosen.cost.kpi if found.chosen else kpi
    lead = joined("What does ", names(test.channel), " bring: how much of ", (Name(kpi),), " would be lost without it?")
    rows = [
        (Cell("Channel"), Cell(", ".join(test.channel))),
        (Cell("What is changed"), Cell(_changed(found))),
        (Cell("KPI"), Cell(kpi)),
        (Cell("How it was drawn"), Cell(_assigned(test))),
        (Cell("Locked plan"), Cell("yes, before the test began" if test.preregistered else "none on record")),
    ]
    if found.standing is not None:
        rows.append((Cell("In the registry"), Cell(found.standing.in_short())))
    if test.notes:
        rows.append((Cell("Notes"), Cell(test.notes)))
    table = TableBlock((Column("What"), Column("In this test", wide=True)), tuple(rows))
    return Section("question", "The question", "decide", lead=lead, blocks=(table,))


def _changed(found: Dossier) -> str:
    test = found.test
    how = {
        "go_dark": "its spend stops in the treated geos",
        "heavy_up": "its spend is raised in the treated geos",
        "geo_holdout": "the treated and the control geos differ in whether the ads run",
        "scale": "its spend is scaled in the treated geos",
        "switchback": "it is switched on and off, block by block, by lot",
        "on_off": "it is switched on and off in the whole market",
        "conversion_lift": "a random part of the users is kept from its ads",
        "ghost_ads": "a random part of the users is kept from its ads, and would-be exposures are logged",
        "psa": "a random part of the users sees a public-service ad in its place",
    }[test.method]
    moved = (
        "" if test.spend_delta is None else f"; change of spend: {say.signed(test.spend_delta)} {found.about.currency}"
    )
    return how + moved


def _assigned(test: Experiment) -> str:
    drawn = test.assignment
    seed = "" if drawn is None or drawn.seed is None else f" (seed {drawn.seed})"
    if test.method in ON_USERS:
        planned = "" if test.allocation is None else f", {percent(test.allocation)} of them into treatment"
        return f"user by user{planned}{seed}"
    if test.method in say.SCHEDULED:
        rules = {"pairs": "of every two neighbouring blocks one is on, by lot", "uniform": "half of the blocks, by lot"}
        return (rules.get(drawn.rule, "by lot") if drawn else "no lot on record") + seed
    if drawn is None:
        return "geos by lot within pairs" if test.pairs else "no lot on record"
    many = count(len(drawn.candidates), "set")
    rules = {
        "uniform": "geos by lot, every set of as many alike",
        "near_best": f"geos by lot among {many} of nearly the same quality",
        "pairs": "geos by lot within pairs",
    }
    return rules[drawn.rule] + seed


def _markets(found: Dossier, panel: Panel) -> Section:
    test = found.test
    panel = panel.with_kpi(test.kpi) if test.kpi else panel
    control = test.control_geos or tuple(geo for geo in panel.geos if geo not in set(found.treated))
    before = panel.dates < np.datetime64(test.start_date, "D")
    history = panel.outcome[:, before]
    total = float(history.sum())
    mine = float(history[panel.geo_index(found.treated)].sum())
    share = mine / total if total else float("nan")
    lead = joined(
        f"{count(len(found.treated), 'treated geo')} with {percent(share, 1)} of ",
        (Name(panel.kpi),),
        f" before the test, against {count(len(control), 'control geo')}.",
    )
    chart = ChartBlock(
        charts.markets(panel, found.treated, control).to_dict(validate=False),
        title="Treated and control geos, as they are",
        caption="Each group as an index of its own mean, nothing estimated yet. The nearer the two lines move before "
        "the test, the better the controls can stand in.",
        height=240,
        file="markets.csv",
    )
    blocks: list[Block] = [_geo_table(found, panel, history, total), chart]
    rest = ", ".join(control)
    listed = TableBlock((Column("Control geos", wide=True),), ((Cell(rest),),))
    blocks.append(Fold("The control geos by name", (listed,)))
    return Section("markets", "The markets", "understand", lead=lead, blocks=tuple(blocks))


def _geo_table(found: Dossier, panel: Panel, history: np.ndarray, total: float) -> TableBlock:
    columns = (
        Column("Treated geo"),
        Column(panel.kpi, f"a {panel.period}, before the test", True),
        Column("Share", f"of all {panel.kpi}", True),
    )
    rows = []
    for geo, row in zip(found.treated, panel.geo_index(found.treated), strict=True):
        mean = float(history[row].mean()) if history.size else float("nan")
        part = float(history[row].sum()) / total if total else float("nan")
        rows.append((Cell(geo), Cell(say.amount(mean), value=mean), Cell(percent(part, 1), value=part)))
    return TableBlock(columns, tuple(rows), "", "treated-geos.csv")


def _calendar(found: Dossier) -> Section:
    test, panel = found.test, found.panel
    rows = []
    if panel is not None and panel.dates[0] < np.datetime64(test.start_date, "D"):
        eve = str(test.start_date - timedelta(days=1))
        rows.append(("Before", str(panel.dates[0]), eve, "what the comparison is learned from"))
    rows.append(("Test", str(test.start_date), str(test.end_date), "spend is changed"))
    if test.cooldown_end_date:
        back = str(test.end_date + timedelta(days=1))
        rows.append(("Cool-down", back, str(test.cooldown_end_date), "spend is back; late effects still count"))
    cells = tuple(tuple(Cell(text) for text in row) for row in rows)
    columns = (Column("Phase"), Column("From"), Column("To"), Column("What happens", wide=True))
    blocks: list[Block] = [TableBlock(columns, cells, "", "calendar.csv")]
    if test.schedule:
        blocks.append(
            ChartBlock(
                charts.schedule(test).to_dict(validate=False),
                title="When it is on and off",
                caption="Drawn by lot before the test.",
                height=90 + 24 * len({block.geo for block in test.schedule}),
                file="schedule.csv",
            )
        )
    days = (test.end_date - test.start_date).days + 1
    blocks_of = f" in {count(len(test.schedule), 'block')}, on and off" if test.schedule else ""
    blocks_of = " of changed spend" if test.treatment_geos and not test.schedule else blocks_of
    lead = f"{count(days, 'day')}{blocks_of}"
    if test.cooldown_end_date:
        lead += f", then {count((test.cooldown_end_date - test.end_date).days, 'day')} of cool-down"
    return Section("calendar", "The calendar", "understand", lead=f"{lead}.", blocks=tuple(blocks))


def _provenance(found: Dossier, made_by: Provenance) -> Section:
    rows = tuple((Cell(label), Cell(value)) for label, value in _meta(found, made_by).items())
    lead = "The same data, design, settings and seed give the same numbers. These are the fingerprints to compare."
    table = TableBlock((Column("What"), Column("Value", wide=True)), rows)
    return Section("provenance", "What made this page", "check", lead=lead, blocks=(table,))


def _meta(found: Dossier, made_by: Provenance) -> dict[str, str]:
    versions = ", ".join(f"{name} {version}" for name, version in made_by.versions.items())
    return {
        "Data": made_by.data,
        "Settings": made_by.sha256,
        "Seed": NOTHING if made_by.seed is None else str(made_by.seed),
        "Versions": versions,
        **({"Store": found.about.head} if found.about.head else {}),
    }
