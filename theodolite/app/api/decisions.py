"""Decisions: what was decided and what came of it, how right the sources were, and tests that contradict the model."""

from fastapi import APIRouter, Request

from measurement.errors import did_you_mean, shown
from measurement.provenance import finite
from measurement.typing import Json
from theodolite.app.api.common import PROBLEMS, After, Limit, Once, page, sent_of
from theodolite.app.api.shapes import (
    ConflictOut,
    DecisionIn,
    DecisionOut,
    JsonObject,
    OutcomeIn,
    PageOut,
    PredictIn,
    ReasonIn,
    ResolveIn,
    ScoreboardOut,
)
from theodolite.app.faults import NotFound
from theodolite.app.pages.ask import today
from theodolite.app.plan_steps import DECIDES, RECORDS
from theodolite.app.requests import desk_of, need
from theodolite.decisions import scores

router = APIRouter(tags=["decisions"], responses=PROBLEMS)
"""The log of decisions, the track records, and what was decided about tests in question."""


@router.get("/decisions", response_model=PageOut[DecisionOut])
def decisions(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """Every decision, oldest first, with what came of it."""
    need(request, "viewer")
    return page([each.to_dict() for each in desk_of(request).reading().decisions()], after, limit)


@router.post("/decisions", response_model=DecisionOut, status_code=201)
def add(request: Request, asked: DecisionIn, once: Once = None) -> Json:
    """Record a decision with what it should bring; the last view and fit are noted with it."""
    who = need(request, RECORDS)
    told = asked.model_dump(exclude={"id"})

    def record() -> Json:
        return dict(finite(desk_of(request).study(who.actor).decisions.add(told, id=asked.id).to_dict()))

    return sent_of(request).once(request, who, once, asked.model_dump(), record)


@router.get("/decisions/{decision_id}", response_model=DecisionOut)
def decision(request: Request, decision_id: str) -> Json:
    """One decision."""
    need(request, "viewer")
    _known(request, decision_id)
    (found,) = (each for each in desk_of(request).reading().decisions() if each.id == decision_id)
    return dict(finite(found.to_dict()))


@router.post("/decisions/{decision_id}/score", response_model=DecisionOut)
def score(request: Request, decision_id: str, asked: OutcomeIn, once: Once = None) -> Json:
    """Record what came of a decision; scored again, the last outcome counts and the others stay."""
    who = need(request, RECORDS)
    _known(request, decision_id)

    def take() -> Json:
        study = desk_of(request).study(who.actor)
        return dict(finite(study.decisions.score(decision_id, asked.model_dump()).to_dict()))

    return sent_of(request).once(request, who, once, asked.model_dump(), take)


@router.post("/decisions/{decision_id}/withdraw", response_model=DecisionOut)
def withdraw(request: Request, decision_id: str, asked: ReasonIn, once: Once = None) -> Json:
    """Take a decision back before it is scored; it stays in the log."""
    who = need(request, DECIDES)
    _known(request, decision_id)

    def take() -> Json:
        study = desk_of(request).study(who.actor)
        return dict(finite(study.decisions.withdraw(decision_id, asked.reason).to_dict()))

    return sent_of(request).once(request, who, once, asked.model_dump(), take)


def _known(request: Request, decision_id: str) -> None:
    known = [each.id for each in desk_of(request).reading().decisions()]
    if decision_id not in known:
        raise NotFound(f"there is no decision '{shown(decision_id)}'{did_you_mean(decision_id, known)}")


# -- track records ----------------------------------------------------------------------------------------------------


@router.get("/scoreboard", response_model=ScoreboardOut)
def scoreboard(request: Request) -> Json:
    """How often the intervals of decisions held, and how right each source was about tests before their read-out."""
    need(request, "viewer")
    reading = desk_of(request).reading()
    sources = reading.study.track_record.to_dict(reading.scored())
    return {
        "decisions": finite(scores(reading.decisions(), today()).to_dict()),
        "sources": finite(sources["methods"]),
        "tests": finite(sources["scores"]),
        "waiting": sources["waiting"],
    }


@router.post("/scoreboard/predictions", status_code=201)
def predict(request: Request, asked: PredictIn, once: Once = None) -> JsonObject:
    """Freeze what every source says of a planned test, so that its read-out scores them."""
    who = need(request, RECORDS)

    def freeze() -> Json:
        made = desk_of(request).study(who.actor).track_record.predict(asked.experiment_id)
        said = {method: quantity.to_dict() for method, quantity in made.said.items()}
        return {"experiment_id": made.experiment_id, "channel": made.channel, "said": said, "at": made.at}

    return sent_of(request).once(request, who, once, asked.model_dump(), freeze)


# -- tests in question ------------------------------------------------------------------------------------------------


@router.get("/conflicts", response_model=PageOut[ConflictOut])
def conflicts(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """The judgement of the last fit on every test, and what was decided about it."""
    need(request, "viewer")
    return page([each.to_dict() for each in desk_of(request).reading().fitted().conflicts], after, limit)


@router.post("/conflicts/{experiment_id}/resolve")
def resolve(request: Request, experiment_id: str, asked: ResolveIn, once: Once = None) -> JsonObject:
    """Decide about a test that contradicts the model or another test, with the reason."""
    who = need(request, DECIDES)

    def decide() -> Json:
        study = desk_of(request).study(who.actor)
        return study.resolve(experiment_id, keep=asked.keep, reason=asked.reason).to_dict()

    return sent_of(request).once(request, who, once, asked.model_dump(), decide)
