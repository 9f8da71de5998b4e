"""The application: guard, pages, API, styles and scripts, put together for one workspace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from measurement.version import __version__
from theodolite import background
from theodolite.app import deciding, designing, faults, forms, registering, routes, steps
from theodolite.app.answers import Refusal, answer, redirect
from theodolite.app.api import access, decisions, experiments, model, operations, plans, study, work
from theodolite.app.api.common import Sent
from theodolite.app.api.shapes import Problem
from theodolite.app.desk import Desk
from theodolite.app.guard import Guard
from theodolite.app.headers import cookie, read, set_cookie
from theodolite.app.jobs import Jobs
from theodolite.app.requests import form_of
from theodolite.app.settings import Settings
from theodolite.app.warming import warm as warm_up
from theodolite.app.who import Doors
from theodolite.report.bundle import vega_bundle
from theodolite.report.render import asset

STATIC = {
    "blocks.css": "text/css",
    "app.css": "text/css",
    "vega.js": "text/javascript",
    "charts.js": "text/javascript",
    "theme.js": "text/javascript",
    "app.js": "text/javascript",
    "mark.svg": "image/svg+xml",
}
SHARED = ("blocks.css", "charts.js")
"""Those that the report brings."""


def create(settings: Settings, *, warm: bool = True) -> FastAPI:
    """The app of one workspace.

    Args:
        settings: What the server is started with.
        warm: Whether to load the study at once, so that the first page does not wait for it.
    """
    desk = Desk(settings.folder)
    doors = Doors(settings.token, desk.key)
    ready = partial(warm_up, desk)
    jobs = Jobs(settings.folder, partial(background.begin, ready))

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        if warm:
            background.begin(ready)
        yield
        jobs.close()

    app = FastAPI(
        title="Theodolite",
        version=__version__,
        summary="Experiment-calibrated marketing measurement of one workspace.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=alive,
    )
    app.state.desk, app.state.jobs, app.state.sent = desk, jobs, Sent()
    faults.install(app)
    app.include_router(_ways_in(settings, doors))
    app.include_router(routes.router)
    for forms_of in (forms, designing, registering, steps, deciding):
        app.include_router(forms_of.router)
    for resource in (study, model, experiments, decisions, plans, work, access):
        app.include_router(resource.router, prefix="/api/v1")
    app.include_router(operations.router)
    app.openapi = partial(_described, app)  # type: ignore[method-assign]
    app.add_middleware(Guard, settings=settings, doors=doors)
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: that of FastAPI, with how to sign in and what a problem looks like."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        parts = made.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"key": []}]
        made["paths"]["/health"]["get"]["security"] = []
        app.openapi_schema = made
    return app.openapi_schema


def _ways_in(settings: Settings, doors: Doors) -> APIRouter:
    """Styles and scripts, and signing in and out."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in STATIC:
            return answer("/static", Refusal(404, "Not found", "There is no such file."))
        text = vega_bundle() if name == "vega.js" else _own(name)
        headers = {"cache-control": "private, max-age=3600"}
        return Response(text.encode(), media_type=STATIC[name], headers=headers)

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        form = await form_of(request)
        key = form.get("key", "").strip()
        if doors.by_text(key) is None:
            return answer("/sign-in", Refusal(401, "Sign in", "That key opens nothing here."))
        return redirect("/", set_cookie(settings.cookie, doors.begin(key), request.state.scheme))

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        doors.end(cookie(read(request.headers.raw), settings.cookie))
        return redirect("/signed-out", set_cookie(settings.cookie, "", request.state.scheme, "; Max-Age=0"))

    @router.get("/signed-out")
    async def signed_out() -> Response:
        return answer("/signed-out", Refusal(200, "Signed out", "Open the printed address to come back."))

    return router


def _own(name: str) -> str:
    if name in SHARED:
        return asset(name)
    return (resources.files("theodolite.app") / "static" / name).read_text(encoding="utf-8").replace("\r\n", "\n")
