"""Experiments: every test by where it stands, the search for designs, and the way to record results."""

from collections.abc import Sequence

from measurement.typing import Json
from theodolite.app.blocks import Board, Card, Empty, Form, Part, View
from theodolite.app.blocks import Field as Entry
from theodolite.app.pages.ask import Ask, test_link
from theodolite.report.experiment_words import METHODS
from theodolite.report.page import Cell, ChartBlock, Column, TableBlock, Tone
from theodolite.report.words import NOTHING, number

LANES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Planned", ("draft", "in_review", "approved")),
    ("Running", ("running",)),
    ("Ended", ("completed", "analysed")),
    ("Evidence", ("accepted",)),
    ("Set aside", ("rejected", "cancelled", "superseded")),
)
TONES: dict[str, Tone] = {"completed": "caution", "analysed": "caution", "accepted": "good", "cancelled": "muted"}
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
    tests = ask.reading.tests()
    parts = [_board(tests), _calendar(ask), _table(tests)] if tests else [Part("start", blocks=(_none(),))]
    if ask.edits:
        parts += [_design(ask), _import()]
    return View("Experiments", "Lift tests, from the first draft to the evidence", tuple(parts))


def _none() -> Empty:
    words = (
        "A lift test changes the spend of a channel on purpose and measures what that does: the one evidence here that "
        "does not mistake demand for effect. Design one below, or record the result of one that was run elsewhere."
    )
    return Empty("No tests yet", words)


def _board(tests: Sequence[Json]) -> Part:
    lanes = tuple((title, tuple(_card(test) for test in tests if test["state"] in states)) for title, states in LANES)
    return Part("board", blocks=(Board(lanes),))


def _card(test: Json) -> Card:
    name, state = str(test["experiment_id"]), str(test["state"])
    grade = f", grade {test['grade']}" if test["grade"] else ""
    lines = (
        ", ".join(test["channel"]),
        f"{test['start_date']} to {test['read_out_end']}",
        f"{state_words(state)}{grade}",
    )
    return Card(name, test_link(name), lines, TONES.get(state, "plain"))


def state_words(state: str) -> str:
    """A state as people say it."""
    return state.replace("_", " ")


def _calendar(ask: Ask) -> Part:
    channels = {name for test in ask.reading.tests() for name in test["channel"]}
    chart = ChartBlock(
        ask.reading.study.registry.calendar().to_dict(validate=False),
        title="Every test over time",
        caption="By channel, coloured by state. Tests that overlap in time and markets disturb each other.",
        height=90 + 44 * len(channels),
        file="calendar.csv",
    )
    return Part("calendar", "Calendar", blocks=(chart,))


def _table(tests: Sequence[Json]) -> Part:
    columns = (
        Column("Test"),
        Column("Channel"),
        Column("State"),
        Column("Kind"),
        Column("From"),
        Column("To", "read-out included"),
        Column("Measured", numeric=True),
        Column("Error", "standard", True),
        Column("Grade"),
    )
    rows = tuple(
        (
            Cell(str(t["experiment_id"]), link=test_link(str(t["experiment_id"]))),
            Cell(", ".join(t["channel"])),
            Cell(state_words(str(t["state"])), tone=TONES.get(str(t["state"]), "plain")),
            Cell(METHODS[t["method"]]),
            Cell(str(t["start_date"])),
            Cell(str(t["read_out_end"])),
            _number(t["estimate"], str(t["estimand"] or "").replace("_", " ")),
            _number(t["std_error"], ""),
            Cell(str(t["grade"] or NOTHING)),
        )
        for t in tests
    )
    return Part("list", "Every test", blocks=(TableBlock(columns, rows, "", "tests.csv"),))


def _number(found: float | None, detail: str) -> Cell:
    return Cell(NOTHING, tone="muted") if found is None else Cell(number(found), detail=detail, value=found)


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
    form = Form(
        "/experiments/design", fields, "Search for designs", check="/experiments/design/check", more=more, key="design"
    )
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
    form = Form("/experiments/import", fields, "Record these tests", check="/experiments/import/check", key="import")
    return Part("import", "Record results", lead, (form,))
