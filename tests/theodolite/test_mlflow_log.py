"""What a run in MLflow holds, and that nothing goes anywhere else."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from measurement.errors import DataError
from theodolite import Study, cycle, mlflow_log, monitoring

pytest.importorskip("mlflow", reason="the extra [mlflow] is not installed")
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:sqlalchemy.*", "ignore::DeprecationWarning:mlflow.*", "ignore:The ``noload``"
)


@pytest.fixture
def tracking(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'runs.db'}"


@pytest.fixture
def client(tracking: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking)


def test_a_run_holds_settings_hashes_numbers_and_the_report(
    workspace: Path, tracking: str, tmp_path: Path, client: Any
) -> None:
    study = Study.open(workspace, actor="Ada")
    study.reconcile(seed=1)
    (workspace / "month.html").write_text("<p>the report</p>", "utf-8")
    steps = (cycle.Step("check", "no errors", 0.5), cycle.Step("fit", "warm", 2.0))
    found = cycle.Cycle(steps, None, monitoring.look(study), workspace / "month.html")
    logged = mlflow_log.log(study, tracking, cycle=found)
    run = client.get_run(logged.run)
    assert run.info.status == "FINISHED"
    fitted = study.fitted()
    assert run.data.tags["theodolite.data"] == study.panel.sha256
    assert run.data.tags["theodolite.fit"] == fitted.best.provenance.sha256
    assert run.data.tags["theodolite.actor"] == "Ada"
    assert run.data.tags["theodolite.ok"] == str(found.ok).lower()
    assert run.data.params["seed"] == "1"
    assert run.data.params["likelihood"] == fitted.best.spec.likelihood
    assert run.data.metrics["cycle.seconds"] == 2.5
    summary, view = study.fit_summary(), study.view()
    assert run.data.metrics["fit.r_hat"] == pytest.approx(summary["r_hat"])
    for channel in view.channels:
        key = f"view.iroas_median.{channel.channel}"
        assert (key in run.data.metrics) == (channel.iroas is not None)
        if channel.iroas is not None:
            assert run.data.metrics[key] == pytest.approx(channel.iroas.median)
    kept = {item.path for item in client.list_artifacts(logged.run)}
    assert {"fit.json", "view.json", "cycle.json", "specification.json", "month.html"} <= kept
    read = client.download_artifacts(logged.run, "view.json", str(tmp_path))
    assert json.loads(Path(read).read_text("utf-8"))["seed"] == view.seed

    again = mlflow_log.log(study, tracking)
    assert (again.experiment, again.run != logged.run) == (logged.experiment, True), "a run of its own each time"
    assert "cycle.json" not in {item.path for item in client.list_artifacts(again.run)}


@pytest.mark.parametrize("uri", ["", "runs", "runs/here", "file:///tmp/runs", "ftp://host/x"])
def test_an_address_that_nothing_is_written_to_is_refused(uri: str) -> None:
    with pytest.raises(DataError, match="no address that MLflow writes to"):
        mlflow_log.refuse(uri)


def test_a_place_that_cannot_be_written_is_one_message_without_the_password(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="MLflow cannot write to") as caught:
        mlflow_log.refuse(f"sqlite:///{tmp_path / 'file' / 'runs.db'}")
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError) as hidden:
        mlflow_log.refuse("nosuch://ada:secret@host/runs")
    assert "secret" not in str(hidden.value)


def test_names_of_channels_become_keys_that_differ() -> None:
    quantity = {"median": 1.0, "low": 0.5, "high": 2.0}
    names = ["tv", "a/b", "a?b", "../../etc", "Zürich <b>", "x" * 400]
    made = dict(mlflow_log._by_channel("fit", "iroas", [{"channel": name, "iroas": quantity} for name in names]))
    assert len(made) == 3 * len(names)
    assert all(len(key) <= 250 and "/" not in key and "<" not in key for key in made)
    assert "fit.iroas_low.tv" in made
    assert list(mlflow_log._by_channel("view", "iroas", [{"channel": "tv", "iroas": None}])) == []


def test_the_command_refuses_before_it_works(workspace: Path, run: Callable[..., Any]) -> None:
    before = len(Study.open(workspace).store.events())
    done = run("cycle", "--workspace", workspace, "--mlflow", "somewhere")
    assert (done.code, "sqlite:///runs.db" in done.err) == (2, True)
    assert len(Study.open(workspace).store.events()) == before


GUARDED = """
import socket, sys, warnings
warnings.simplefilter("ignore")
tried = []
socket.socket.connect = lambda self, where: tried.append(where)
socket.getaddrinfo = lambda *where, **_: tried.append(where) or []
from theodolite import Study, mlflow_log
mlflow_log.log(Study.open(sys.argv[1]), sys.argv[2])
assert tried == [], tried
print("kept to itself")
"""


def test_it_reaches_nothing_else(workspace: Path, tracking: str, tmp_path: Path) -> None:
    """In a process of its own: MLflow keeps its usage reports back under pytest anyway."""
    told = {"PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"}
    free = {name: value for name, value in os.environ.items() if name not in told} | {"HOME": str(tmp_path)}
    command = [sys.executable, "-c", GUARDED, str(workspace), tracking]
    done = subprocess.run(command, capture_output=True, text=True, env=free, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "kept to itself"
