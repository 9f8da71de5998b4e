"""Data: the files and their hashes, what the checks found, when each channel spent, and the store."""

from collections.abc import Iterator
from datetime import UTC, datetime

from measurement import Panel
from measurement.errors import DataError
from measurement.model_frames import spend_calendar
from theodolite.app.blocks import Part, View
from theodolite.app.pages.ask import Ask, kept_parts
from theodolite.data_files import DataFile, data_files
from theodolite.report.check import calendar, data_blocks
from theodolite.report.page import Cell, Column, Fact, Facts, TableBlock
from theodolite.report.words import NOTHING, count, number


def view(ask: Ask) -> View:
    """The page."""
    try:
        panel = ask.reading.panel
    except DataError:  # the checks say what is wrong
        panel = None
    parts = (_panel(panel), _checks(ask, panel), _files(ask), _store(ask))
    return View("Data", "What the study reads, and what was found about it", parts)


def _panel(panel: Panel | None) -> Part:
    if panel is None:
        return Part("panel", "The panel", "The tables cannot be read yet: see what the checks found.")
    facts = Facts(
        (
            Fact("Window", f"{panel.dates[0]} to {panel.dates[-1]}", count(len(panel.dates), panel.period)),
            Fact("Markets", str(len(panel.geos)), "" if len(panel.geos) > 1 else "a national study"),
            Fact("Channels", str(len(panel.channels)), ", ".join(panel.channels)),
            Fact("KPI", panel.kpi, f"{number(float(panel.outcome.sum()))} in all"),
        )
    )
    return Part("panel", "The panel", blocks=(facts,))


def _checks(ask: Ask, panel: Panel | None) -> Part:
    lead, blocks = data_blocks(ask.reading.check())
    if panel is None:
        return Part("checks", "Are the data sound?", lead, blocks)

    def when() -> Iterator[Part]:
        yield Part("calendar", blocks=(calendar(spend_calendar(panel), panel.currency),))

    (chart,) = kept_parts(ask, "spend calendar", ask.reading.data, when)
    return Part("checks", "Are the data sound?", lead, (*blocks, *chart.blocks))


def _files(ask: Ask) -> Part:
    reading = ask.reading
    found = reading.kept("files", reading.data, lambda: data_files(reading.study.folder, reading.config))
    columns = (
        Column("Table"),
        Column("File"),
        Column("Size", numeric=True),
        Column("Changed", "UTC"),
        Column("SHA-256", wide=True),
    )
    table = TableBlock(columns, tuple(map(_file, found)), "Paths are relative to theodolite.toml.", "files.csv")
    return Part("files", "Files", "The hash of a file's bytes changes whenever anything in it does.", (table,))


def _file(found: DataFile) -> tuple[Cell, ...]:
    if found.size is None:
        return (Cell(found.table), Cell(found.name), Cell("not there", tone="caution"), Cell(NOTHING), Cell(NOTHING))
    changed = datetime.fromtimestamp(found.modified or 0, UTC).strftime("%Y-%m-%d %H:%M")
    size = f"{number(found.size / 1024)} KiB"
    return (
        Cell(found.table),
        Cell(found.name),
        Cell(size, value=found.size),
        Cell(changed),
        Cell(found.sha256 or NOTHING),
    )


def _store(ask: Ask) -> Part:
    events = ask.reading.events
    title = "The store"
    if not events:
        return Part("store", title, "Nothing was written to it yet.")
    columns = (
        Column("#", numeric=True),
        Column("When", "UTC"),
        Column("What"),
        Column("Of"),
        Column("Who"),
        Column("Hash"),
    )
    rows = tuple(
        (
            Cell(str(e.sequence), value=e.sequence),
            Cell(e.at[:19].replace("T", " ")),
            Cell(e.kind),
            Cell(e.subject),
            Cell(e.actor),
            Cell(e.hash[:16]),
        )
        for e in reversed(events[-100:])
    )
    lead = f"{count(len(events), 'event')}, each holding the hash of the one before it; the newest first."
    return Part("store", title, lead, (TableBlock(columns, rows, "The last hundred at most.", "events.csv"),))
