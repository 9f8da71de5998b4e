"""The examples run: notebooks as plain Python, schedules with stand-ins for their tools, the image by its parts."""

import runpy
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import typer

from theodolite import Study

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="a source distribution holds no examples")


def run_notebook(name: str) -> tuple[list[Any], dict[str, Any]]:
    app = runpy.run_path(str(EXAMPLES / f"{name}.py"))["app"]
    outputs, defined = app.run()
    return list(outputs), dict(defined)


def test_credit_is_set_against_what_was_caused() -> None:
    outputs, found = run_notebook("who_gets_the_credit")
    assert {"tv", "radio"} <= set(found["unseen"]), "offline channels leave no touch"
    overstated = found["overstated"]
    assert overstated["brand_search"] > 2 > overstated["video"]
    assert sum(output is not None for output in outputs) >= 4


def test_a_test_is_planned_and_read() -> None:
    _, found = run_notebook("plan_and_read_a_test")
    record, result, lift = found["plan"].record(), found["result"], found["lift"]
    assert 2 <= len(record.treatment_geos) <= 4
    assert len(record.assignment.candidates) > 1
    assert lift.low < -0.05 < lift.high
    assert result.p_value < 0.1


class Stand:
    """Says what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, *names: Any, **settings: Any) -> Any:
        self.calls.append(settings)
        return names[0] if names and callable(names[0]) else lambda wrapped: wrapped


def module(name: str, **things: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(things)
    return made


def test_the_airflow_task_is_a_command_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    from theodolite.cli.commands import app

    task, dag = Stand(), Stand()
    parents = ["airflow", "airflow.providers", "airflow.providers.standard", "airflow.providers.standard.operators"]
    for name in parents:
        monkeypatch.setitem(sys.modules, name, module(name))
    place = "airflow.providers.standard.operators.bash"
    monkeypatch.setitem(sys.modules, place, module(place, BashOperator=task))
    monkeypatch.setitem(sys.modules, "airflow.sdk", module("airflow.sdk", dag=dag))
    monkeypatch.setitem(sys.modules, "pendulum", module("pendulum", datetime=lambda *_, **__: None))
    runpy.run_path(str(EXAMPLES / "schedule" / "airflow_dag.py"))
    (asked,) = task.calls
    assert asked["skip_on_exit_code"] == 1
    words = shlex.split(asked["bash_command"])
    command: Any = typer.main.get_command(app)
    assert words[0] == "theodolite"
    command.commands[words[1]].make_context("cycle", words[2:])
    assert dag.calls[0]["schedule"] == "0 6 3 * *"


@pytest.mark.parametrize("ok", [True, False])
def test_the_prefect_flow_says_what_came_of_it(ok: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, str]] = []

    def state(kind: str) -> Callable[..., None]:
        return lambda message="": made.append((kind, message))

    logger = SimpleNamespace(info=lambda *_: None)
    monkeypatch.setitem(sys.modules, "prefect", module("prefect", flow=Stand(), get_run_logger=lambda: logger))
    states = module("prefect.states", Completed=state("completed"), Failed=state("failed"))
    monkeypatch.setitem(sys.modules, "prefect.states", states)
    item = SimpleNamespace(subject="tv", words="contradicts the model.", pressing=True)
    found = SimpleNamespace(ok=ok, state=SimpleNamespace(review=() if ok else (item,), plans=()))
    monkeypatch.setattr("theodolite.cycle.run", lambda study, say: found)
    monkeypatch.setattr(Study, "open", lambda folder, actor: (folder, actor))
    runpy.run_path(str(EXAMPLES / "schedule" / "prefect_flow.py"))["month"]("acme")
    assert made == ([("completed", "")] if ok else [("failed", "tv contradicts the model.")])


def test_the_image_takes_in_all_that_the_wheel_needs() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert all((ROOT / name).exists() for name in copied)
    packages = {"measurement", "experiments", "attribution", "calibration", "theodolite"}
    assert packages | {"pyproject.toml", "requirements.lock", "README.md", "LICENSE"} <= set(copied)
    assert 'ENTRYPOINT ["theodolite"]' in lines
    assert any(line.startswith("USER ") for line in lines), "not as root"
