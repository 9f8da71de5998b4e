"""Plans: scenarios, plans of record from a draft to the one that is spent by, what came, and the next test."""

from fastapi import APIRouter, Request

from measurement.errors import did_you_mean, shown
from measurement.provenance import finite
from measurement.typing import Json
from theodolite.app.api.common import PROBLEMS, After, Limit, Once, page, sent_of
from theodolite.app.api.shapes import DraftIn, JsonObject, PageOut, PlanOut, PlanStepIn, ReasonIn, ScenarioIn
from theodolite.app.desk import Reading
from theodolite.app.faults import NotFound
from theodolite.app.plan_steps import PLAN_STEPS, RECORDS, PlanStep
from theodolite.app.requests import desk_of, need
from theodolite.plan_records import PlanOfRecord
from theodolite.plans import scaled

router = APIRouter(tags=["plans"], responses=PROBLEMS)
"""Plans of record and what they are made of."""


@router.post("/scenario")
def scenario(request: Request, asked: ScenarioIn) -> JsonObject:
    """What other spend than usual would change; nothing is written."""
    need(request, "viewer")
    study = desk_of(request).reading().study
    return dict(finite(study.scenario(scaled(study.panel, asked.periods, asked.multiples)).to_dict()))


@router.get("/plans", response_model=PageOut[PlanOut])
def plans(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """Every plan of record, oldest first, and where it stands."""
    need(request, "viewer")
    reading = desk_of(request).reading()
    return page([_told(reading, plan) for plan in reading.plans()], after, limit)


@router.post("/plans", response_model=PlanOut, status_code=201)
def draft(request: Request, asked: DraftIn, once: Once = None) -> Json:
    """Freeze a scenario, or the forecast of business as usual where nothing is multiplied, as a draft."""
    who = need(request, RECORDS)

    def record() -> Json:
        study = desk_of(request).study(who.actor)
        study.plans.refuse(asked.name)
        if asked.multiples:
            study.plans.record(asked.name, study.scenario(scaled(study.panel, asked.periods, asked.multiples)))
        else:
            study.plans.record(asked.name, study.forecast(asked.periods))
        return _one(request, asked.name)

    return sent_of(request).once(request, who, once, asked.model_dump(), record)


@router.get("/plans/{name:path}/against")
def against(request: Request, name: str) -> JsonObject:
    """What came against a plan: what other spend explains, apart from what the model missed."""
    need(request, "viewer")
    reading = desk_of(request).reading()
    found = reading.against(_plan(reading, name))
    if found is None:
        raise NotFound(f"nothing of the plan '{shown(name)}' has come yet")
    return dict(finite(found.to_dict()))


@router.get("/plans/{name:path}", response_model=PlanOut)
def plan(request: Request, name: str) -> Json:
    """One plan of record."""
    need(request, "viewer")
    return _one(request, name)


@router.post("/plans/{name:path}/{step}", response_model=PlanOut)
def take_step(request: Request, name: str, step: PlanStep, asked: PlanStepIn, once: Once = None) -> Json:
    """Hand a plan in, approve it, commit to it, or withdraw it."""
    who = need(request, PLAN_STEPS[step].role)
    _plan(desk_of(request).reading(), name)

    def take() -> Json:
        study = desk_of(request).study(who.actor)
        study.plans.move(step, name, reason=asked.reason, self_approve=asked.self_approve)
        return _one(request, name)

    return sent_of(request).once(request, who, once, asked.model_dump(), take)


def _plan(reading: Reading, name: str) -> PlanOfRecord:
    known = {plan.name: plan for plan in reading.plans()}
    if name not in known:
        raise NotFound(f"there is no plan of record '{shown(name)}'{did_you_mean(name, known)}")
    return known[name]


def _one(request: Request, name: str) -> Json:
    reading = desk_of(request).reading()
    return _told(reading, _plan(reading, name))


def _told(reading: Reading, plan: PlanOfRecord) -> Json:
    state = reading.plan_states()[plan.name]
    told = {name: value for name, value in plan.to_dict().items() if name != "artifacts"}
    return dict(finite(told | {"state": state.state, "history": list(state.history)}))


# -- what to test next ------------------------------------------------------------------------------------------------


@router.get("/next-tests")
def next_tests(request: Request) -> JsonObject:
    """The last ranking of the tests that could be run next, as ``theodolite experiments next --json`` prints it."""
    need(request, "viewer")
    found = desk_of(request).reading().next_tests_kept()
    if found is None:
        raise NotFound("there is no ranking of this fit yet: begin one with the job 'next_tests'")
    return dict(finite(found.to_dict()))


@router.post("/next-tests/{experiment_id}/register", status_code=201)
def register(request: Request, experiment_id: str, asked: ReasonIn, once: Once = None) -> JsonObject:
    """Register a test of the last ranking as a draft."""
    who = need(request, "editor")

    def keep() -> Json:
        study = desk_of(request).study(who.actor)
        made = study.next_test.register(experiment_id, reason=asked.reason)
        return dict(finite(study.registry.show(made)))

    return sent_of(request).once(request, who, once, asked.model_dump(), keep)
