"""Forms of those who decide: decisions and what came of them, plans of record, tests in question, the next test."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from measurement.errors import DataError, did_you_mean, shown
from theodolite.app import fields, shell
from theodolite.app.answers import redirect
from theodolite.app.blocks import Field
from theodolite.app.checked import Wrong, checked
from theodolite.app.desk import Reading
from theodolite.app.pages import decisions, next_tests, plan_ahead
from theodolite.app.pages.ask import Ask, channel_link, decision_link, plan_link, test_link
from theodolite.app.plan_steps import DECIDES, PLAN_STEPS, RECORDS
from theodolite.app.requests import desk_of, form_of, jobs_of, need
from theodolite.app.showing import ask_of
from theodolite.app.showing import shown as shown_page
from theodolite.keys import Role
from theodolite.report.page import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from theodolite.study import Study

router = APIRouter(include_in_schema=False)
"""The forms of the pages Decisions, Plan, Channel and Next tests."""


async def _written(request: Request, role: Role, write: "Callable[[Study, dict[str, str]], str]") -> Response:
    """Let somebody of a role write, and go where the writing says."""
    who, form = need(request, role), await form_of(request)
    study = await run_in_threadpool(desk_of(request).study, who.actor)
    return redirect(await run_in_threadpool(write, study, form))


# -- decisions --------------------------------------------------------------------------------------------------------


@router.post("/decisions/check")
async def check_decision(request: Request) -> Response:
    """Check a decision without keeping it."""
    need(request, RECORDS)
    form = await form_of(request)

    def check() -> Response:
        reading = desk_of(request).reading()
        return checked(lambda: _decision_words(reading, form), _entries(decisions.entries(reading)))

    return await run_in_threadpool(check)


def _decision_words(reading: Reading, form: dict[str, str]) -> str:
    told = reading.study.decisions.check(fields.decision_of(form))
    expected = told.expected
    return (
        f"Nine of ten such outcomes should lie from {expected.low:,g} to {expected.high:,g}; it is held against what "
        f"came on {told.review}."
    )


def _entries(both: tuple[tuple[Field, ...], tuple[Field, ...]]) -> tuple[Field, ...]:
    return (*both[0], *both[1])


@router.post("/decisions/add")
async def add_decision(request: Request) -> Response:
    """Record a decision; the form comes back where something is wrong."""
    who, form = need(request, RECORDS), await form_of(request)

    def keep() -> Response:
        ask = ask_of(request)
        try:
            made = desk_of(request).study(who.actor).decisions.add(fields.decision_of(form))
        except DataError as error:
            view = decisions.shown(ask, form, Wrong.of(error, _entries(decisions.entries(ask.reading))))
            return shown_page(request, ask, "decisions", plain(view.title), shell.content(view), 422)
        return redirect(decision_link(made.id))

    return await run_in_threadpool(keep)


@router.post("/decision/score")
async def score(request: Request) -> Response:
    """Record what came of a decision."""
    return await _written(
        request,
        RECORDS,
        lambda study, form: decision_link(study.decisions.score(form.get("id", ""), fields.outcome_of(form)).id),
    )


@router.post("/decision/withdraw")
async def withdraw(request: Request) -> Response:
    """Take a decision back."""
    return await _written(
        request,
        DECIDES,
        lambda study, form: decision_link(study.decisions.withdraw(form.get("id", ""), form.get("reason", "")).id),
    )


@router.post("/decisions/predict")
async def predict(request: Request) -> Response:
    """Freeze what every source says of a planned test."""

    def freeze(study: "Study", form: dict[str, str]) -> str:
        study.track_record.predict(form.get("id", ""))
        return "/decisions#sources"

    return await _written(request, RECORDS, freeze)


# -- plans of record --------------------------------------------------------------------------------------------------


@router.post("/plan/record")
async def record_plan(request: Request) -> Response:
    """Freeze a forecast, or the scenario of the sliders, as a plan of record: a draft."""
    who, form = need(request, RECORDS), await form_of(request)

    def freeze() -> str:
        desk = desk_of(request)
        study = desk.study(who.actor)
        study.plans.refuse(form.get("name", ""))
        return plan_link(study.plans.record(form.get("name", ""), plan_ahead.made(Ask(desk.reading(), who, form))).name)

    return redirect(await run_in_threadpool(freeze))


@router.post("/plan/step")
async def step_plan(request: Request) -> Response:
    """Hand a plan in, approve it, commit to it or withdraw it."""
    form = await form_of(request)
    key = next((each for each in PLAN_STEPS if each == form.get("step")), None)
    if key is None:
        words = did_you_mean(form.get("step", ""), PLAN_STEPS)
        raise DataError(f"there is no step '{shown(form.get('step', ''))}'{words}; there are {', '.join(PLAN_STEPS)}")
    own = form.get("self_approve") == "yes"
    return await _written(
        request,
        PLAN_STEPS[key].role,
        lambda study, form: plan_link(
            study.plans.move(key, form.get("name", ""), reason=form.get("reason", ""), self_approve=own).name
        ),
    )


# -- tests ------------------------------------------------------------------------------------------------------------


@router.post("/channel/resolve")
async def resolve(request: Request) -> Response:
    """Decide whom to believe about a test that contradicts the model or another test."""

    def decide(study: "Study", form: dict[str, str]) -> str:
        keep, reason = form.get("keep", ""), form.get("reason", "")
        study.resolve(form.get("id", ""), keep=keep, reason=reason)
        return f"{channel_link(form['channel'])}#conflict" if form.get("channel") else test_link(form["id"])

    return await _written(request, DECIDES, decide)


@router.post("/next-tests/check")
async def check_ranking(request: Request) -> Response:
    """Check what a ranking of tests is asked for, without ranking them."""
    need(request, "editor")
    form = await form_of(request)

    def check() -> Response:
        reading = desk_of(request).reading()
        return checked(lambda: next_tests.problems_of(reading, form), _entries(next_tests.entries(reading)))

    return await run_in_threadpool(check)


@router.post("/next-tests/rank")
async def rank(request: Request) -> Response:
    """Begin to rank the tests that could be run next."""
    who, form = need(request, "editor"), await form_of(request)
    reading = await run_in_threadpool(desk_of(request).reading)
    await run_in_threadpool(next_tests.problems_of, reading, form)
    jobs_of(request).begin(
        "next_tests", {"asked": {name: text for name, text in form.items() if text.strip()}}, who.actor
    )
    return redirect("/next-tests")


@router.post("/next-tests/register")
async def register(request: Request) -> Response:
    """Register a ranked test as a draft."""
    return await _written(
        request,
        "editor",
        lambda study, form: test_link(study.next_test.register(form.get("id", ""), reason=form.get("reason", ""))),
    )
