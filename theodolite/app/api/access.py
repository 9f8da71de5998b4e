"""API keys, for those who may make them."""

from fastapi import APIRouter, Request

from measurement.typing import Json
from theodolite.app.api.common import PROBLEMS, After, Limit, page
from theodolite.app.api.shapes import KeyIn, KeyOut, NewKeyOut, PageOut
from theodolite.app.faults import NotFound
from theodolite.app.requests import desk_of, need

router = APIRouter(tags=["keys"], responses=PROBLEMS)
"""Keys: made once, shown once."""


@router.get("/keys", response_model=PageOut[KeyOut])
def keys(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """Every key that opens something."""
    who = need(request, "admin")
    return page([key.to_dict() for key in desk_of(request).study(who.actor).keys.listed()], after, limit)


@router.post("/keys", response_model=NewKeyOut, status_code=201)
def add(request: Request, asked: KeyIn) -> Json:
    """Make a key. Its text is in this answer and nowhere else."""
    who = need(request, "admin")
    key, text = desk_of(request).study(who.actor).keys.add(asked.name, asked.role)
    return key.to_dict() | {"key": text}


@router.delete("/keys/{key_id}", response_model=KeyOut)
def revoke(request: Request, key_id: str) -> Json:
    """End a key."""
    who = need(request, "admin")
    kept = desk_of(request).study(who.actor).keys
    if key_id not in {key.id for key in kept.listed()}:
        raise NotFound("there is no such key")
    return kept.revoke(key_id).to_dict()
