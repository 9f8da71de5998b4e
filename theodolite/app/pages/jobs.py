"""Jobs: what is being worked on, how far it is, and what came of it."""

from theodolite.app.blocks import Actions, Block, Button, Drawer, Empty, Form, Part, Rendered, View, Working
from theodolite.app.blocks import Field as Entry
from theodolite.app.jobs import Job
from theodolite.app.pages.ask import Ask, link, test_link
from theodolite.report.page import Cell, Column, TableBlock, Tone
from theodolite.report.words import percent

STATES: dict[str, tuple[str, Tone]] = {
    "waiting": ("waiting", "muted"),
    "running": ("running", "plain"),
    "done": ("done", "good"),
    "failed": ("failed", "caution"),
    "cancelled": ("cancelled", "muted"),
}


SETTINGS = {
    "warmup": "warm-up draws",
    "warm": "begins at the last fit",
    "reconcile": "brings the sources together after it",
    "origins": "points of time that are predicted",
    "refits": "fits of simulated data",
    "horizon": "periods ahead",
    "every": "periods between two predictions",
    "extent": "how many models",
    "pick": "which of the designs",
}
"""Settings whose own name says too little."""
SHOWN_ON: dict[str, tuple[str, str]] = {
    "fit": ("See the model", "/model"),
    "reconcile": ("See the unified view", "/"),
    "attribution": ("See the attribution", "/attribution"),
    "audit": ("See the attribution", "/attribution"),
    "validate": ("See the model", "/model"),
    "backtest": ("See the model", "/model"),
    "next_tests": ("See the ranking", "/next-tests"),
}
"""By kind of work, the page that shows what came of it, where the job's own page does not."""


def job_link(job: Job) -> str:
    """The page of a job."""
    return link("/job", id=job.id)


def view(ask: Ask, jobs: list[Job]) -> View:
    """Every job since the server began."""
    if not jobs:
        words = "Fits, views and designs that are asked for run here, one at a time, while the pages go on working."
        ways = (Button("Fit the model", "/model#again"), Button("Design a test", "/experiments/design"))
        begun = "They are begun where they are needed:" if ask.edits else "Somebody with the role editor begins them."
        none = Empty("Nothing was asked for", f"{words} {begun}", ways if ask.edits else ())
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
    parts = [Part("state", blocks=(card(job, ask.edits), *_onward(job)))]
    if job.result.get("html"):
        parts.append(Part("result", blocks=(*_register(ask, job), Rendered(str(job.result["html"])))))
    settings = tuple(
        (
            Cell(SETTINGS.get(name, name)),
            Cell({True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)),
        )
        for name, value in job.settings.items()
        if value not in ("", None, {})
    )
    table = TableBlock((Column("Setting"), Column("Value", wide=True)), settings)
    parts.append(
        Part(
            "settings", "How it was asked for", f"By {job.actor}, {job.begun_at[:16].replace('T', ' ')} UTC.", (table,)
        )
    )
    return View(job.title, "", tuple(parts))


def _onward(job: Job) -> tuple[Actions, ...]:
    """The way to what came of it, or to where it can be asked for again."""
    shown = SHOWN_ON.get(job.kind)
    if job.kind == "analyse":
        shown = ("See the test", test_link(str(job.settings["experiment"])))
    if shown is None or job.live:
        return ()
    label, where = shown if job.state == "done" else ("Back to where it is asked for", shown[1])
    return (Actions((Button(label, where),)),)


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
        share = 0.0 if job.state == "waiting" else job.share  # nothing moves where nothing is done
        return Working(job.title, words, share, link("/job/now", id=job.id), buttons=buttons)
    words = "\n".join(job.problems) or job.doing
    return Working(job.title, words, tone=STATES[job.state][1], reload=reload and job.state == "done")
