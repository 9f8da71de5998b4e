"""Forms in which a test is registered by hand, or a result recorded: checked while they are typed, then carried out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from experiments import records
from measurement.errors import TheodoliteError, shown
from theodolite import plan_texts
from theodolite.analysis import Z90
from theodolite.app import shell
from theodolite.app.answers import redirect
from theodolite.app.blocks import Field
from theodolite.app.checked import Wrong, checked
from theodolite.app.desk import Reading
from theodolite.app.forms import records_file
from theodolite.app.pages import register as pages
from theodolite.app.pages.ask import test_link
from theodolite.app.pages.entries import entered, plan_fields, result_fields
from theodolite.app.requests import desk_of, form_of, need
from theodolite.app.showing import ask_of
from theodolite.app.showing import shown as shown_page
from theodolite.report.page import plain
from theodolite.report.words import count

router = APIRouter(include_in_schema=False)
"""Registering and recording."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What a form says, beside the fields that it has."""

    entries: tuple[Field, ...]
    texts: Mapping[str, str]
    revise: bool = False

    @classmethod
    def plan(cls, reading: Reading, form: Mapping[str, str]) -> "Entered":
        """Of the form of a plan."""
        main, more = plan_fields(reading.panel)
        return cls((*main, *more), entered(form, (*main, *more)), form.get("revise") == "yes")

    @classmethod
    def result(cls, reading: Reading, form: Mapping[str, str]) -> "Entered":
        """Of the form of a result."""
        main, more = result_fields(reading.panel)
        return cls((*main, *more), entered(form, (*main, *more)))

    @property
    def name(self) -> str:
        """The test's name."""
        return self.texts.get("experiment_id", "").strip()

    @property
    def about(self) -> tuple[str, ...]:
        """Beginnings of messages that a page of one test need not show."""
        return (f"experiment '{shown(self.name)}': ", "record 1: ")

    def fields(self, reading: Reading) -> dict[str, object]:
        """The fields of the plan or record; a revision keeps what the form does not show."""
        found = plan_texts.fields_of(self.texts)
        if not self.revise:
            return found
        kept = records_of_plan(reading, self.name)
        shown_here = {entry.name for entry in self.entries}
        return {name: value for name, value in kept.items() if name not in shown_here} | found


def records_of_plan(reading: Reading, name: str) -> dict[str, object]:
    """The fields of a registered plan."""
    from experiments.registry import plan

    return plan.fields(reading.study.registry.get(name).plan)


@router.post("/experiments/register/check")
async def check_plan(request: Request) -> Response:
    """Check a plan without keeping it."""
    need(request, "editor")
    form = await form_of(request)

    def check() -> Response:
        reading = desk_of(request).reading()
        found = Entered.plan(reading, form)
        return checked(lambda: _plan_words(reading, found), found.entries, found.about)

    return await run_in_threadpool(check)


def _plan_words(reading: Reading, found: Entered) -> str:
    made, clashing = reading.study.registry.check(found.fields(reading), revise=found.revise)
    test = made.experiment
    days = (test.end_date - test.start_date).days + 1
    where = f" in {len(test.treatment_geos)} of {len(reading.panel.geos)} markets" if test.treatment_geos else ""
    words = f"{count(days, 'day')} of changed spend{where}, read out to {test.read_out_end}."
    if not clashing:
        return words
    return "\n".join((words, "It cannot be approved beside other tests:", *(problem.message for problem in clashing)))


@router.post("/experiments/register")
async def register(request: Request) -> Response:
    """Register a plan as a draft, or write one anew; the form comes back where something is wrong."""
    who, form = need(request, "editor"), await form_of(request)

    def keep() -> Response:
        ask = ask_of(request)
        found = Entered.plan(ask.reading, form)
        try:
            made, _ = ask.reading.study.registry.check(found.fields(ask.reading), revise=found.revise)
            registry = desk_of(request).study(who.actor).registry
            registry.revise(made) if found.revise else registry.register_all((made,))
        except TheodoliteError as error:
            wrong = Wrong.of(error, found.entries, found.about)
            view = pages.plan_view(ask, found.texts, wrong, revise=found.revise)
            return shown_page(request, ask, "experiments", plain(view.title), shell.content(view), 422)
        return redirect(test_link(made.experiment.experiment_id))

    return await run_in_threadpool(keep)


@router.post("/experiments/record/check")
async def check_result(request: Request) -> Response:
    """Check a result without keeping it."""
    need(request, "editor")
    form = await form_of(request)

    def check() -> Response:
        reading = desk_of(request).reading()
        found = Entered.result(reading, form)
        return checked(lambda: _result_words(reading, found), found.entries, found.about)

    return await run_in_threadpool(check)


def _result_words(reading: Reading, found: Entered) -> str:
    (test,) = records.parse([found.fields(reading)])
    with records_file(json.dumps([test.to_dict()])) as file:
        reading.study.check_experiments(file)
    error = test.standard_error or 0.0
    low, high = (test.estimate or 0.0) - Z90 * error, (test.estimate or 0.0) + Z90 * error
    return f"{test.estimate:,.6g}, 90 % interval {low:,.4g} to {high:,.4g}."


@router.post("/experiments/record")
async def record(request: Request) -> Response:
    """Record a result that was measured elsewhere; the form comes back where something is wrong."""
    who, form = need(request, "editor"), await form_of(request)

    def keep() -> Response:
        ask = ask_of(request)
        found = Entered.result(ask.reading, form)
        try:
            (test,) = records.parse([found.fields(ask.reading)])
            with records_file(json.dumps([test.to_dict()])) as file:
                desk_of(request).study(who.actor).import_experiments(file)
        except TheodoliteError as error:
            wrong = Wrong.of(error, found.entries, found.about)
            view = pages.result_view(ask, found.texts, wrong)
            return shown_page(request, ask, "experiments", plain(view.title), shell.content(view), 422)
        return redirect(test_link(test.experiment_id))

    return await run_in_threadpool(keep)
