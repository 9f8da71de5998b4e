"""For those who run the server: whether it answers, and numbers for Prometheus."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse

from measurement.version import __version__
from theodolite.app.api.common import PROBLEMS
from theodolite.app.api.shapes import HealthOut
from theodolite.app.requests import desk_of, jobs_of, need

router = APIRouter(tags=["operations"], responses={421: PROBLEMS[421], 403: PROBLEMS[403]})
"""Outside ``/api/v1``, where such tools look for them."""

TEXT = "text/plain; version=0.0.4"


@router.get("/health", response_model=HealthOut)
def health() -> dict[str, str]:
    """Whether the server answers; open to everyone who can reach it, and says nothing else."""
    return {"status": "ok"}


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={401: PROBLEMS[401], 409: PROBLEMS[409], 422: PROBLEMS[422]},
)
def metrics(request: Request) -> PlainTextResponse:
    """Numbers in the text format of Prometheus."""
    need(request, "viewer")
    reading, jobs = desk_of(request).reading(), jobs_of(request).listed()
    lines = [
        "# HELP theodolite_info Version of the server.",
        "# TYPE theodolite_info gauge",
        f'theodolite_info{{version="{__version__}"}} 1',
        "# HELP theodolite_events_total Events in the store.",
        "# TYPE theodolite_events_total counter",
        f"theodolite_events_total {len(reading.events)}",
        "# HELP theodolite_jobs Jobs since the server was started, by state.",
        "# TYPE theodolite_jobs gauge",
        *(
            f'theodolite_jobs{{state="{state}"}} {sum(job.state == state for job in jobs)}'
            for state in ("waiting", "running", "done", "failed", "cancelled")
        ),
    ]
    return PlainTextResponse("\n".join(lines) + "\n", media_type=TEXT)
