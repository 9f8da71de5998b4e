"""Experiments: every test by where it stands, the search for designs, and the way to record results."""

from datetime import date
from typing import Literal

from experiments import Experiment
from theodolite.app.blocks import Board, Card, Empty, Form, Part, View
from theodolite.app.blocks import Field as Entry
from theodolite.app.pages.ask import Ask, test_link
from theodolite.app.pages.overview import today
from theodolite.report.experiment_words import METHODS
from theodolite.report.page import Cell, Column, TableBlock
from theodolite.report.words import NOTHING, number

Stand = Literal["planned", "running", "to analyse", "measured"]
LANES: tuple[tuple[Stand, str], ...] = (
    ("planned", "Planned"),
    ("running", "Running"),
    ("to analyse", "Ended, to be analysed"),
    ("measured", "Measured"),
)
DIRECTIONS = (
    ("go_dark", "stop the channel"),
    ("heavy_up", "spend more"),
    ("holdout", "keep the ads out"),
    ("scale", "change it by a share"),
)
KINDS = (
    ("geo", "markets beside each other"),
    ("switchback", "on and off, block by block"),
    ("on_off", "on and off, everywhere"),
)


def view(ask: Ask) -> View:
    """The page."""
    tests = ask.reading.experiments()
    parts = [_board(tests)] if tests else [Part("start", blocks=(_none(ask),))]
    if ask.edits:
        parts += [_design(ask), _import()]
    if tests:
        parts.insert(1, _table(tests))
    return View("Experiments", "Lift tests: planned, running, measured", tuple(parts))


def _none(ask: Ask) -> Empty:
    words = (
        "A lift test changes the spend of a channel on purpose and measures what that does: the one evidence here that "
        "does not mistake demand for effect. Design one below, or record the result of one that was run elsewhere."
    )
    return Empty("No tests yet", words)


def stand(test: Experiment, now: date) -> Stand:
    """Where a test stands."""
    if test.has_result:
        return "measured"
    if now < test.start_date:
        return "planned"
    return "running" if now <= test.read_out_end else "to analyse"


def _board(tests: list[Experiment]) -> Part:
    now = today()
    lanes = tuple((title, tuple(_card(test, key) for test in tests if stand(test, now) == key)) for key, title in LANES)
    return Part("board", blocks=(Board(lanes),))


def _card(test: Experiment, where: Stand) -> Card:
    grade = (f"grade {test.grade}",) if test.grade else ()
    lines = (", ".join(test.channel), f"{test.start_date} to {test.read_out_end}", *grade)
    return Card(
        test.experiment_id, test_link(test.experiment_id), lines, "caution" if where == "to analyse" else "plain"
    )


def _table(tests: list[Experiment]) -> Part:
    columns = (
        Column("Test"),
        Column("Channel"),
        Column("Kind"),
        Column("From"),
        Column("To", "read-out included"),
        Column("Measured", numeric=True),
        Column("Error", "standard", True),
        Column("Grade"),
    )
    rows = tuple(
        (
            Cell(t.experiment_id, link=test_link(t.experiment_id)),
            Cell(", ".join(t.channel)),
            Cell(METHODS[t.method]),
            Cell(str(t.start_date)),
            Cell(str(t.read_out_end)),
            Cell(NOTHING if t.estimate is None else number(t.estimate), detail=_words(t.estimand), value=t.estimate),
            Cell(NOTHING if t.standard_error is None else number(t.standard_error), value=t.standard_error),
            Cell(t.grade or NOTHING),
        )
        for t in tests
    )
    return Part("list", "Every test", blocks=(TableBlock(columns, rows, "", "tests.csv"),))


def _words(estimand: str | None) -> str:
    return (estimand or "").replace("_", " ")


def _design(ask: Ask) -> Part:
    panel = ask.reading.panel
    period = f"{panel.period}s"
    fields = (
        Entry("channel", "Channel", "select", panel.channels[0], options=tuple((c, c) for c in panel.channels)),
        Entry("direction", "What is done", "select", "go_dark", options=DIRECTIONS),
        Entry("durations", "Lengths to compare", "text", "4,6,8", "with commas between", period, required=True),
        Entry("geos", "Treated markets", "text", "1:3", "fewest and most, as in 2:6", required=True),
    )
    more = (
        Entry("method", "Kind of test", "select", "geo", options=KINDS),
        Entry("cooldown", "Cool-down", "text", "", "read out after the spend is back", period),
        Entry("spend_change", "Change of spend", "text", "", "as a share: -1 stops it, 0.5 adds half"),
        Entry("budget", "Most money", "text", "", "extra spend, or what a cut may lose", panel.currency),
        Entry("iroas", "Expected iROAS", "text", "", "what the power is stated for; break-even otherwise"),
        Entry("must_include", "Treated for sure", "text", "", "markets, with commas between"),
        Entry("exclude", "Never treated", "text", "", "they may be controls"),
        Entry("power", "Wanted power", "text", "", "0.8 where left empty"),
        Entry("alpha", "Error rate", "text", "", "0.1 where left empty"),
        Entry("start", "First day", "date", "", "the day after the data otherwise"),
        Entry("name", "Name of the test", "text", ""),
    )
    lead = "The search compares sets of markets and lengths by what they can find and what they cost."
    form = Form("/experiments/design", fields, "Search for designs", check="/experiments/design/check", more=more)
    return Part("design", "Design a test", lead, (form,))


def _import() -> Part:
    example = (
        '[{"experiment_id": "tv-dark-2026", "channel": "tv", "method": "go_dark",\n'
        '  "treatment_geos": ["north"], "control_geos": ["south"],\n'
        '  "start_date": "2026-03-02", "end_date": "2026-03-29",\n'
        '  "estimand": "incremental_outcome", "estimate": 41000, "std_error": 9000, "spend_delta": -30000}]'
    )
    fields = (Entry("records", "Records", "textarea", "", f"A JSON list, for example\n{example}", required=True),)
    lead = "Results measured elsewhere, by a platform or an agency. All of them are taken, or none."
    form = Form("/experiments/import", fields, "Record these tests", check="/experiments/import/check")
    return Part("import", "Record results", lead, (form,))
