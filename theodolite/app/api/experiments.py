"""Lift tests: the registry, results measured elsewhere, and the steps of a test's life."""

import json

from fastapi import APIRouter, Request

from experiments.registry import plan
from measurement.errors import did_you_mean, shown
from measurement.provenance import finite
from measurement.typing import Json
from theodolite.app.api.common import PROBLEMS, After, Limit, Once, page, sent_of
from theodolite.app.api.shapes import JsonObject, MoveIn, PageOut, RecordsIn, RecordsOut
from theodolite.app.faults import NotFound
from theodolite.app.forms import records_file
from theodolite.app.moves import MOVES, Move, Said
from theodolite.app.requests import desk_of, need

router = APIRouter(tags=["experiments"], responses=PROBLEMS)
"""Lift tests."""


@router.get("/experiments", response_model=PageOut[JsonObject])
def experiments(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """Every test, oldest first, one flat row each."""
    need(request, "viewer")
    return page(desk_of(request).reading().tests(), after, limit)


@router.get("/experiments/{experiment_id}")
def experiment(request: Request, experiment_id: str) -> JsonObject:
    """One test: its record, how its error is widened, what the registry says of it."""
    need(request, "viewer")
    reading = desk_of(request).reading()
    known = [str(row["experiment_id"]) for row in reading.tests()]
    if experiment_id not in known:
        raise NotFound(f"there is no test '{shown(experiment_id)}'{did_you_mean(experiment_id, known)}")
    return dict(finite(reading.study.experiment(experiment_id)))


@router.post("/experiments", response_model=RecordsOut)
def record(request: Request, asked: RecordsIn, once: Once = None) -> Json:
    """Record results of tests measured elsewhere: all of them, or none."""
    who = need(request, "editor")

    def keep() -> Json:
        study = desk_of(request).study(who.actor)
        with records_file(json.dumps(asked.records)) as file:
            added = study.import_experiments(file)
        return {"imported": [test.experiment_id for test in added], "total": len(study.experiments())}

    return sent_of(request).once(request, who, once, asked.model_dump(), keep)


@router.post("/registrations", response_model=RecordsOut)
def register(request: Request, asked: RecordsIn, once: Once = None) -> Json:
    """Register plans of tests as drafts: all of them, or none. Fields as ``theodolite experiments register`` reads."""
    who = need(request, "editor")

    def keep() -> Json:
        registry = desk_of(request).study(who.actor).registry
        known = set(registry.ledger.tests)
        made = registry.register_all(plan.parse(asked.records))
        new = [test.experiment_id for test in made if test.experiment_id not in known]
        return {"imported": new, "total": len(registry.ledger.tests)}

    return sent_of(request).once(request, who, once, asked.model_dump(), keep)


@router.post("/experiments/{experiment_id}/{step}")
def take_step(request: Request, experiment_id: str, step: Move, asked: MoveIn, once: Once = None) -> JsonObject:
    """Take a test one step further, from its submission to the acceptance of its result."""
    who = need(request, MOVES[step].role)
    reading = desk_of(request).reading()
    known = [str(row["experiment_id"]) for row in reading.tests()]
    if experiment_id not in known:
        raise NotFound(f"there is no test '{shown(experiment_id)}'{did_you_mean(experiment_id, known)}")

    def take() -> Json:
        registry = desk_of(request).study(who.actor).registry
        told = asked.model_dump(exclude={"incidents", "actuals"})
        actuals = asked.actuals.model_dump(exclude_none=True) if asked.actuals else {}
        MOVES[step].take(registry, experiment_id, Said(incidents=tuple(asked.incidents), actuals=actuals, **told))
        return dict(finite(registry.show(experiment_id)))

    return sent_of(request).once(request, who, once, asked.model_dump(), take)
