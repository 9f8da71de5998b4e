"""theodolite experiments next, and its place in the report."""

import json
import re
from pathlib import Path

import pytest

from measurement.mmm.prior import prior
from measurement.simulate import geo, simulate
from theodolite.report.next_test import section
from theodolite.report.page import Points, TableBlock, plain
from theodolite.results import Fitted, save_fit
from theodolite.study import Study
from theodolite.workspace import Settings, initialise

QUICK = ("--duration", "4", "--geos", "2", "--horizon", "26", "--quiet")


def made(folder: Path, margin: float | None) -> Path:
    """A workspace of 12 markets whose fit is its prior: cheap, and as uncertain as can be."""
    world = simulate(geo(n_geos=12, weeks=80, channels=("tv", "radio", "social"), seed=4, n_tests=0))
    world.write(folder / "tables")
    media, outcome = str(folder / "tables" / "media.csv"), str(folder / "tables" / "outcome.csv")
    initialise(folder, media, outcome, None, {}, Settings(name="acme", kpi="revenue", margin=margin))
    return folder


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made(tmp_path_factory.mktemp("planner"), 0.5)
    study = Study.open(folder)
    save_fit(study.store, Fitted(prior(study.panel, study.spec, draws=200, seed=1), None, (), ()), "test")
    return folder


def test_it_ranks_explains_and_writes_what_is_asked_for(run, planned: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("plan.json", "page.html", "ranking.png")}
    options = ("--save", files["plan.json"], "--report", files["page.html"], "--chart", files["ranking.png"])
    done = run("experiments", "next", "-w", planned, *QUICK, *options)
    assert done.err == ""
    assert re.search(r"Test (tv|radio|social) next: (raise|stop) its spend", done.out)
    assert re.search(r"If it reads (below|above) [\d.]+ \(a chance of \d+", done.out)
    assert all(file.stat().st_size > 0 for file in files.values())
    record = json.loads(files["plan.json"].read_text())
    assert record["method"] in ("go_dark", "heavy_up")
    assert len(record["treatment_geos"]) == 2
    page = files["page.html"].read_text()
    assert "What to test next" in page
    assert "Nothing to test now" in page or "raise" in page
    kept = Study.open(planned).next_tests_kept()
    assert kept is not None
    texts = section(kept)
    assert texts.reader == "decide"
    (table,) = (block for block in texts.blocks if isinstance(block, TableBlock))
    assert len(table.rows) == len(kept.worthwhile)
    said = [plain(item) for block in texts.blocks if isinstance(block, Points) for item in block.items]
    assert any("The plan of today spends" in line for line in said)


def test_json_is_the_same_every_time(run, planned: Path) -> None:
    options = ("--json", "--seed", "3", "--channel", "tv", "--direction", "go_dark", "--per-test", "100")
    one, two = (run("experiments", "next", "-w", planned, *QUICK, *options) for _ in range(2))
    assert one.out == two.out
    found = json.loads(one.out)
    assert {test["channel"] for test in found["tests"]} == {"tv"}
    (test,) = found["tests"]
    assert test["cost"]["besides"] == 100.0
    assert set(test["evsi"]["estimators"]) == {"psis", "regression", "gaussian"}
    assert found["horizon"] == 26
    assert found["seed"] == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--channel", "tvv"), "did you mean 'tv'"),
        (("--direction", "dark"), "unknown direction 'dark'"),
        (("--duration", "four"), "--duration: found 'four'"),
        (("--geos", "2:x"), "--geos: found '2:x'"),
        (("--margin", "3"), "found a margin of 3"),
        (("--bound", "tv=3:1"), "tv"),
        (("--total", "1", "--direction", "go_dark", *QUICK), "the bounds of the channels allow"),
        (("--duration", "70"), "--duration: a test of 70 weeks"),
        (("--save", "tables/media.csv"), "there is no"),
    ],
)
def test_what_is_wrong_is_one_error_and_nothing_is_kept(
    run, planned: Path, options: tuple[str, ...], words: str
) -> None:
    before = Study.open(planned).head
    where = planned / "nowhere" if options[0] == "--save" else planned
    done = run("experiments", "next", "-w", where, "--quiet", *options)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err
    assert Study.open(planned).head == before


def test_without_margin_or_fit_it_says_what_to_do(run, tmp_path: Path) -> None:
    folder = made(tmp_path / "bare", None)
    done = run("experiments", "next", "-w", folder, *QUICK)
    assert done.code == 2
    assert "theodolite mmm fit" in done.err
    study = Study.open(folder)
    save_fit(study.store, Fitted(prior(study.panel, study.spec, draws=20, seed=1), None, (), ()), "test")
    done = run("experiments", "next", "-w", folder, *QUICK)
    assert done.code == 2
    assert "states no margin" in done.err


def test_one_market_has_no_geo_test(run, workspace: Path) -> None:
    done = run("experiments", "next", "-w", workspace, "--quiet")
    assert done.code == 2
    assert "market" in done.err
