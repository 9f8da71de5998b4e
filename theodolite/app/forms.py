"""Forms that record or design something: checked while they are typed, then carried out."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from experiments.registry import plan
from measurement.errors import DataError, TheodoliteError, shown
from theodolite import planning
from theodolite.app import shell
from theodolite.app.answers import redirect
from theodolite.app.blocks import Working
from theodolite.app.desk import Reading
from theodolite.app.moves import MOVES, Said
from theodolite.app.pages import plan as plan_page
from theodolite.app.pages.ask import Ask, link, test_link
from theodolite.app.requests import desk_of, form_of, jobs_of, need
from theodolite.report.words import count

PLAN = ("method", "start", "name", "pick")

router = APIRouter(include_in_schema=False)
"""The forms that are more than a job."""


@contextmanager
def records_file(text: str) -> Iterator[Path]:
    """Records that came as text, as the file that `Study` reads; its name is what messages say."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.json"
        file.write_bytes(text.encode("utf-8", "replace"))
        yield file


def said(check: Callable[[], str]) -> Response:
    """What a check finds, as a piece of a page."""
    try:
        found = Working("Fine so far", check(), tone="good")
    except DataError as error:
        found = Working("Not yet", "\n".join(_words(problem.column, problem.message) for problem in error.problems[:8]))
    except TheodoliteError as error:
        found = Working("Not yet", str(error))
    return HTMLResponse(shell.fragment((found,)).encode("utf-8", "replace"))


def _words(column: str | None, message: str) -> str:
    return f"{column}: {message}" if column else message


# -- records ----------------------------------------------------------------------------------------------------------


@router.post("/experiments/import/check")
async def check_records(request: Request) -> Response:
    """Check records without keeping them."""
    need(request, "editor")
    form = await form_of(request)
    reading = await run_in_threadpool(desk_of(request).reading)

    def check() -> str:
        with records_file(form.get("records", "")) as file:
            tests = reading.study.check_experiments(file)
        return f"{count(len(tests), 'test')}, ready to be recorded: {', '.join(t.experiment_id for t in tests)}"

    return await run_in_threadpool(said, check)


@router.post("/experiments/import")
async def record(request: Request) -> Response:
    """Keep records: all of them, or none."""
    who, form = need(request, "editor"), await form_of(request)
    desk = desk_of(request)

    def keep() -> None:
        with records_file(form.get("records", "")) as file:
            desk.study(who.actor).import_experiments(file)

    await run_in_threadpool(keep)
    return redirect("/experiments")


# -- designs ----------------------------------------------------------------------------------------------------------


def goal_problems(form: Mapping[str, str], reading: Reading) -> str:
    """What a search would look for, in a sentence.

    Raises:
        DataError: With everything that is wrong about the goal.
    """
    goal = planning.goal_of({k: v for k, v in form.items() if k not in PLAN and v.strip()}, reading.config.aliases)
    planning.How(form.get("method") or "geo")
    goal.check(reading.panel)
    lengths = ", ".join(map(str, goal.durations))
    fewest, most = goal.geos
    markets = f"{fewest} to {most} treated of {len(reading.panel.geos)} markets"
    return f"Lengths of {lengths} {reading.panel.period}s, {markets}, spend changed by {goal.change:+.0%}."


@router.post("/experiments/design/check")
async def check_goal(request: Request) -> Response:
    """Check a goal without searching."""
    need(request, "editor")
    form = await form_of(request)
    reading = await run_in_threadpool(desk_of(request).reading)
    return await run_in_threadpool(said, lambda: goal_problems(form, reading))


@router.post("/experiments/design")
async def design(request: Request) -> Response:
    """Begin a search for designs."""
    who, form = need(request, "editor"), await form_of(request)
    reading = await run_in_threadpool(desk_of(request).reading)
    await run_in_threadpool(goal_problems, form, reading)
    plan = {name: form[name] for name in PLAN if form.get(name, "").strip()}
    goal = {name: value for name, value in form.items() if name not in PLAN}
    job = jobs_of(request).begin("design", {"goal": goal, **plan}, who.actor)
    return redirect(link("/job", id=job.id))


# -- the life of a test -----------------------------------------------------------------------------------------------


@router.post("/experiments/register")
async def register(request: Request) -> Response:
    """Register the tests that a search for designs has planned, as drafts."""
    who, form = need(request, "editor"), await form_of(request)
    records = jobs_of(request).get(form.get("id", "")).result.get("records", [])
    study = await run_in_threadpool(desk_of(request).study, who.actor)

    def keep() -> None:
        study.registry.register_all(plan.parse(records), reason=form.get("reason", ""))

    await run_in_threadpool(keep)
    return redirect("/experiments")


@router.post("/experiment/step")
async def step(request: Request) -> Response:
    """Take a test one step further."""
    form = await form_of(request)
    taken = next((each for name, each in MOVES.items() if name == form.get("step")), None)
    if taken is None:
        raise DataError(f"there is no step '{shown(form.get('step', ''))}'; there are {', '.join(MOVES)}")
    who, name = need(request, taken.role), form.get("id", "")
    incidents = tuple(line.strip() for line in form.get("incidents", "").splitlines() if line.strip())
    said_with = Said(form.get("reason", ""), incidents, form.get("self_approve") == "yes")
    study = await run_in_threadpool(desk_of(request).study, who.actor)
    await run_in_threadpool(taken.take, study, name, said_with)
    return redirect(test_link(name))


# -- plans of record --------------------------------------------------------------------------------------------------


@router.post("/plan/record")
async def record_plan(request: Request) -> Response:
    """Freeze a forecast, or the scenario of the sliders, as a plan of record."""
    who, form = need(request, "approver"), await form_of(request)

    def freeze() -> None:
        desk = desk_of(request)
        ask = Ask(desk.reading(), who, form)
        periods, multiples = plan_page.periods_of(ask), plan_page.multiples_of(ask)
        made = plan_page.scenario_of(ask, periods, multiples) if multiples else plan_page.forecast_of(ask, periods)
        desk.study(who.actor).plans.record(form.get("name", ""), made)

    await run_in_threadpool(freeze)
    return redirect("/plan#records")
