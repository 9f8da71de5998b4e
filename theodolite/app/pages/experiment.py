"""Experiment: one test, its record, its analysis on the study's panel, and what became of it in the model."""

from typing import Any

from measurement.errors import TheodoliteError
from measurement.typing import Json
from theodolite.app.blocks import Part, View
from theodolite.app.desk import TESTS
from theodolite.app.pages.ask import Ask
from theodolite.report.experiment import compose
from theodolite.report.page import Block, Cell, Column, Name, Prose, TableBlock


def view(ask: Ask) -> View:
    """The page."""
    experiment_id = ask.query.get("id", "")
    told = ask.reading.kept(("test", experiment_id), ask.reading.since(*TESTS), lambda: _told(ask, experiment_id))
    record, waterfall = told["record"], told["waterfall"]
    parts = [*_analysis(ask, experiment_id), *_widened(waterfall), _record(record)]
    return View((Name(experiment_id),), _subtitle(record), tuple(parts))


def _told(ask: Ask, experiment_id: str) -> Json:
    return ask.reading.study.experiment(experiment_id)


def _subtitle(record: Json) -> str:
    channel = record["channel"]
    names = ", ".join(map(str, channel)) if isinstance(channel, list | tuple) else str(channel)
    return f"{names} · {record['start_date']} to {record.get('cooldown_end_date', record['end_date'])}"


def _analysis(ask: Ask, experiment_id: str) -> list[Part]:
    """Its analysis on the study's panel; why there is none, where there cannot be one."""
    try:
        page = compose(ask.reading.dossier(experiment_id))
    except TheodoliteError as error:
        words = Prose(tuple(str(error).splitlines()), "muted")
        lead = "It cannot be analysed on the study's own data; what was reported stands in its record below."
        return [Part("analysis", "Analysis", lead, (words,))]
    sections = [Part.of(section) for section in page.sections]
    if page.notice:
        sections.insert(0, Part("warning", blocks=(Prose((page.notice,), "caution"),)))
    return sections


def _widened(waterfall: list[Json]) -> list[Part]:
    if not waterfall:
        return []
    rows = tuple(
        (
            Cell(str(step["step"])),
            Cell(f"{step['std_error']:,.4g}", value=float(str(step["std_error"]))),
            Cell(str(step["reason"])),
        )
        for step in waterfall
    )
    columns = (Column("Step"), Column("Standard error", numeric=True), Column("Why", wide=True))
    lead = "A reported error is rarely the whole of it: each step says what was added on the way into the model."
    table = TableBlock(columns, rows, "", "widening.csv")
    return [Part("widening", "From the reported error to the one that is used", lead, (table,))]


def _record(record: Json) -> Part:
    rows = tuple((Cell(key.replace("_", " ")), Cell(_plain(value))) for key, value in record.items())
    table: Block = TableBlock((Column("Field"), Column("Value", wide=True)), rows, "", "record.csv")
    return Part("record", "Its record", blocks=(table,))


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    return str(value)
