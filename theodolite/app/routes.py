"""The addresses of the pages: what is asked of which page, and forms that begin something."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from theodolite.app import shell
from theodolite.app.answers import redirect
from theodolite.app.blocks import View
from theodolite.app.pages import (
    attribution,
    channel,
    data,
    decision,
    decisions,
    design,
    experiment,
    experiments,
    model,
    next_tests,
    overview,
    plan,
    plan_record,
    register,
)
from theodolite.app.pages import jobs as jobs_page
from theodolite.app.pages.ask import Ask, today
from theodolite.app.requests import form_of, jobs_of, need, who_asks
from theodolite.app.showing import ask_of, shown
from theodolite.keys import may
from theodolite.report.page import plain

PAGES: dict[str, tuple[str, Callable[[Ask], View]]] = {
    "/": ("overview", overview.view),
    "/channel": ("channel", channel.view),
    "/experiments": ("experiments", experiments.view),
    "/experiment": ("experiments", experiment.view),
    "/experiments/design": ("experiments", design.view),
    "/experiments/record": ("experiments", register.record),
    "/experiments/register": ("experiments", register.register),
    "/plan": ("plan", plan.view),
    "/plan-of-record": ("plan", plan_record.view),
    "/next-tests": ("plan", next_tests.view),
    "/attribution": ("attribution", attribution.view),
    "/model": ("model", model.view),
    "/decisions": ("decisions", decisions.view),
    "/decision": ("decisions", decision.view),
    "/data": ("data", data.view),
}
"""Pages that show the study: key in the menu, and what makes them. They are kept until a number may have changed."""

router = APIRouter(include_in_schema=False)
"""Every page."""


def _page(current: str, make: Callable[[Ask], View]) -> Callable[[Request], Response]:
    def show(request: Request) -> Response:
        ask = ask_of(request)
        key = ("page", request.url.path, tuple(sorted(ask.query.items())), ask.who.role)
        version = (*ask.reading.numbers, ask.reading.head, today())

        def made() -> tuple[str, str, bool]:
            found = make(ask)
            return plain(found.title), shell.content(found), found.under_way

        title, content, under_way = ask.reading.kept(key, version, made)
        if under_way:
            ask.reading.forget(key)
        return shown(request, ask, current, title, content)

    return show


for _path, (_current, _make) in PAGES.items():
    router.add_api_route(_path, _page(_current, _make), methods=["GET"])


@router.get("/plan/now")
def plan_now(request: Request) -> Response:
    """What stands in the place of a piece of the plan page now."""
    return HTMLResponse(shell.fragment(plan.now(ask_of(request))).encode("utf-8", "replace"))


# -- jobs -------------------------------------------------------------------------------------------------------------


@router.get("/jobs")
def jobs(request: Request) -> Response:
    """Every job."""
    ask = ask_of(request)
    found = jobs_page.view(ask, jobs_of(request).listed())
    return shown(request, ask, "jobs", "Jobs", shell.content(found))


@router.get("/job")
def job(request: Request) -> Response:
    """One job."""
    ask = ask_of(request)
    found = jobs_page.one(ask, jobs_of(request).get(ask.query.get("id", "")))
    return shown(request, ask, "jobs", plain(found.title), shell.content(found))


@router.get("/job/now")
def job_now(request: Request) -> Response:
    """How far a job is, as a piece of a page."""
    found = jobs_of(request).get(request.query_params.get("id", ""))
    card = jobs_page.card(found, may(who_asks(request).role, "editor"), reload=True)
    return HTMLResponse(shell.fragment((card,)).encode("utf-8", "replace"))


@router.post("/jobs")
async def begin(request: Request) -> Response:
    """Begin work; back to the page that asked for it, where it shows how far it is."""
    who, form = need(request, "editor"), await form_of(request)
    kind, back = form.pop("kind", ""), form.pop("back", "")
    if kind == "fit" and len(form) > 0:
        form.setdefault("reconcile", "no")  # an empty checkbox is not sent
    job = jobs_of(request).begin(kind, form, who.actor)
    if back == "/job":
        return redirect(jobs_page.job_link(job))
    return redirect(back if back.partition("?")[0] in PAGES else "/jobs")  # a page of ours, and nowhere else


@router.post("/job/cancel")
async def cancel(request: Request) -> Response:
    """Cancel work."""
    need(request, "editor")
    form = await form_of(request)
    jobs_of(request).cancel(form.get("id", ""))
    return redirect("/jobs")
