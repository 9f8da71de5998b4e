"""Forms that record files of tests: checked while they are typed, then carried out."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from theodolite.app.answers import redirect
from theodolite.app.checked import checked
from theodolite.app.requests import desk_of, form_of, need
from theodolite.report.words import count

router = APIRouter(include_in_schema=False)
"""The forms that are more than a job."""


@contextmanager
def records_file(text: str) -> Iterator[Path]:
    """Records that came as text, as the file that `Study` reads; its name is what messages say."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.json"
        file.write_bytes(text.encode("utf-8", "replace"))
        yield file


# -- records ----------------------------------------------------------------------------------------------------------


@router.post("/experiments/import/check")
async def check_records(request: Request) -> Response:
    """Check records without keeping them."""
    need(request, "editor")
    form = await form_of(request)
    reading = await run_in_threadpool(desk_of(request).reading)

    def check() -> str:
        with records_file(form.get("records", "")) as file:
            tests = reading.study.check_experiments(file)
        return f"{count(len(tests), 'test')}, ready to be recorded: {', '.join(t.experiment_id for t in tests)}"

    return await run_in_threadpool(checked, check, ())


@router.post("/experiments/import")
async def record(request: Request) -> Response:
    """Keep records: all of them, or none."""
    who, form = need(request, "editor"), await form_of(request)
    desk = desk_of(request)

    def keep() -> None:
        with records_file(form.get("records", "")) as file:
            desk.study(who.actor).import_experiments(file)

    await run_in_threadpool(keep)
    return redirect("/experiments")
