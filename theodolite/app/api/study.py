"""The study: what it is, its data checks, the unified view channel by channel, and its log of events."""

from fastapi import APIRouter, Request

from measurement.errors import did_you_mean, shown
from measurement.provenance import finite
from measurement.typing import Json
from theodolite.app.api.common import PROBLEMS, After, Limit, page
from theodolite.app.api.shapes import ChannelOut, JsonObject, PageOut, StudyOut, ViewOut
from theodolite.app.faults import FIELDS, NotFound
from theodolite.app.pages.ask import state_of
from theodolite.app.requests import desk_of, need
from theodolite.data_files import data_files

router = APIRouter(tags=["study"], responses=PROBLEMS)
"""Resources that only read."""


@router.get("/study", response_model=StudyOut)
def study(request: Request) -> Json:
    """What the study is about, and how far it is."""
    need(request, "viewer")
    reading = desk_of(request).reading()
    panel = reading.panel
    return {
        "name": reading.config.study.name,
        "kpi": panel.kpi,
        "currency": panel.currency,
        "period": panel.period,
        "first": str(panel.dates[0]),
        "last": str(panel.dates[-1]),
        "markets": len(panel.geos),
        "channels": list(panel.channels),
        "data": panel.sha256,
        "head": reading.head,
        "state": state_of(reading),
    }


@router.get("/checks", response_model=PageOut[JsonObject])
def checks(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """What is wrong with the data, or hard about them."""
    need(request, "viewer")
    found = [{name: getattr(p, name) for name in FIELDS} for p in desk_of(request).reading().check()]
    return page(found, after, limit)


@router.get("/files", response_model=PageOut[JsonObject])
def files(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """The files that the study reads, with the hash of their bytes."""
    need(request, "viewer")
    reading = desk_of(request).reading()
    found = reading.kept("files", reading.data, lambda: data_files(reading.study.folder, reading.config))
    return page([file.to_dict() for file in found], after, limit)


@router.get("/view", response_model=ViewOut)
def view(request: Request) -> Json:
    """The unified view of the last fit: one number per channel, and what every source says."""
    need(request, "viewer")
    reading = desk_of(request).reading()
    reading.fitted()  # refuses where the data have changed since
    return dict(finite(reading.view().to_dict()))


@router.get("/channels", response_model=PageOut[ChannelOut])
def channels(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """The channels of the unified view."""
    return page(view(request)["channels"], after, limit)


@router.get("/channels/{name:path}", response_model=ChannelOut)
def channel(request: Request, name: str) -> Json:
    """One channel of the unified view."""
    found: dict[str, Json] = {entry["channel"]: entry for entry in view(request)["channels"]}
    if name not in found:
        raise NotFound(f"the study has no channel '{shown(name)}'{did_you_mean(name, found)}")
    return found[name]


@router.get("/events", response_model=PageOut[JsonObject])
def events(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """Everything that was done, oldest first; each event holds the hash of the one before it."""
    need(request, "viewer")
    found = [
        {"sequence": e.sequence, "at": e.at, "actor": e.actor, "kind": e.kind, "subject": e.subject, "hash": e.hash}
        for e in desk_of(request).reading().events
    ]
    return page(found, after, limit)
