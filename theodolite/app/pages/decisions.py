"""Decisions: what was done in the study, by whom and when."""

from theodolite import results
from theodolite.app.blocks import Empty, Part, View
from theodolite.app.pages.ask import Ask
from theodolite.report.page import Cell, Column, TableBlock

WORDS = {
    results.FIT: "fitted the model",
    results.ATTRIBUTION: "credited journeys",
    results.AUDIT: "audited the journeys",
    results.VIEW: "brought the sources together",
    results.REPORT: "wrote a report",
    "experiment.registered": "registered a test",
    "key.added": "made an API key",
    "key.revoked": "revoked an API key",
}


def view(ask: Ask) -> View:
    """The page."""
    events = ask.reading.events
    if not events:
        words = "Whatever is fitted, registered or decided is recorded here, and nothing is ever overwritten."
        return View("Decisions", parts=(Part("start", blocks=(Empty("Nothing was decided yet", words),)),))
    columns = (Column("When", "UTC"), Column("Who"), Column("Did"), Column("Of"))
    rows = tuple(
        (
            Cell(e.at[:16].replace("T", " ")),
            Cell(e.actor),
            Cell(WORDS.get(e.kind, e.kind.replace(".", " ").replace("_", " "))),
            Cell(e.subject),
        )
        for e in reversed(events[-200:])
    )
    lead = "Everything that was done, the newest first. Nothing here is ever overwritten."
    return View("Decisions", parts=(Part("log", "Log", lead, (TableBlock(columns, rows, "", "log.csv"),)),))
