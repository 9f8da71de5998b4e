"""Jobs: what is being worked on, how far it is, and what came of it."""

from theodolite.app.blocks import Block, Button, Drawer, Empty, Form, Part, Rendered, View, Working
from theodolite.app.blocks import Field as Entry
from theodolite.app.jobs import Job
from theodolite.app.pages.ask import Ask, link
from theodolite.report.page import Cell, Column, TableBlock, Tone
from theodolite.report.words import percent

STATES: dict[str, tuple[str, Tone]] = {
    "waiting": ("waiting", "muted"),
    "running": ("running", "plain"),
    "done": ("done", "good"),
    "failed": ("failed", "caution"),
    "cancelled": ("cancelled", "muted"),
}


def job_link(job: Job) -> str:
    """The page of a job."""
    return link("/job", id=job.id)


def view(ask: Ask, jobs: list[Job]) -> View:
    """Every job since the server began."""
    if not jobs:
        words = "Fits, views and designs that are asked for run here, one at a time, while the pages go on working."
        ways = (Button("Fit the model", "/model#again"), Button("Design a test", "/experiments/design"))
        none = Empty("Nothing was asked for", f"{words} They are begun where they are needed:", ways)
        return View("Jobs", parts=(Part("start", blocks=(none,)),))
    columns = (Column("Work"), Column("State"), Column("How far", wide=True), Column("By"), Column("Asked for", "UTC"))
    rows = tuple(
        (
            Cell(job.title, link=job_link(job)),
            Cell(STATES[job.state][0], tone=STATES[job.state][1]),
            Cell("; ".join(job.problems) or job.doing),
            Cell(job.actor),
            Cell(job.begun_at[:16].replace("T", " ")),
        )
        for job in jobs
    )
    live = tuple(card(job, ask.edits, reload=True) for job in reversed(jobs) if job.live)
    parts = (Part("live", blocks=live), Part("list", blocks=(TableBlock(columns, rows),)))
    return View("Jobs", "Since the server was started", parts[0 if live else 1 :])


def one(ask: Ask, job: Job) -> View:
    """One job, and what came of it."""
    parts = [Part("state", blocks=(card(job, ask.edits),))]
    if job.result.get("html"):
        parts.append(Part("result", blocks=(*_register(ask, job), Rendered(str(job.result["html"])))))
    settings = tuple((Cell(name), Cell(str(value))) for name, value in job.settings.items() if value not in ("", None))
    table = TableBlock((Column("Setting"), Column("Value", wide=True)), settings)
    parts.append(Part("settings", "How it was asked for", f"By {job.actor}, {job.begun_at} UTC.", (table,)))
    return View(job.title, "", tuple(parts))


def _register(ask: Ask, job: Job) -> tuple[Block, ...]:
    """The way from a design to a registered test."""
    if not ask.edits or not job.result.get("records"):
        return ()
    fields = (
        Entry("id", "", "hidden", job.id),
        Entry("reason", "Why this test", "text", "", "what it is to decide; may be left empty"),
    )
    form = Form("/experiments/register-design", fields, "Register this test as a draft")
    return (Drawer("Register it", (form,), open=True),)


def card(job: Job, cancels: bool, *, reload: bool = False) -> Working:
    """How far a job is.

    Args:
        job: The job.
        cancels: Whether whoever looks may cancel it.
        reload: Whether the page is to be read again when it has ended well.
    """
    if job.live:
        sure = f"Stop “{job.title}”? What it has worked out so far is lost; the study stays as it is."
        buttons = (Button("Cancel", "/job/cancel", {"id": job.id}, confirm=sure),) if cancels else ()
        words = job.doing if job.share is None else f"{job.doing}: {percent(job.share)}"
        return Working(job.title, words, job.share, link("/job/now", id=job.id), buttons=buttons)
    words = "\n".join(job.problems) or job.doing
    return Working(job.title, words, tone=STATES[job.state][1], reload=reload and job.state == "done")
