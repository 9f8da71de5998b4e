"""Every address of the app × every role: who is refused what, and that nothing that is asked for writes."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from theodolite.app.application import create
from theodolite.app.moves import MOVES
from theodolite.app.plan_steps import PLAN_STEPS
from theodolite.app.settings import Settings
from theodolite.keys import ROLES, Role, may
from theodolite.study import Study

Serve = Callable[..., TestClient]
API = "/api/v1"
OPEN = {"/health", "/static/{name}", "/sign-in", "/sign-out", "/signed-out"}
"""What anyone may ask for."""

WRITES: Mapping[str, Role] = {
    "POST /api/v1/budget": "viewer",
    "POST /api/v1/forecast": "viewer",
    "POST /api/v1/scenario": "viewer",
    "POST /api/v1/experiments": "editor",
    "POST /api/v1/registrations": "editor",
    "POST /api/v1/plans": "editor",
    "POST /api/v1/decisions": "editor",
    "POST /api/v1/decisions/{decision_id}/score": "editor",
    "POST /api/v1/decisions/{decision_id}/withdraw": "approver",
    "POST /api/v1/scoreboard/predictions": "editor",
    "POST /api/v1/conflicts/{experiment_id}/resolve": "approver",
    "POST /api/v1/next-tests/{experiment_id}/register": "editor",
    "POST /api/v1/jobs": "editor",
    "DELETE /api/v1/jobs/{job_id}": "editor",
    "GET /api/v1/keys": "admin",
    "POST /api/v1/keys": "admin",
    "DELETE /api/v1/keys/{key_id}": "admin",
    "POST /jobs": "editor",
    "POST /job/cancel": "editor",
    "POST /experiments/import/check": "editor",
    "POST /experiments/import": "editor",
    "POST /experiments/design/check": "editor",
    "POST /experiments/design": "editor",
    "POST /experiments/register-design": "editor",
    "POST /experiments/register/check": "editor",
    "POST /experiments/register": "editor",
    "POST /experiments/record/check": "editor",
    "POST /experiments/record": "editor",
    "POST /decisions/check": "editor",
    "POST /decisions/add": "editor",
    "POST /decision/score": "editor",
    "POST /decision/withdraw": "approver",
    "POST /decisions/predict": "editor",
    "POST /plan/record": "editor",
    "POST /channel/resolve": "approver",
    "POST /next-tests/check": "editor",
    "POST /next-tests/rank": "editor",
    "POST /next-tests/register": "editor",
}
"""The least role of what does not only read, and of what not every reader may read; a viewer may read all else."""

BY_STEP: Mapping[str, Mapping[str, Role]] = {
    "POST /api/v1/experiments/{experiment_id}/{step}": {name: step.role for name, step in MOVES.items()},
    "POST /experiment/step": {name: step.role for name, step in MOVES.items()},
    "POST /api/v1/plans/{name:path}/{step}": {name: step.role for name, step in PLAN_STEPS.items()},
    "POST /plan/step": {name: step.role for name, step in PLAN_STEPS.items()},
}
"""Where the step decides."""

APPROVES = {"approve", "accept", "reject", "regrade", "supersede", "commit", "withdraw"}
BODIES: Mapping[str, object] = {
    "/budget": {},
    "/forecast": {},
    "/scenario": {"periods": 1},
    "/experiments": {"records": [{}]},
    "/registrations": {"records": [{}]},
    "/plans": {"name": "q", "periods": 1},
    "/decisions": {"what": "a", "metric": "b", "expected": {"median": 1.0, "low": 0.0, "high": 2.0}, "review": "x"},
    "/decisions/{decision_id}/score": {"actual": 1.0},
    "/scoreboard/predictions": {"experiment_id": "none"},
    "/conflicts/{experiment_id}/resolve": {"keep": "test", "reason": "r"},
    "/jobs": {"kind": "none"},
    "/keys": {"name": " ", "role": "viewer"},
}
"""A body that passes the shape of the resource, so that the role is what refuses, and that writes nothing."""


def routes() -> Iterator[str]:
    for route in create(Settings(Path()), warm=False).routes:
        for each in route.effective_route_contexts() if hasattr(route, "effective_route_contexts") else (route,):
            if each.path not in OPEN:
                for method in each.methods - {"HEAD"}:
                    yield f"{method} {each.path}"


def asked(name: str, step: str | None) -> tuple[str, str, dict[str, object]]:
    """The request of an address, with names that nothing has."""
    method, _, pattern = name.partition(" ")
    path = pattern
    for part in ("experiment_id", "decision_id", "job_id", "key_id", "name:path", "name"):
        path = path.replace("{" + part + "}", "none")
    path = path.replace("{step}", step or "")
    if method == "GET":
        return method, path, {}
    if pattern.startswith(API):
        body = BODIES.get(pattern.removeprefix(API), {})
        return method, path, {"json": body} if method == "POST" else {}
    return method, path, {"data": {"step": step} if step else {"x": "1"}}


def needed() -> Iterator[tuple[str, str | None, Role]]:
    for name in routes():
        if name in BY_STEP:
            for step, role in BY_STEP[name].items():
                yield name, step, role
        else:
            yield name, None, WRITES.get(name, "viewer")


def test_the_table_above_is_of_the_addresses_there_are() -> None:
    names = set(routes())
    assert len(names) > 60
    assert set(WRITES) | set(BY_STEP) <= names
    unnamed = {name for name in names - set(WRITES) - set(BY_STEP) if not name.startswith("GET ")}
    assert not unnamed, "say above who may ask for these"
    for steps in BY_STEP.values():
        assert {name for name, role in steps.items() if role == "approver"} == APPROVES & set(steps)


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_gets_what_it_may_have_and_nothing_else(empty: Path, client_of: Serve, role: Role | None) -> None:
    key = None if role is None else Study.open(empty).keys.add(role, role)[1]
    client, head = client_of(empty, key), Study.open(empty).head
    wrong: list[object] = []
    for name, step, least in needed():
        method, path, more = asked(name, step)
        answer = client.request(method, path, headers={"sec-fetch-site": "same-origin"}, **more)  # type: ignore[arg-type]
        allowed = {200, 303, 404, 409, 422} if role and may(role, least) else {403 if role else 401}
        if answer.status_code not in allowed or (answer.status_code == 403 and least not in answer.text):
            wrong.append((name, step, answer.status_code, answer.text[-300:]))
    assert not wrong
    assert Study.open(empty).head == head, "none of these requests had anything to write"
