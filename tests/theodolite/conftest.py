"""A small company in a workspace, fitted once for all tests of the front door."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from measurement.simulate import national, simulate
from theodolite.cli import main


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["theodolite", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        seen = capsys.readouterr()
        return Outcome(code if isinstance(code, int) else 0 if code is None else 1, seen.out, seen.err)

    return call


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a national company with three channels, a test of one of them, and journeys."""
    folder = tmp_path_factory.mktemp("company") / "tables"
    world = simulate(national(weeks=80, channels=("tv", "social", "brand_search"), seed=5, n_tests=1, journey_weeks=6))
    world.write(folder)
    return folder


@pytest.fixture(scope="session")
def fitted_workspace(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with imported tests and a short fit. Do not write to it: copy it with `workspace`."""
    from theodolite.study import Study
    from theodolite.workspace import Settings, initialise

    folder = tmp_path_factory.mktemp("acme")
    others = {"touchpoints": str(tables / "touchpoints.parquet"), "platform": str(tables / "platform.csv")}
    media, outcome = str(tables / "media.csv"), str(tables / "outcome.csv")
    initialise(folder, media, outcome, None, others, Settings(name="acme", kpi="revenue", margin=0.5))
    study = Study.open(folder)
    study.import_experiments(tables / "experiments.json")
    study.fit(seed=1, chains=2, warmup=150, draws=250)
    return folder


@pytest.fixture
def workspace(fitted_workspace: Path, tmp_path: Path, tables: Path) -> Path:
    """A copy of the fitted workspace that a test may change."""
    copy = tmp_path / "acme"
    shutil.copytree(fitted_workspace, copy)
    text = (copy / "theodolite.toml").read_text()
    for name in ("media.csv", "outcome.csv", "touchpoints.parquet", "platform.csv"):
        text = "\n".join(
            f'{line.split(" = ")[0]} = "{(tables / name).as_posix()}"'
            if line.endswith(f'{name}"') and not line.startswith("#")
            else line
            for line in text.split("\n")
        )
    (copy / "theodolite.toml").write_text(text)
    return copy
