"""Experiments: every test, as a board by where it stands, as a list, or as a calendar."""

from collections.abc import Sequence

from measurement.errors import DataError, did_you_mean
from measurement.errors import shown as say
from measurement.typing import Json
from theodolite.app.blocks import Board, Button, Card, Choice, Empty, Part, View
from theodolite.app.desk import TESTS
from theodolite.app.pages.ask import Ask, kept_parts, link, test_link, today
from theodolite.report.experiment_words import METHODS
from theodolite.report.page import Cell, ChartBlock, Column, Name, Prose, TableBlock, Text, Tone
from theodolite.report.words import NOTHING, number

LANES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Planned", ("draft", "in_review", "approved")),
    ("Running", ("running",)),
    ("Ended", ("completed", "analysed")),
    ("Evidence", ("accepted",)),
    ("Set aside", ("rejected", "cancelled", "superseded")),
)
TONES: dict[str, Tone] = {"completed": "caution", "analysed": "caution", "accepted": "good", "cancelled": "muted"}


MEASURED = {"iroas": "iROAS", "icpa": "iCPA", "relative_lift": "lift, as a share"}
SHOWN: tuple[tuple[str, str], ...] = (("board", "Board"), ("list", "List"), ("calendar", "Calendar"))
WAYS = (
    Button("Design a test", "/experiments/design", strong=True),
    Button("Register a test", "/experiments/register"),
    Button("Record a result", "/experiments/record"),
)


def view(ask: Ask) -> View:
    """The page."""
    title, subtitle = "Experiments", "Lift tests, from the first draft to the evidence"
    tests = ask.reading.tests()
    if not tests:
        return View(title, subtitle, (Part("start", blocks=(_none(WAYS if ask.edits else ()),)),))
    shown = ask.query.get("show", SHOWN[0][0])
    links = tuple((label, link("/experiments", show=name), name == shown) for name, label in SHOWN)
    parts = [Part("choice", blocks=(Choice("How the tests are shown", links),))]
    match shown:
        case "list":
            parts += [_table(tests, ask.reading.config.study.kpi), _drawer(ask)]
        case "calendar":
            version = (*ask.reading.since(*TESTS), today())
            parts += kept_parts(ask, "calendar", version, lambda: (_calendar(ask),))
        case "board":
            parts.append(_board(tests))
        case _:
            known = [name for name, _ in SHOWN]
            raise DataError(f"show: found '{say(shown)}'{did_you_mean(shown, known)}; there are {', '.join(known)}")
    return View(title, subtitle, tuple(parts), actions=WAYS if ask.edits else ())


def _none(ways: tuple[Button, ...]) -> Empty:
    words = (
        "A lift test changes the spend of a channel on purpose and measures what that does: the one evidence here that "
        "does not mistake demand for effect. Design one, register your own plan, or record one that was run elsewhere."
    )
    return Empty("No tests yet", words, ways)


def _board(tests: Sequence[Json]) -> Part:
    lanes = tuple((title, tuple(_card(test) for test in tests if test["state"] in states)) for title, states in LANES)
    return Part("board", blocks=(Board(lanes),))


def _card(test: Json) -> Card:
    name, state = str(test["experiment_id"]), str(test["state"])
    grade = f", grade {test['grade']}" if test["grade"] else ""
    lines: tuple[Text, ...] = (
        ", ".join(test["channel"]),
        (Name(str(test["start_date"])), " to ", Name(str(test["read_out_end"]))),
        f"{state_words(state)}{grade}",
    )
    return Card(name, test_link(name), lines, TONES.get(state, "plain"))


def state_words(state: str) -> str:
    """A state as people say it."""
    return state.replace("_", " ")


def _calendar(ask: Ask) -> Part:
    channels = {name for test in ask.reading.tests() for name in test["channel"]}
    chart = ChartBlock(
        ask.reading.registry.calendar().to_dict(validate=False) | {"width": "container"},
        title="Every test over time",
        caption="By channel, coloured by state. Tests that overlap in time and markets disturb each other.",
        height=90 + 44 * len(channels),
        file="calendar.csv",
        least=720,
    )
    return Part("calendar", blocks=(chart,))


def _table(tests: Sequence[Json], kpi: str) -> Part:
    measured = MEASURED | {"outcome_change": f"change of {kpi}", "incremental_outcome": f"extra {kpi}"}
    columns = (
        Column("Test"),
        Column("Channel"),
        Column("State"),
        Column("When", "read-out included"),
        Column("Measured", numeric=True),
        Column("Standard error", numeric=True),
        Column("Grade"),
        Column("Planned by"),
    )
    rows = tuple(
        (
            Cell(str(t["experiment_id"]), str(t["title"]), link=test_link(str(t["experiment_id"]))),
            Cell(", ".join(t["channel"]), METHODS[t["method"]]),
            Cell(state_words(str(t["state"])), tone=TONES.get(str(t["state"]), "plain")),
            Cell(str(t["start_date"]), f"to {t['read_out_end']}"),
            _number(t["estimate"], measured.get(str(t["estimand"]), "")),
            _number(t["std_error"], ""),
            Cell(str(t["grade"])) if t["grade"] else Cell(NOTHING, tone="muted"),
            Cell(str(t["owner"] or t["registered_by"] or NOTHING)),
        )
        for t in tests
    )
    return Part("list", blocks=(TableBlock(columns, rows, "", "tests.csv"),))


def _drawer(ask: Ask) -> Part:
    """Per channel what became of its tests: results that nobody reads out make the others look too good."""
    found = ask.reading.registry.file_drawer()
    counts = {
        "registered": "Registered",
        "read_out": "Read out",
        "positive": "Positive",
        "null": "Not clear",
        "negative": "Negative",
        "cancelled": "Given up",
        "overdue": "Overdue",
        "elsewhere": "Elsewhere",
    }
    columns = (Column("Channel"), *(Column(title, numeric=True) for title in counts.values()))
    rows = tuple(
        (Cell(each.channel), *(Cell(str(value := getattr(each, name)), value=value) for name in counts))
        for each in found
    )
    warnings = tuple((Name(each.channel), f": {each.warning}.") for each in found if each.warning)
    lead = "Every test counts from its registration on, so that those without a result are not forgotten."
    blocks = (*((Prose(warnings, "caution"),) if warnings else ()), TableBlock(columns, rows, "", "what-became.csv"))
    return Part("drawer", "What became of the tests", lead, blocks)


def _number(found: float | None, detail: str) -> Cell:
    return Cell(NOTHING, tone="muted") if found is None else Cell(number(found), detail=detail, value=found)
