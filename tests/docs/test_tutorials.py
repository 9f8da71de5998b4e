"""Every block of the tutorials runs, in order, on a small company made as the demo's is.

The tutorial of those who measure runs with every test, half a minute of the processor with the company's own fit; the
other three take a minute and a half (searches for designs, rankings, further models and a cycle) and run with the slow
tests. That every command exists with its options, that every plan is accepted and that all Python compiles is tested
beside the other pages (`test_docs`).
"""

import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from docs import build
from measurement.simulate import demo, simulate
from theodolite import Study, cycle
from theodolite import demo as whole
from theodolite.cli import main
from theodolite.workspace import write_new

BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(path.name for path in build.SOURCE.glob("tutorial-*.md"))
QUICK = "tutorial-measure.md"
MARKETS = ("Hamburg", "Bremen", "Bayern", "Hessen", "Sachsen", "Sachsen-Anhalt", "Berlin", "Thüringen")


@dataclass(frozen=True)
class Block:
    """One block of a page: its language, what stands behind that, its text."""

    language: str
    info: str
    text: str


def blocks(page: str) -> Iterator[Block]:
    for language, info, text in BLOCK.findall((build.SOURCE / page).read_text("utf-8")):
        yield Block(language, info.strip(), text)


def short(fit: Callable[..., Any]) -> Callable[..., Any]:
    """The same fit with few draws: what blocks do is tried here, not what their numbers are."""

    def fitted(study: Study, **settings: Any) -> Any:
        return fit(study, **{**settings, "chains": 2, "warmup": 50, "draws": 50})

    return fitted


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's company with half of its markets and six weeks of journeys; fitted and reconciled."""
    folder = tmp_path_factory.mktemp("tutorials") / "demo"
    settings = demo(seed=7)
    people = dict(zip(settings.geos, settings.population, strict=True))
    trials = tuple(replace(trial, treated=3) for trial in settings.trials)
    small = replace(
        settings,
        geos=MARKETS,
        population=tuple(people[name] for name in MARKETS),
        trials=trials,
        journey_weeks=6,
    )
    world = simulate(small)
    world.write(folder)
    write_new(folder, whole._configuration(world))
    study = Study.open(folder)
    study.import_experiments(folder / "experiments.json")
    short(Study.fit)(study, seed=7)
    study.attribute(models=["last", "linear", "markov:1"], seed=7)
    study.reconcile(seed=7)
    return folder


def run_command(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line)
    if words[0] == "make":
        assert words[1] in {"demo", "test"}
        return
    assert words[0] == "theodolite", line
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (None, 0, 1), line  # 1: a gate failed, as a fit of few draws may


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=() if page == QUICK else pytest.mark.slow) for page in PAGES]
)
def test_every_block_runs(
    page: str, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(company, tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Study, "fit", short(Study.fit))
    names: dict[str, object] = {}
    done = 0
    for block in blocks(page):
        if block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                run_command(line, monkeypatch)
        elif block.language == "python":
            exec(compile(block.text, page, "exec"), names)  # noqa: S102 - our own documentation
        else:
            name = block.info.split()[-1]
            (tmp_path / name).write_text(block.text, "utf-8")
            assert block.language == "json" or tomllib.loads(block.text)
        done += 1
    assert done >= 4
    assert "Traceback" not in capsys.readouterr().err
    if page == "tutorial-measure.md":
        tests = {test.experiment_id: test.state for test in Study.open("demo").registry.list()}
        assert tests["radio-dark-2030"] == "approved"
        assert Study.open("demo").resolutions()
    if page == "tutorial-decide.md":
        study = Study.open("demo")
        assert [plan.name for plan in study.plans.all()] == ["third quarter"]
        assert study.store.events(kind=cycle.RAN)


def test_every_user_has_a_tutorial() -> None:
    assert PAGES == ["tutorial-compare.md", "tutorial-decide.md", "tutorial-measure.md", "tutorial-plan.md"]
