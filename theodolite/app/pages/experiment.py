"""Experiment: one test, its plan, its analysis on the study's panel, its record, and what became of it in the model."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from measurement.errors import TheodoliteError
from measurement.typing import Json
from theodolite import results
from theodolite.app.blocks import Actions, Block, Button, Drawer, Part, View
from theodolite.app.desk import RESOLVED, TESTS
from theodolite.app.pages import steps
from theodolite.app.pages.ask import Ask, channel_link, kept_parts
from theodolite.app.pages.experiments import TONES as STATE_TONES
from theodolite.app.pages.experiments import state_words
from theodolite.report.experiment import compose
from theodolite.report.experiment_words import GRADES
from theodolite.report.page import Cell, Column, Fact, Facts, Heading, Name, Points, Prose, TableBlock, Text, Tone
from theodolite.report.standing import Standing
from theodolite.report.words import NOTHING, money, number, percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from theodolite.report.experiment import Dossier

UNREAD = ("draft", "in_review", "approved", "running", "completed", "cancelled")
"""States in which there is nothing to read out yet: whoever looks early will stop when it looks good."""
USED = {"mmm.fitted": "a fit", "view.reconciled": "a unified view"}


def view(ask: Ask) -> View:
    """The page."""
    experiment_id = ask.query.get("id", "")
    version = ask.reading.since(*TESTS, *USED)
    told = ask.reading.kept(("test", experiment_id), version, lambda: ask.reading.registry.describe(experiment_id))
    record, waterfall, registry = told["record"], told["waterfall"], told["registry"]
    standing = _standing(ask, told)
    parts = [
        _stand(registry, standing),
        *steps.parts(ask, registry),
        *_protocol(ask, registry),
        *_analysis(ask, registry, standing),
        *_versions(registry),
        *_widened(waterfall),
        _history(registry),
        _record(record),
    ]
    return View((Name(experiment_id),), _subtitle(record), tuple(parts))


def _subtitle(record: Json) -> str:
    channel = record["channel"]
    names = ", ".join(map(str, channel)) if isinstance(channel, list | tuple) else str(channel)
    return f"{names} · {record['start_date']} to {record.get('cooldown_end_date', record['end_date'])}"


# -- where it stands --------------------------------------------------------------------------------------------------


def _fact_tone(state: str) -> Tone:
    found = STATE_TONES.get(state, "plain")
    return "plain" if found == "muted" else found


def _standing(ask: Ask, told: Json) -> Standing:
    """What the registry, the last fit and the decisions on it say of the test."""
    reading, name = ask.reading, told["registry"]["experiment_id"]
    judged = reading.kept("judged", reading.since(results.FIT, RESOLVED), reading.study.judged)
    return Standing.of(told, judged, reading.resolutions().get(name))


def _stand(registry: Json, standing: Standing) -> Part:
    state = str(registry["state"])
    facts = [Fact("Where it stands", state_words(state), _by(registry), _fact_tone(state))]
    if standing.grade:
        label = "Grade that counts" if standing.counts else "Grade"
        facts.append(Fact(label, standing.grade, f"{GRADES[standing.grade]}; {standing.whose()}"))
    facts.append(
        Fact("Plan", "locked in advance" if registry["preregistered"] else "not locked in advance", _locked(registry))
    )
    if registry.get("p_value") is not None:
        sure = f"{registry['p_value']:.3f}" if registry["p_value"] >= 0.001 else "under 0.001"
        facts.append(Fact("p-value", sure, "how often chance alone gives this much"))
    blocks: list[Block] = [Facts(tuple(facts))]
    if registry["conflicts"]:
        lead: Text = "It must not run beside other tests; it can neither be approved nor begun until that is mended:"
        blocks.append(Prose((lead, *registry["conflicts"]), "caution"))
    if registry["superseded_by"]:
        blocks.append(Prose((("Its place was taken by ", Name(str(registry["superseded_by"])), "."),), "muted"))
    if state == "cancelled":
        blocks.append(Prose(tuple(standing.steps()), "muted"))
    if standing.question:
        channels = registry["channel"]
        blocks.append(Prose((f"It is in question: {standing.question}.",), "caution"))
        blocks.append(
            Actions(tuple(Button(_decide(name, channels), f"{channel_link(name)}#conflict") for name in channels))
        )
    return Part("state", blocks=tuple(blocks))


def _decide(name: str, channels: list[str]) -> str:
    return "Decide whom to believe" + (f": {name}" if len(channels) > 1 else "")


def _by(registry: Json) -> str:
    last = registry["history"][-1] if registry["history"] else None
    return f"since {str(last['at'])[:10]}, by {last['by']}" if last else "from the study's own file of tests"


def _locked(registry: Json) -> str:
    if registry["approved_by"] is None:
        if registry["source"] == "elsewhere":
            return "as its record states it: it was measured elsewhere, and nobody approved it here"
        return "it is locked when somebody approves it, on the first day of the test at the latest"
    alone = ", its own author" if registry["self_approved"] else ""
    late = "" if registry["preregistered"] else "; that was after the first day"
    return f"approved {str(registry['approved_at'])[:10]} by {registry['approved_by']}{alone}{late}"


# -- plan and analysis ------------------------------------------------------------------------------------------------


def _protocol(ask: Ask, registry: Json) -> list[Part]:
    """The question and the analysis plan, as they were registered."""
    found, currency = registry["protocol"], ask.reading.panel.currency
    says: dict[str, tuple[str, Callable[[Any], str]]] = {
        "hypothesis": ("What is believed", str),
        "decision": ("What it informs", str),
        "decision_rule": ("What will be done on which result", str),
        "estimator": ("Estimator", str),
        "alpha": ("Error rate", percent),
        "mde": ("Smallest change it finds", lambda value: percent(value, 1)),
        "power": ("With which probability", percent),
        "cost": ("What it costs", lambda value: money(value, currency)),
        "tags": ("Tags", ", ".join),
    }
    rows = tuple((Cell(label), Cell(form(found[name]))) for name, (label, form) in says.items() if name in found)
    if not rows:
        return []
    title = found.get("title", "")
    table = TableBlock((Column("What"), Column("As it was registered", wide=True)), rows, "", "plan.csv")
    return [Part("plan", "The plan", title, (table,))]


def _analysis(ask: Ask, registry: Json, standing: Standing) -> list[Part]:
    """Its analysis on the study's panel, or before it is read out what is planned; why there is neither."""
    read = registry["state"] not in UNREAD
    try:
        found = replace(ask.reading.dossier(str(registry["experiment_id"]), read=read), standing=standing)
        version = (ask.reading.data, found.test, registry["protocol"], read, standing)
        return list(kept_parts(ask, ("analysis", registry["experiment_id"]), version, lambda: _sections(found)))
    except TheodoliteError as error:
        words = Prose(tuple(str(error).splitlines()), "muted")
        lead = "It cannot be analysed on the study's own data; what was reported stands in its record below."
        blocks: tuple[Block, ...] = (words, Heading("What to do next"), Points(tuple(standing.steps())))
        return [Part("analysis", "Analysis", lead, blocks)]


