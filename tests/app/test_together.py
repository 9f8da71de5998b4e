"""Several at once: browsers, the API and the command line write and lose nothing; the server asks nobody anything."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from measurement.errors import DataError, StoreError
from tests.app.conftest import serving
from theodolite.app.jobs import Jobs
from theodolite.app.serving import bound, runtime_file, serve
from theodolite.app.settings import Settings
from theodolite.app.shell import MENU
from theodolite.cli.commands import app
from theodolite.doctor import served
from theodolite.study import Study
from theodolite.talking import running

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
        assert told == {
            "url": "http://127.0.0.1:12345",
            "token": settings.token,
            "pid": os.getpid(),
            "folder": str(empty.resolve()),
        }
        if os.name == "posix":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert not Study.open(empty).has_store, "it makes no store"
    assert not file.exists()


def test_a_port_that_is_taken_is_said_or_passed_over() -> None:
    first = bound("127.0.0.1", 0)
    first.listen()
    port = first.getsockname()[1]
    with pytest.raises(DataError, match="--port 0"):
        bound("127.0.0.1", port)
    second = bound("127.0.0.1", port, any_port=True)
    assert second.getsockname()[1] != port
    first.close()
    second.close()


def test_the_command_line_talks_to_the_running_server(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Jobs, "_start_next", lambda _: None)  # what is asked for waits
    runner = CliRunner()

    def told(*words: str) -> Any:
        return runner.invoke(app, ["jobs", *words, "--workspace", str(empty)])

    nobody = told("list")
    assert isinstance(nobody.exception, StoreError)
    assert "theodolite serve" in str(nobody.exception)
    for server in serving(empty):
        with runtime_file(server.settings):
            assert json.loads(told("list", "--json").stdout) == {"jobs": []}
            job = json.loads(told("begin", "fit", "--set", "draws=300", "--json").stdout)
            assert (job["state"], job["settings"]["draws"], job["actor"]) == ("waiting", 300, "local")
            wrong = told("begin", "fitt")
            assert isinstance(wrong.exception, DataError)
            assert "did you mean 'fit'" in str(wrong.exception)
            assert told("begin", "fit", "--set", "draws").exit_code == 2
            assert job["id"] in told("list").stdout
            assert json.loads(told("cancel", job["id"], "--json").stdout)["state"] == "cancelled"
            ended = told("show", job["id"], "--follow")
            assert ended.exit_code == 1, "a job that was cancelled is no success"
            assert isinstance(told("show", "../keys").exception, DataError)
            (found,) = served(empty)
            assert server.settings.url in found.detail
            said: list[str] = []
            serve(replace(server.settings, token="another"), browser=False, say=said.append)  # noqa: S106
            assert "already" in said[0]
            assert server.settings.token in said[1]
            home = empty / ".theodolite" / "server.json"
            known = json.loads(home.read_text())
            home.write_text(json.dumps(known | {"url": known["url"].replace("127.0.0.1", "measure.example.org")}))
            assert running(empty) is None, "its secret is told to nobody elsewhere"
            home.write_text(json.dumps(known | {"folder": str(empty.parent)}))
            assert running(empty) is None, "the server of the workspace that this one was copied from is another's"
            home.write_text(json.dumps(known))
            assert running(empty) is not None
    home.write_text(json.dumps({"url": server.settings.url, "token": "x", "pid": 1, "folder": str(empty.resolve())}))
    assert running(empty) is None
    assert "left behind" in served(empty)[0].detail
