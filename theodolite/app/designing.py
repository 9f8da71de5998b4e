"""Designs of tests: a goal that is checked while it is typed, the search for it, and the test that comes of it."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from experiments.registry import plan
from measurement.errors import TheodoliteError
from theodolite import planning
from theodolite.app import shell
from theodolite.app.answers import redirect
from theodolite.app.checked import Wrong, checked
from theodolite.app.desk import Reading
from theodolite.app.pages import design as page
from theodolite.app.pages.ask import link, test_link
from theodolite.app.requests import desk_of, form_of, jobs_of, need
from theodolite.app.showing import ask_of, shown
from theodolite.occupied import around
from theodolite.report.words import listed

PLAN = ("method", "start", "name", "pick")
"""What is asked of the record, not of the search."""

router = APIRouter(include_in_schema=False)
"""Designing."""


def goal_problems(form: Mapping[str, str], reading: Reading) -> str:
    """What a search would look for, in a sentence.

    Raises:
        DataError: With everything that is wrong about the goal.
    """
    goal = planning.goal_of({k: v for k, v in form.items() if k not in PLAN and v.strip()}, reading.config.aliases)
    planning.How(form.get("method") or "geo")
    goal.check(reading.panel)
    goal = around(goal, reading.panel, form.get("start", "").strip() or None, reading.study.registry)
    lengths = listed([str(length) for length in goal.durations])
    fewest, most = goal.geos
    markets = f"{fewest} to {most} treated of {len(reading.panel.geos)} markets"
    if goal.treatment_geos:
        markets = f"the {len(goal.treatment_geos)} markets that you chose, so without a search"
    return f"Tests of {lengths} {reading.panel.period}s in {markets}; spend changed by {goal.change:+.0%}."


@router.post("/experiments/design/check")
async def check_goal(request: Request) -> Response:
    """Check a goal without searching."""
    need(request, "editor")
    form = await form_of(request)

    def check() -> Response:
        reading = desk_of(request).reading()
        return checked(lambda: goal_problems(form, reading), page.entries(reading.panel))

    return await run_in_threadpool(check)


@router.post("/experiments/design")
async def design(request: Request) -> Response:
    """Begin a search for designs; the form comes back where something is wrong."""
    who, form = need(request, "editor"), await form_of(request)

    def begin() -> Response:
        ask = ask_of(request)
        try:
            goal_problems(form, ask.reading)
            asked = {name: form[name] for name in PLAN if form.get(name, "").strip()}
            goal = {name: value for name, value in form.items() if name not in PLAN}
            job = jobs_of(request).begin("design", {"goal": goal, **asked}, who.actor)
        except TheodoliteError as error:
            wrong = Wrong.of(error, page.entries(ask.reading.panel))
            made = shell.content(page.filled_view(ask, form, wrong))
            return shown(request, ask, "experiments", "Design a test", made, 422)
        return redirect(link("/job", id=job.id))

    return await run_in_threadpool(begin)


@router.post("/experiments/register-design")
async def register(request: Request) -> Response:
    """Register the tests that a search for designs has planned, as drafts."""
    who, form = need(request, "editor"), await form_of(request)
    records = jobs_of(request).get(form.get("id", "")).result.get("records", [])

    def keep() -> str:
        registry = desk_of(request).study(who.actor).registry
        made = registry.register_all(plan.parse(records), reason=form.get("reason", ""))
        return test_link(made[0].experiment_id) if len(made) == 1 else "/experiments"

    return redirect(await run_in_threadpool(keep))