def _sections(found: "Dossier") -> list[Part]:
    page = compose(found)
    sections = [Part.of(section) for section in page.sections]
    if page.notice:
        sections.insert(0, Part("warning", blocks=(Prose((page.notice,), "caution"),)))
    return sections


def _versions(registry: Json) -> list[Part]:
    """Every result that was ever kept, and where it was used."""
    if not registry["results"]:
        return []
    columns = (
        Column("Version"),
        Column("When", "UTC"),
        Column("By"),
        Column("Measured", numeric=True),
        Column("Error", "standard", True),
        Column("Grade"),
        Column("Used in", wide=True),
    )
    rows = tuple(map(_version, registry["results"]))
    departures = tuple(f"Version {r['version']}: {each}" for r in registry["results"] for each in r["departures"])
    deviations = tuple(str(each) for each in registry["deviations"])
    said: list[Block] = [Points((*departures, *deviations))] if departures or deviations else []
    lead = "No result replaces another: a new analysis is a new version, and one of them counts."
    blocks = (TableBlock(columns, rows, "", "versions.csv"), *said)
    return [Part("versions", "Results and departures" if said else "Results", lead, blocks)]


def _version(found: Json) -> tuple[Cell, ...]:
    record, error = found["record"], found["record"].get("std_error")
    used = [f"{USED.get(each['kind'], each['kind'])} of {each['at'][:10]}" for each in found["used_in"]]
    return (
        Cell(str(found["version"]), "counts" if found["counts"] else ""),
        Cell(str(found["at"])[:16].replace("T", " ")),
        Cell(str(found["by"])),
        Cell(number(record["estimate"]), str(record["estimand"]).replace("_", " "), value=record["estimate"]),
        Cell(NOTHING if error is None else number(error), value=error),
        Cell(str(found["grade"]), "given by hand" if found["grade_override"] else ""),
        Cell(", ".join(dict.fromkeys(used)) or NOTHING),
    )


def _widened(waterfall: list[Json]) -> list[Part]:
    if not waterfall:
        return []
    rows = tuple(
        (
            Cell(str(step["step"])),
            Cell(number(step["std_error"]), value=float(str(step["std_error"]))),
            Cell(str(step["reason"])),
        )
        for step in waterfall
    )
    columns = (Column("Step"), Column("Standard error", numeric=True), Column("Why", wide=True))
    lead = "A reported error is rarely the whole of it: each step says what was added on the way into the model."
    table = TableBlock(columns, rows, "", "widening.csv")
    return [Part("widening", "From the reported error to the one that is used", lead, (table,))]


# -- record -----------------------------------------------------------------------------------------------------------


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


def _record(record: Json) -> Part:
    rows = tuple((Cell(key.replace("_", " ")), Cell(_plain(value))) for key, value in record.items())
    table: Block = TableBlock((Column("Field"), Column("Value", wide=True)), rows, "", "record.csv")
    return Part("record", "Its record", blocks=(Drawer("Every field, as other rooms read it", (table,)),))


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    return str(value)
