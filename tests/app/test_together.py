"""Several at once: browsers, the API and the command line write and lose nothing; the server asks nobody anything."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from theodolite.app.serving import bound, runtime_file
from theodolite.app.settings import Settings
from theodolite.app.shell import MENU
from theodolite.study import Study

Serve = Callable[..., TestClient]
FORM = {"content-type": "application/x-www-form-urlencoded"}


def record(name: str) -> dict[str, object]:
    return {
        "experiment_id": name,
        "channel": "tv",
        "method": "on_off",
        "start_date": "2024-01-01",
        "end_date": "2024-01-28",
        "estimand": "iroas",
        "estimate": 1.5,
        "std_error": 0.5,
        "spend_delta": -1000,
        "off_panel": True,
        "counterfactual_spend": 1000,
    }


def test_two_browsers_and_a_command_line_at_once_lose_nothing(empty: Path, client_of: Serve, tmp_path: Path) -> None:
    one, two = client_of(empty), client_of(empty)
    names = [f"b{i}" for i in range(12)]

    def page(i: int) -> int:
        client = (one, two)[i % 2]
        data = {"records": json.dumps([record(names[i])])}
        return client.post("/experiments/import", headers=FORM, data=data).status_code

    def shell(i: int) -> int:
        file = tmp_path / f"c{i}.json"
        file.write_text(json.dumps([record(f"c{i}")]))
        command = [sys.executable, "-m", "theodolite", "experiments", "import", str(file), "--workspace", str(empty)]
        return subprocess.run(command, capture_output=True).returncode

    def read(i: int) -> int:
        return (one, two)[i % 2].get("/experiments").status_code

    with ThreadPoolExecutor(6) as pool:
        written = [*pool.map(page, range(12))], [*pool.map(shell, range(3))], [*pool.map(read, range(6))]
    assert written == ([303] * 12, [0] * 3, [200] * 6)
    study = Study.open(empty)
    assert {test.experiment_id for test in study.experiments()} == {*names, "c0", "c1", "c2"}
    assert study.store.verify() == []
    assert "b11" in one.get("/experiments").text
    assert "c2" in two.get("/experiments").text


def test_the_server_asks_nobody_anything(folder: Path, client_of: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def refused(*where: object, **_: object) -> None:
        asked.append(where)
        raise OSError("no way out")

    client = client_of(folder)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket.socket, "connect_ex", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    for _, path, _ in MENU:
        assert client.get(path).status_code == 200
    for place in ("vega.js", "charts.js", "app.js", "app.css", "blocks.css", "mark.svg"):
        assert client.get(f"/static/{place}").status_code == 200
    assert client.get("/api/v1/view").status_code == 200
    assert asked == []


def test_the_runtime_file_is_for_its_owner_only_and_goes_with_the_server(empty: Path) -> None:
    settings = Settings(empty, port=12345)
    with runtime_file(settings) as file:
        told = json.loads(file.read_text())
        assert told == {"url": "http://127.0.0.1:12345", "token": settings.token, "pid": os.getpid()}
        if os.name == "posix":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert not Study.open(empty).has_store, "it makes no store"
    assert not file.exists()


def test_a_port_that_is_taken_is_said_or_passed_over() -> None:
    from measurement.errors import DataError

    first = bound("127.0.0.1", 0)
    first.listen()
    port = first.getsockname()[1]
    with pytest.raises(DataError, match="--port 0"):
        bound("127.0.0.1", port)
    second = bound("127.0.0.1", port, any_port=True)
    assert second.getsockname()[1] != port
    first.close()
    second.close()
