"""Experiment: one test, its record, its analysis on the study's panel, and what became of it in the model."""

from typing import Any

from measurement.errors import TheodoliteError
from measurement.typing import Json
from theodolite.app.blocks import Block, Drawer, Form, Part, View
from theodolite.app.blocks import Field as Entry
from theodolite.app.desk import TESTS
from theodolite.app.moves import MOVES
from theodolite.app.pages.ask import Ask
from theodolite.app.pages.experiments import TONES as STATE_TONES
from theodolite.app.pages.experiments import state_words
from theodolite.keys import may
from theodolite.report.experiment import compose
from theodolite.report.experiment_words import GRADES
from theodolite.report.page import Cell, Column, Fact, Facts, Name, Prose, TableBlock, Tone


def view(ask: Ask) -> View:
    """The page."""
    experiment_id = ask.query.get("id", "")
    told = ask.reading.kept(("test", experiment_id), ask.reading.since(*TESTS), lambda: _told(ask, experiment_id))
    record, waterfall, registry = told["record"], told["waterfall"], told["registry"]
    parts = [
        _stand(registry),
        *_steps(ask, registry),
        *_analysis(ask, experiment_id),
        *_widened(waterfall),
        _history(registry),
        _record(record),
    ]
    return View((Name(experiment_id),), _subtitle(record), tuple(parts))


def _fact_tone(state: str) -> Tone:
    found = STATE_TONES.get(state, "plain")
    return "plain" if found == "muted" else found


def _stand(registry: Json) -> Part:
    state = str(registry["state"])
    facts = [Fact("Where it stands", state_words(state), tone=_fact_tone(state))]
    if registry.get("grade"):
        facts.append(Fact("Grade", str(registry["grade"]), GRADES.get(str(registry["grade"]), "")))
    facts.append(Fact("Plan", "locked" if registry["preregistered"] else "not locked", "before the test began"))
    return Part("state", blocks=(Facts(tuple(facts)),))


def _steps(ask: Ask, registry: Json) -> tuple[Part, ...]:
    """What may be done next, by those who may."""
    state, name = str(registry["state"]), str(registry["experiment_id"])
    outside = registry["source"] == "elsewhere"
    drawers: list[Block] = []
    for key, step in MOVES.items():
        if state not in step.states or not may(ask.who.role, step.role) or (outside and key == "analyse"):
            continue
        fields = [Entry("id", "", "hidden", name), Entry("step", "", "hidden", key)]
        if key == "complete":
            words = "one a line; left empty, the record says that nothing did"
            fields.append(Entry("incidents", "What disturbed it", "textarea", "", words))
        if key == "approve":
            fields.append(Entry("self_approve", "I planned it myself; the record will say so", "checkbox"))
        fields.append(Entry("reason", "Why", "text", "", required=step.needs_reason))
        drawers.append(Drawer(step.label, (Form("/experiment/step", tuple(fields), step.label, key=key),)))
    return (Part("next", "What to do next", blocks=tuple(drawers)),) if drawers else ()


def _history(registry: Json) -> Part:
    rows = tuple(
        (
            Cell(str(entry["at"])[:16].replace("T", " ")),
            Cell(state_words(str(entry["action"]))),
            Cell(str(entry["by"])),
            Cell(str(entry.get("reason") or "")),
        )
        for entry in registry["history"]
    )
    columns = (Column("When", "UTC"), Column("What"), Column("Who"), Column("Why", wide=True))
    return Part("history", "History", blocks=(TableBlock(columns, rows, "", "history.csv"),))


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
