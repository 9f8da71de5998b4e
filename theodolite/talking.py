"""Talking to the server that serves a workspace on this machine, by the file that it leaves there for its own user."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from measurement.errors import DataError, StoreError, shown
from measurement.store import Store
from measurement.typing import Json

RUNTIME = "server.json"
API = "/api/v1"
HERE = ("127.0.0.1", "::1", "localhost")
PATIENCE = 10.0
LARGEST = 32 << 20


@dataclass(frozen=True, slots=True)
class Running:
    """A server of a workspace.

    Attributes:
        url: Its address on this machine.
        pid: Its process.
        token: Its secret.
    """

    url: str
    pid: int
    token: str = field(repr=False)

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"{self.url}/?token={self.token}"

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Ask for a resource of the REST API.

        Args:
            method: The HTTP method.
            path: Below ``/api/v1``.
            body: Sent as JSON.

        Raises:
            StoreError: Where nobody answers.
            DataError: Where the server refuses, in its words.
        """
        where = urlsplit(self.url)
        # http.client and not urllib, which would ask a proxy of the environment first
        line = http.client.HTTPConnection(str(where.hostname), where.port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            line.request(method, API + path, None if body is None else json.dumps(dict(body)), headers)
            answer = line.getresponse()
            found: Json = json.loads(answer.read(LARGEST))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise StoreError(f"the server at {self.url} does not answer: {shown(error, 200)}") from None
        finally:
            line.close()
        if answer.status >= 400:
            raise DataError(str(found.get("detail", f"the server answered {answer.status}")))
        return found

    def job(self, job_id: str) -> Json:
        """One job as it stands."""
        return self.ask("GET", f"/jobs/{quote(job_id, safe='')}")

    def follow(self, job_id: str, told: Callable[[Json], None], every: float = 1.0) -> Json:
        """Wait until a job has ended.

        Args:
            job_id: The job.
            told: Given the job whenever it was asked for.
            every: Seconds between.
        """
        while True:
            found = self.job(job_id)
            told(found)
            if found["state"] not in ("waiting", "running"):
                return found
            time.sleep(every)


def running(folder: Path) -> Running | None:
    """The server of a workspace that answers now; ``None`` where there is none, or its file was left behind."""
    try:
        raw = json.loads((Store.home_of(folder) / RUNTIME).read_text(encoding="utf-8"))
        found = Running(str(raw["url"]), int(raw["pid"]), str(raw["token"]))
        if raw["folder"] != str(folder.resolve()):
            return None
        where = urlsplit(found.url)
        if where.hostname not in HERE or not where.port:
            return None
        found.ask("GET", "/jobs?limit=1")
    except (OSError, ValueError, KeyError, TypeError, StoreError, DataError):
        return None
    return found


def needed(folder: Path) -> Running:
    """The server of a workspace.

    Raises:
        StoreError: Where none answers.
    """
    found = running(folder)
    if found is None:
        raise StoreError("no server of this workspace is running: start one with `theodolite serve`")
    return found
