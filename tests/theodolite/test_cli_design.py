"""Planning a test on the command line, on bare files: choices, constraints, records, pages, refusals."""

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

DAYS = 91
GEOS = [f"town {i:02d}" for i in range(16)]
ASK = ("--channel", "tv", "--duration", "14", "--geos", "2:3", "--iroas", "2")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen towns over thirteen weeks, with their side of the country, and a name that looks like markup."""
    rng = np.random.default_rng(8)
    day = np.arange(DAYS)
    common = 1 + 0.1 * np.sin(2 * np.pi * day / 7) + 0.05 * rng.normal(size=DAYS)
    file = tmp_path_factory.mktemp("plan") / "outcome.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["date", "geo", "side", "sales", "orders"])
        for i, geo in enumerate(["<b>Paris, Texas</b>", *GEOS[1:]]):
            sales = 100 * (1 + i / 4) * common * (1 + 0.03 * rng.normal(size=DAYS))
            for date, value in zip(np.datetime64("2024-01-01") + day, sales, strict=True):
                writer.writerow([date, geo, "east" if i % 2 else "west", f"{value:.2f}", f"{value / 9:.4f}"])
    return file


def design(outcome: Path, *more: object) -> tuple[object, ...]:
    return ("experiments", "design", "--outcome", outcome, "--kpi", "sales", *ASK, *more)


@pytest.fixture(scope="module")
def planned(outcome: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path, Path]:
    """One search as JSON, with the record and the page that it wrote."""
    folder = tmp_path_factory.mktemp("planned")
    record, page = folder / "plan.json", folder / "plan.html"
    arguments = design(
        outcome,
        "--kpi",
        "orders",
        "--save",
        record,
        "--report",
        page,
        "--json",
        "--must-include",
        '"<b>Paris, Texas</b>"',
    )
    done = subprocess.run(
        [sys.executable, "-m", "theodolite", *map(str, arguments)], capture_output=True, text=True, check=True
    )  # fmt: skip
    return json.loads(done.stdout), record, page


def test_designs_are_ranked_and_hold_what_the_contract_promises(planned: tuple[dict, Path, Path]) -> None:
    found = planned[0]
    promised = {
        "treatment_geos",
        "control_geos",
        "duration",
        "mde",
        "power_curve",
        "cost",
        "false_positive_rate",
        "score",
    }
    assert all(promised <= set(each) for each in found["designs"])
    scores = [each["score"] for each in found["designs"]]
    assert scores == sorted(scores, reverse=True)
    assert {len(each["treatment_geos"]) for each in found["designs"]} <= {2, 3}
    assert all("<b>Paris, Texas</b>" in each["treatment_geos"] for each in found["designs"])
    assert found["recommendation"].endswith(".")
    assert list(found["other_kpis"]) == ["orders"]


def continued(outcome: Path, target: Path, treated: set[str], end: str) -> Path:
    """The same towns go on as they were, and the treated ones sell less by three tenths."""
    rng = np.random.default_rng(1)
    with outcome.open(newline="") as opened:
        past = list(csv.DictReader(opened))
    with target.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(past[0]))
        writer.writeheader()
        writer.writerows(past)
        for row in past:
            day = np.datetime64(row["date"]) + np.timedelta64(DAYS, "D")
            if day <= np.datetime64(end):
                change = (0.7 if row["geo"] in treated else 1.0) * rng.normal(1, 0.01)
                writer.writerow(row | {"date": str(day), "sales": f"{float(row['sales']) * change:.2f}"})
    return target


def test_the_record_is_the_chosen_design_and_can_be_analysed(
    run, planned: tuple[dict, Path, Path], outcome: Path, tmp_path: Path
) -> None:
    found, record, _ = planned
    plan = json.loads(record.read_text())
    assert plan["treatment_geos"] == found["designs"][0]["treatment_geos"]
    assert plan["start_date"] == "2024-04-01", "the day after the data"
    assert plan["assignment"]["candidates"]
    later = continued(outcome, tmp_path / "later.csv", set(plan["treatment_geos"]), plan["end_date"])
    ended = run("experiments", "analyse", "--outcome", later, "--experiment", record, "--kpi", "sales", "--json")
    result = json.loads(ended.out)
    assert result["relative_lift"]["low"] < -0.3 < result["relative_lift"]["high"] < 0
    assert result["incremental_outcome"]["estimate"] > 0, "cutting good ads: what they brought is positive"


def test_the_page_tells_the_plan_and_names_stay_names(planned: tuple[dict, Path, Path]) -> None:
    text = planned[2].read_text(encoding="utf-8")
    assert "&lt;b&gt;Paris, Texas&lt;/b&gt;" in text
    assert "<b>Paris" not in text
    for heading in ("The question", "What to do", "The markets", "The calendar", "What it can find", "The choices"):
        assert f">{heading}</h3>" in text


def test_the_text_leads_with_the_recommendation_and_ends_with_what_to_mind(run, outcome: Path) -> None:
    printed = run(*design(outcome, "--cooldown", 7))
    lines = printed.out.splitlines()
    assert lines[0].startswith("Stop tv in ")
    assert "cool-down to" in printed.out
    assert "drawn by lot" in printed.out
    assert "Mind: " in printed.out
    assert "--save FILE" in lines[-1]


def test_strata_come_from_a_column_and_quotas_hold(run, outcome: Path) -> None:
    found = json.loads(
        run(*design(outcome, "--strata", "side", "--quota", "east=2:2", "--quota", "west=0:1", "--json")).out
    )
    with outcome.open(newline="") as opened:
        side = {row["geo"]: row["side"] for row in csv.DictReader(opened)}
    for each in found["designs"]:
        assert [side[geo] for geo in each["treatment_geos"]].count("east") == 2
    wrong = run(*design(outcome, "--strata", "sied"))
    assert wrong.code == 2
    assert "did you mean 'side'" in wrong.err


def test_strata_come_from_a_file_too(run, outcome: Path, tmp_path: Path) -> None:
    file = tmp_path / "strata.csv"
    file.write_text(
        "geo,stratum\n" + "".join(f"{geo},{'low' if i < 8 else 'high'}\n" for i, geo in enumerate(GEOS) if i)
    )
    found = json.loads(run(*design(outcome, "--strata", file, "--quota", "high=0:0", "--json")).out)
    assert all(geo < "town 08" for each in found["designs"] for geo in each["treatment_geos"])


def test_the_same_seed_gives_the_same_designs_and_the_pick_is_saved(run, outcome: Path, tmp_path: Path) -> None:
    first, second = (run(*design(outcome, "--seed", 3, "--json")).out for _ in range(2))
    assert first == second
    record = tmp_path / "second.json"
    run(
        *design(
            outcome, "--seed", 3, "--pick", 2, "--start", "2024-05-06", "--id", "spring", "--save", record, "--json"
        )
    )
    plan = json.loads(record.read_text())
    assert plan["treatment_geos"] == json.loads(first)["designs"][1]["treatment_geos"]
    assert (plan["experiment_id"], plan["start_date"], plan["end_date"]) == ("spring", "2024-05-06", "2024-05-19")


def test_power_of_markets_that_are_given(run, outcome: Path) -> None:
    ask = ("experiments", "power", "--outcome", outcome, "--kpi", "sales", "--channel", "tv", "--duration", "7,14")
    found = json.loads(run(*ask, "--markets", "town 03,town 04", "--json").out)
    assert {tuple(each["treatment_geos"]) for each in found["designs"]} == {("town 03", "town 04")}
    assert {each["duration"] for each in found["designs"]} == {7, 14}
    assert "chosen by you" in run(*ask, "--markets", "town 03,town 04").out
    assert "did you mean 'town 03'" in run(*ask, "--markets", "twon 03").err
    assert "name the markets" in run(*ask).err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--must-include", "town 1", "--exclude", "x"), ("--must-include: unknown", "--exclude: unknown")),
        (("--geos", "3:2"), ("--geos: found 3:2",)),
        (("--duration", "fortnight"), ("--duration: found 'fortnight'",)),
        (("--cluster", "town 01"), ("--cluster: found 'town 01'",)),
        (("--quota", "east"), ("--quota: found 'east'",)),
        (("--must-include", "town 01", "--exclude", "town 01"), ("town 01",)),
        (("--pick", "99"), ("--pick: found 99",)),
        (("--start", "1.5.2024"), ("--start: found '1.5.2024'",)),
        (("--id", "a/b"), ("a/b",)),
        (("--direction", "go-dark"), ("did you mean 'go_dark'",)),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_explained(run, outcome: Path, more: tuple[str, ...], words: tuple[str, ...]) -> None:
    ended = run(*design(outcome, *more))
    assert (ended.code, ended.out) == (2, "")
    assert all(word in ended.err for word in words), ended.err
    assert "Traceback" not in ended.err


def test_ctrl_c_ends_a_search_and_nothing_is_written(outcome: Path, tmp_path: Path) -> None:
    record = tmp_path / "plan.json"
    arguments = design(outcome, "--geos", "2:7", "--duration", "7,14,21", "--save", record)
    command = [sys.executable, "-m", "theodolite", *map(str, arguments)]
    search = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert search.stderr is not None
    for line in search.stderr:
        if "searching" in line:
            break
    search.send_signal(signal.SIGINT)
    out, err = search.communicate(timeout=300)
    assert (search.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_several_cells_are_planned_and_analysed_together(run, outcome: Path, tmp_path: Path) -> None:
    record, page = tmp_path / "cells.json", tmp_path / "cells.html"
    made = run(*design(outcome, "--geos", "2", "--cells", 2, "--save", record, "--report", page))
    assert made.code == 0
    assert "Treated in cell 2" in made.out
    plans = json.loads(record.read_text())
    assert len({plan["cell_of"] for plan in plans}) == 1
    assert not set(plans[0]["treatment_geos"]) & set(plans[1]["treatment_geos"])
    text = page.read_text(encoding="utf-8")
    assert f"<h1><bdi>{plans[0]['cell_of']}</bdi></h1>" in text
    later = continued(outcome, tmp_path / "later.csv", set(plans[0]["treatment_geos"]), plans[0]["end_date"])
    ask = ("experiments", "analyse", "--outcome", later, "--experiment", record, "--kpi", "sales")
    found = json.loads(run(*ask, "--json").out)
    lifts = [cell["relative_lift"]["estimate"] for cell in found["cells"]]
    assert lifts == pytest.approx([-0.3, 0.0], abs=0.1)
    printed = run(*ask).out
    assert f"{plans[1]['experiment_id']} minus {plans[0]['experiment_id']}" in printed


def test_a_switchback_is_planned_with_its_schedule(run, outcome: Path, tmp_path: Path) -> None:
    record, page = tmp_path / "switch.json", tmp_path / "switch.html"
    ask = ("experiments", "design", "--outcome", outcome, "--kpi", "sales", "--channel", "tv", "--duration", "42")
    made = run(*ask, "--method", "switchback", "--block", "3", "--burn-in", 1, "--save", record, "--report", page)
    assert made.code == 0
    plan = json.loads(record.read_text())
    assert plan["method"] == "switchback"
    assert len(plan["schedule"]) == 14
    assert sum(block["on"] for block in plan["schedule"]) == 7
    assert "When it is on and off" in page.read_text(encoding="utf-8")
    assert "did you mean 'switchback'" in run(*ask, "--method", "switch-back").err


def test_a_test_on_users_is_planned_by_what_is_known_of_them(run, tmp_path: Path) -> None:
    record, page = tmp_path / "users.json", tmp_path / "users.html"
    ask = ("experiments", "design-users", "--channel", "social", "--rate", 0.02, "--users-per-day", 5000)
    made = run(*ask, "--start", "2024-06-03", "--lift", 0.05, "--save", record, "--report", page, "--json")
    found = json.loads(made.out)["designs"]
    mdes = {each["duration"]: each["mde"] for each in found}
    assert mdes[28] == pytest.approx(mdes[7] / 2, rel=0.03), "four times the users find half the effect"
    plan = json.loads(record.read_text())
    assert (plan["method"], plan["allocation"], plan["start_date"]) == ("conversion_lift", 0.5, "2024-06-03")
    assert "In closed form" in page.read_text(encoding="utf-8")
    assert "--start is missing" in run(*ask).err
    assert "--rate, or --mean with --sd" in run("experiments", "design-users", "--channel", "x", "--mean", 2).err
