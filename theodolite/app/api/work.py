"""Long work: begun, followed, cancelled."""

from fastapi import APIRouter, Request

from measurement.typing import Json
from theodolite.app.api.common import PROBLEMS, After, Limit, Once, page, sent_of
from theodolite.app.api.shapes import JobIn, JobOut, PageOut
from theodolite.app.faults import NotFound
from theodolite.app.jobs import Job
from theodolite.app.requests import jobs_of, need

router = APIRouter(tags=["jobs"], responses=PROBLEMS)
"""Jobs run one at a time, in a process of their own."""


@router.get("/jobs", response_model=PageOut[JobOut])
def jobs(request: Request, after: After = 0, limit: Limit = 100) -> Json:
    """Every job since the server was started, newest first."""
    need(request, "viewer")
    return page([job.to_dict() for job in jobs_of(request).listed()], after, limit)


@router.post("/jobs", response_model=JobOut, status_code=202)
def begin(request: Request, asked: JobIn, once: Once = None) -> Json:
    """Begin work; ask for the job until it has ended."""
    who = need(request, "editor")

    def start() -> Json:
        return jobs_of(request).begin(asked.kind, asked.settings, who.actor).to_dict()

    return sent_of(request).once(request, who, once, asked.model_dump(), start)


@router.get("/jobs/{job_id}", response_model=JobOut)
def job(request: Request, job_id: str) -> Json:
    """One job as it stands."""
    need(request, "viewer")
    return _found(request, job_id).to_dict()


@router.delete("/jobs/{job_id}", response_model=JobOut)
def cancel(request: Request, job_id: str) -> Json:
    """Cancel a job; one that has ended stays as it is."""
    need(request, "editor")
    return jobs_of(request).cancel(_found(request, job_id).id).to_dict()


def _found(request: Request, job_id: str) -> Job:
    found = {job.id: job for job in jobs_of(request).listed()}
    if job_id not in found:
        raise NotFound("there is no such job; those of an earlier start of the server are gone")
    return found[job_id]
