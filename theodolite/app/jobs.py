"""Jobs: long work in worker processes, one at a time, with progress and cancel; they outlive the page that began them.

A job is known until the server ends; what it made lies in the store.
"""

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Literal

from measurement.errors import DataError, StoreError, shown
from measurement.store import utc_now
from theodolite.app.answers import from_workspace
from theodolite.app.work import KINDS, settings_of

State = Literal["waiting", "running", "done", "failed", "cancelled"]
MOST_WAITING = 20
MOST_KEPT = 100
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work as it stands.

    Attributes:
        id: Its id.
        kind: What kind of work.
        settings: Its settings.
        actor: Who began it.
        state: Where it stands.
        doing: What is being done.
        share: Share that is done, where known.
        result: What it came to.
        problems: Why it failed.
        begun_at: When it was asked for, UTC.
        ended_at: When it ended.
    """

    id: str
    kind: str
    settings: Mapping[str, Any]
    actor: str
    state: State = "waiting"
    doing: str = "waiting for what was asked for before it"
    share: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    begun_at: str = ""
    ended_at: str | None = None

    @property
    def title(self) -> str:
        """What it is called."""
        return KINDS[self.kind].title

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("waiting", "running")

    def to_dict(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "settings": dict(self.settings),
            "actor": self.actor,
            "state": self.state,
            "doing": self.doing,
            "share": self.share,
            "result": {name: value for name, value in self.result.items() if name != "html"},
            "problems": list(self.problems),
            "begun_at": self.begun_at,
            "ended_at": self.ended_at,
        }


class Jobs:
    """The jobs of one workspace."""

    def __init__(self, folder: Path, ended: Callable[[], object] = lambda: None) -> None:
        """Begin with none.

        Args:
            folder: The workspace.
            ended: Called when a job has ended well.
        """
        self._folder, self._ended = folder, ended
        self._jobs: dict[str, Job] = {}
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def begin(self, kind: str, given: Mapping[str, Any], actor: str) -> Job:
        """Ask for work; it starts once all that was asked for before has ended.

        Raises:
            DataError: Where kind or settings are wrong.
            StoreError: Where too much is waiting.
        """
        settings = settings_of(kind, given)
        job = Job(secrets.token_hex(6), kind, settings, actor, begun_at=_now())
        with self._lock:
            if sum(each.live for each in self._jobs.values()) >= MOST_WAITING:
                raise StoreError(f"{MOST_WAITING} jobs are waiting already: cancel some, or wait")
            for old in [j.id for j in self._jobs.values() if not j.live][: max(0, len(self._jobs) - MOST_KEPT + 1)]:
                del self._jobs[old]
            self._jobs[job.id] = job
        self._start_next()
        return self.get(job.id)

    def get(self, job_id: str) -> Job:
        """A job as it stands.

        Raises:
            DataError: Where there is none of that id.
        """
        with self._lock:
            if job_id not in self._jobs:
                raise DataError(f"there is no job '{shown(job_id)}'; those of an earlier start of the server are gone")
            return self._jobs[job_id]

    def listed(self) -> list[Job]:
        """Every job, newest first."""
        with self._lock:
            return list(self._jobs.values())[::-1]

    def running(self) -> Job | None:
        """The job that is being worked on."""
        return next((job for job in self.listed() if job.state == "running"), None)

    def cancel(self, job_id: str) -> Job:
        """End a job; what it would have written is not written. One that has ended stays as it is."""
        job = self.get(job_id)
        with self._lock:
            was, process = self._jobs[job.id].state, self._process
            if was in ("waiting", "running"):
                self._set(job.id, state="cancelled", doing="cancelled", ended_at=_now())
        if was == "running" and process is not None:
            _stop(process)
        return self.get(job_id)

    def close(self) -> None:
        """End all work."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            _stop(process)

    def _set(self, job_id: str, **changes: Any) -> None:
        self._jobs[job_id] = replace(self._jobs[job_id], **changes)

    def _start_next(self) -> None:
        with self._lock:
            waiting = next((job for job in self._jobs.values() if job.state == "waiting"), None)
            if waiting is None or self._process is not None or self._closed:
                return
            self._process = process = _worker()
            self._set(waiting.id, state="running", doing="starting")
        threading.Thread(target=self._follow, args=(waiting, process), daemon=True).start()

    def _follow(self, job: Job, process: "subprocess.Popen[str]") -> None:
        """Hand the worker its order, and take down what it tells until it ends."""
        order = {"folder": str(self._folder), "kind": job.kind, "settings": dict(job.settings), "actor": job.actor}
        ended: dict[str, Any] | None = None
        try:
            _pipe(process.stdin).write(json.dumps(order) + "\n")
            _pipe(process.stdin).flush()
            for line in _pipe(process.stdout):
                told = json.loads(line)
                if "doing" in told:
                    with self._lock:
                        if self._jobs[job.id].state == "running":
                            self._set(job.id, doing=told["doing"], share=told["share"])
                else:
                    ended = told
        except (OSError, ValueError):
            ended = ended or None
        process.wait()
        for pipe in (process.stdin, process.stdout):
            _pipe(pipe).close()
        with self._lock:
            self._process = None
            self._settle(job.id, ended)
        self._start_next()
        if self.get(job.id).state == "done":
            self._ended()

    def _settle(self, job_id: str, ended: dict[str, Any] | None) -> None:
        if self._jobs[job_id].state != "running":  # cancelled meanwhile
            return
        if ended and "ended" in ended:
            words = str(ended["ended"].get("words", "done"))
            self._set(job_id, state="done", doing=words, share=1.0, result=ended["ended"], ended_at=_now())
            return
        unknown = "it ended without a word; what it printed stands where the server was started"
        refused = ended["refused"] if ended and "refused" in ended else (unknown,)
        problems = tuple(from_workspace(text, self._folder) for text in refused)
        self._set(job_id, state="failed", doing="failed", problems=problems, ended_at=_now())


def _worker() -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "theodolite.app.worker"]
    return subprocess.Popen(  # noqa: S603 (our own module)
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=os.name == "posix",  # Ctrl-C ends the server, and the server its worker
    )


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def _pipe(pipe: "IO[str] | None") -> "IO[str]":
    if pipe is None:
        raise ValueError("the worker was started without a pipe")
    return pipe


def _now() -> str:
    return utc_now().isoformat(timespec="seconds").replace("+00:00", "Z")
