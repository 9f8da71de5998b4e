"""The form of a step in the life of a test: read, and taken."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from experiments.records.reading import cell
from measurement.errors import DataError, Problem, refuse, shown
from measurement.reading.objects import Refused
from theodolite.app.answers import redirect
from theodolite.app.moves import MOVES, Said
from theodolite.app.pages.ask import test_link
from theodolite.app.requests import desk_of, form_of, need
from theodolite.days import day

DAYS = ("on", "start_date", "end_date", "cooldown_end_date")
MONEY = ("spend_treatment", "spend_control", "spend_delta")

router = APIRouter(include_in_schema=False)
"""Steps."""


@router.post("/experiment/step")
async def step(request: Request) -> Response:
    """Take a test one step further."""
    form = await form_of(request)
    taken = next((each for name, each in MOVES.items() if name == form.get("step")), None)
    if taken is None:
        raise DataError(f"there is no step '{shown(form.get('step', ''))}'; there are {', '.join(MOVES)}")
    who, name = need(request, taken.role), form.get("id", "")

    def take() -> None:
        taken.take(desk_of(request).study(who.actor).registry, name, step_said(form))

    await run_in_threadpool(take)
    return redirect(test_link(name))


def step_said(form: Mapping[str, str]) -> Said:
    """What a form says with a step.

    Raises:
        DataError: With every field that cannot be read.
    """
    given = {name: form.get(name, "").strip() for name in (*DAYS, *MONEY)}
    raw = {name: cell(name, text, "number" if name in MONEY else None) for name, text in given.items() if text}
    problems = [Problem(value.words, column=name) for name, value in raw.items() if isinstance(value, Refused)]
    days = {name: day(given[name], name.replace("_", " ")) for name in DAYS if given[name] and not problems}
    refuse(problems)
    spend = {name.removeprefix("spend_"): raw[name] for name in MONEY[:2] if name in raw}
    actuals = {name: found for name, found in days.items() if name != "on"}
    actuals |= ({"spend": spend} if spend else {}) | (
        {"spend_delta": raw["spend_delta"]} if "spend_delta" in raw else {}
    )
    incidents = tuple(line.strip() for line in form.get("incidents", "").splitlines() if line.strip())
    version = form.get("version", "").strip()
    if version and not (version.isascii() and version.isdigit() and len(version) < 6):
        raise DataError([Problem(f"found '{shown(version)}', expected the number of a version", column="version")])
    return Said(
        form.get("reason", ""),
        incidents,
        form.get("self_approve") == "yes",
        days.get("on"),
        actuals,
        int(version) if version else None,
        form.get("grade", ""),
        form.get("successor", "").strip(),
    )
