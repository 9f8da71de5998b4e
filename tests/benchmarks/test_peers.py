"""The harness of the benchmarks: environments of peers, seconds, tables of studies. No package index is asked."""

import csv
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="a source distribution holds no benchmarks")


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    import peers

    return peers


@pytest.fixture
def peer(tmp_path: Path) -> Path:
    """A peer that doubles a number, needs nothing, and says where it runs."""
    folder = tmp_path / "peers" / "doubler"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "run.py").write_text(
        "import json, sys\n"
        "from timing import least\n"
        "task = json.load(sys.stdin)\n"
        "if task['number'] < 0: raise ValueError('too small for me')\n"
        "print('chatter')\n"
        "seconds, twice = least(2, lambda: 2 * task['number'])\n"
        "print(json.dumps({'twice': twice, 'prefix': sys.prefix}))\n"
    )
    return folder


def test_a_peer_runs_in_its_own_environment_which_is_kept(harness: ModuleType, peer: Path, tmp_path: Path) -> None:
    places = (peer.parent, tmp_path / "made")
    found = harness.run("doubler", {"number": 21}, *places)
    assert found["twice"] == 42
    assert Path(found["prefix"]) == tmp_path / "made" / "doubler"
    assert Path(found["prefix"]) != Path(sys.prefix)

    mark = tmp_path / "made" / "doubler" / "mark"
    mark.touch()
    harness.environment("doubler", *places)
    assert mark.exists(), "an environment that is there was made again"
    with pytest.raises(harness.Unavailable, match="ValueError: too small for me"):
        harness.run("doubler", {"number": -1}, *places)

    (peer / "requirements.txt").write_text("# nothing, but otherwise\n")
    harness.environment("doubler", *places)
    assert not mark.exists(), "an environment of other requirements was kept"


def test_a_peer_that_cannot_be_installed_is_said_and_tried_again(
    harness: ModuleType, peer: Path, tmp_path: Path
) -> None:
    (peer / "requirements.txt").write_text("no-such-peer-anywhere==1.0\n")
    for _ in range(2):
        with pytest.raises(harness.Unavailable, match="no-such-peer-anywhere"):
            harness.run("doubler", {"number": 1}, peer.parent, tmp_path / "made")


def test_every_peer_is_pinned_and_has_its_script(harness: ModuleType) -> None:
    folders = [path for path in (BENCHMARKS / "peers").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert folders
    for folder in folders:
        lines = (folder / "requirements.txt").read_text("utf-8").splitlines()
        assert lines, folder
        assert all("==" in line for line in lines), folder
        compile((folder / "run.py").read_text("utf-8"), "run.py", "exec")


def test_environments_of_peers_stay_out_of_the_repository(harness: ModuleType) -> None:
    root = BENCHMARKS.parent
    assert "/build/" in (root / ".gitignore").read_text("utf-8").splitlines()
    assert harness.ENVIRONMENTS.is_relative_to(root / "build")


def test_seconds_count_threads_and_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from timing import least

    burn = "import time\nwhile time.process_time() < 0.3: pass"
    seconds, done = least(2, lambda: subprocess.run([sys.executable, "-c", burn]).returncode)
    assert done == 0
    assert seconds > 0.25


def test_a_table_of_a_study_says_what_made_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from tables import write

    rows = [{"panel": "a | b", "coverage": 0.90123456, "sets": 5000}, {"panel": "c", "coverage": 1.0, "sets": 12}]
    page = write("coverage", "How often.", rows, runs=5000, seed=7, folder=tmp_path)
    assert "5,000 runs, seed 7" in page
    assert "theodolite" in page
    assert "| a \\| b | 0.9012 | 5000 |" in page
    assert (tmp_path / "coverage.md").read_text() == page
    with (tmp_path / "coverage.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["panel", "coverage", "sets"], ["a | b", "0.9012", "5000"], ["c", "1", "12"]]
    assert write("coverage", "How often.", rows, runs=5000, seed=7, folder=tmp_path) == page
