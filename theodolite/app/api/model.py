"""The model and what follows from it: the last fit, attribution, a budget, a forecast."""

from fastapi import APIRouter, Request

from measurement.provenance import finite
from measurement.typing import Json
from theodolite.app.api.common import PROBLEMS, After, Limit, page
from theodolite.app.api.shapes import FitOut, ForecastIn, JsonObject, PageOut, PlanIn
from theodolite.app.faults import NotFound
from theodolite.app.requests import desk_of, need

router = APIRouter(tags=["model"], responses=PROBLEMS)
"""What is computed from the last fit; nothing here writes."""


@router.get("/fit", response_model=FitOut)
def fit(request: Request) -> Json:
    """The last fit: iROAS per channel with and without tests, convergence, conflicts."""
    need(request, "viewer")
    reading = desk_of(request).reading()
    found = reading.fitted()
    return dict(finite(reading.kept("summary", reading.of_fit, lambda: reading.study.fit_summary(found))))


@router.get("/attribution", response_model=PageOut[JsonObject])
def attribution(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """Credit by model and channel, of the last attribution."""
    need(request, "viewer")
    found = desk_of(request).reading().attribution()
    if found is None:
        raise NotFound("there is no attribution yet: begin one with the job 'attribution'")
    return page(found.to_frame().to_dict(orient="records"), after, limit)


@router.post("/budget")
def budget(request: Request, asked: PlanIn) -> JsonObject:
    """Advise how to split a budget over channels."""
    need(request, "viewer")
    made = (
        desk_of(request)
        .reading()
        .study.budget(
            asked.total, periods=asked.periods, at_most=asked.at_most, bounds=asked.bounds, otherwise=asked.otherwise
        )
    )
    return dict(finite(made.to_dict()))


@router.post("/forecast")
def forecast(request: Request, asked: ForecastIn) -> JsonObject:
    """Predict the KPI of the periods ahead, under business as usual."""
    need(request, "viewer")
    made = desk_of(request).reading().study.forecast(asked.periods, seed=asked.seed)
    return dict(finite(made.to_dict()))
