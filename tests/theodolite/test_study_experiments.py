"""Experiments from a workspace, in Python and on the command line: the same numbers by every door."""

import json
from pathlib import Path

import numpy as np
import pytest

from theodolite import Study
from theodolite.workspace import Settings, initialise

GEOS = [f"town {i:02d}" for i in range(14)]
GOAL = {"channel": "TV", "durations": "4", "geos": "2:3", "iroas": "3"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of 14 towns over 60 weeks, in which TV goes by another name elsewhere."""
    rng = np.random.default_rng(6)
    where = tmp_path_factory.mktemp("study")
    weeks = np.datetime64("2023-01-02") + 7 * np.arange(60)
    common = 1 + 0.05 * rng.normal(size=60)
    sold, spent = ["date,geo,revenue"], ["date,geo,channel,spend"]
    for i, geo in enumerate(GEOS):
        sales = 1000 * (1 + i / 5) * common * (1 + 0.02 * rng.normal(size=60))
        sold += [f"{week},{geo},{value:.2f}" for week, value in zip(weeks, sales, strict=True)]
        spent += [f"{week},{geo},tv,{40 * (1 + i / 5):.2f}" for week in weeks]
    (where / "outcome.csv").write_text("\n".join(sold) + "\n")
    (where / "media.csv").write_text("\n".join(spent) + "\n")
    others = dict.fromkeys(("experiments", "touchpoints", "platform"))
    names = str(where / "media.csv"), str(where / "outcome.csv")
    initialise(where / "acme", *names, None, others, Settings("acme", "revenue", None, 0.5, "CHF"))
    config = where / "acme" / "theodolite.toml"
    config.write_text(config.read_text().replace("# aliases = []", 'aliases = ["TV"]'))
    return where / "acme"


def test_a_study_designs_in_its_own_terms(folder: Path) -> None:
    found = Study.open(folder).design(GOAL)
    best = found.best
    assert best.goal.channel == ("tv",), "an alias is resolved"
    assert best.period == "week"
    assert best.cost.currency == "CHF"
    sizes = 1 + np.array([GEOS.index(geo) for geo in best.treatment_geos]) / 5
    assert best.cost.spend_delta == pytest.approx(-4 * 40 * sizes.sum(), rel=0.01)


def test_the_command_line_prints_the_same(run, folder: Path) -> None:
    ask = ("experiments", "design", "-w", folder, "--channel", "TV", "--duration", "4", "--geos", "2:3", "--iroas", "3")
    printed = json.loads(run(*ask, "--json").out)
    expected = Study.open(folder).design(GOAL).to_dict()
    assert printed["recommendation"] == expected["recommendation"]
    assert [each["mde"] for each in printed["designs"]] == [each["mde"] for each in expected["designs"]]


def test_power_of_given_markets(folder: Path) -> None:
    found = Study.open(folder).power(GOAL | {"treatment_geos": ("town 02", "town 03"), "geos": "2"})
    assert found.treatment_geos == ("town 02", "town 03")
    assert 0 < found.mde < 0.2


def test_a_record_is_analysed_on_the_studys_tables_and_has_a_page(run, folder: Path, tmp_path: Path) -> None:
    record = {
        "experiment_id": "past",
        "channel": "tv",
        "method": "go_dark",
        "treatment_geos": GEOS[2:4],
        "start_date": "2024-01-15",
        "end_date": "2024-02-11",
        "spend_delta": -500.0,
    }
    file, page = tmp_path / "past.json", tmp_path / "past.html"
    file.write_text(json.dumps(record))
    ended = run("experiments", "analyse", "--experiment", file, "-w", folder, "--report", page)
    assert ended.code == 0
    assert "CHF" in ended.out
    assert "break-even" in ended.out
    text = page.read_text(encoding="utf-8")
    assert "acme" in text
    assert "break-even 2.00" in text


def test_a_test_of_the_study_has_its_page_beside_it(folder: Path, tmp_path: Path) -> None:
    study = Study.open(folder)
    result = {
        "experiment_id": "tv 2024",
        "channel": ["tv"],
        "method": "go_dark",
        "treatment_geos": GEOS[:2],
        "start_date": "2024-01-15",
        "end_date": "2024-02-11",
        "estimand": "iroas",
        "estimate": 2.0,
        "std_error": 0.5,
        "spend_delta": -500.0,
    }
    file = tmp_path / "tests.json"
    file.write_text(json.dumps([result]))
    study.import_experiments(file)
    page = study.experiment_page("tv 2024")
    assert page.parent == folder / "experiments"
    assert "What came out" in page.read_text(encoding="utf-8")
    assert study.analyse("tv 2024").p_value == study.dossier("tv 2024").results[0].p_value
