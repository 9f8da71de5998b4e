"""Experiments on the command line, on bare files: what is printed, what is written, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

DAYS = 63
GEOS = [f"town {i:02d}" for i in range(20)]


def panel_rows(lift: float = 0.0) -> list[str]:
    """A panel of 20 towns and nine weeks, in which the first two towns sell more in the last two weeks."""
    rng = np.random.default_rng(4)
    day = np.arange(DAYS)
    common = 1 + 0.1 * np.sin(2 * np.pi * day / 7) + 0.04 * rng.normal(size=DAYS)
    rows = ["date,geo,sales,orders"]
    for i, geo in enumerate(GEOS):
        sales = 100 * (1 + i / 5) * common * (1 + 0.02 * rng.normal(size=DAYS))
        if i < 2:
            sales[-14:] *= 1 + lift
        dates = np.datetime64("2024-01-01") + day
        rows += [f"{date},{geo},{value:.3f},{value / 20:.4f}" for date, value in zip(dates, sales, strict=True)]
    return rows


RECORD = {
    "experiment_id": "spring <b>test",
    "channel": "tv",
    "method": "heavy_up",
    "treatment_geos": GEOS[:2],
    "start_date": "2024-02-19",
    "end_date": "2024-03-03",
    "spend_delta": 1000.0,
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    outcome, record = tmp_path / "outcome.csv", tmp_path / "test.json"
    outcome.write_text("\n".join(panel_rows(lift=0.2)) + "\n")
    record.write_text(json.dumps(RECORD))
    return outcome, record


def analyse(files: tuple[Path, Path], *more: object) -> tuple[object, ...]:
    return ("experiments", "analyse", "--outcome", files[0], "--experiment", files[1], "--kpi", "sales", *more)


def test_an_analysis_says_what_came_out_how_sure_and_what_next(run, files: tuple[Path, Path]) -> None:
    printed = run(*analyse(files))
    found = json.loads(run(*analyse(files, "--json")).out)
    assert (printed.code, printed.err) == (0, "")
    assert found["p_value"] < 0.1
    assert "The ads brought more than chance explains." in printed.out
    assert f"{found['outcome_change']['estimate']:,.0f}" in printed.out
    assert f"Grade {found['grade']}" in printed.out
    assert "What to do next" in printed.out
    assert "Synthetic diff-in-diff" in printed.out


def test_without_an_effect_it_claims_none_and_does_not_deny_one(run, tmp_path: Path) -> None:
    outcome, record = tmp_path / "outcome.csv", tmp_path / "test.json"
    outcome.write_text("\n".join(panel_rows()) + "\n")
    record.write_text(json.dumps(RECORD))
    printed = run(*analyse((outcome, record)))
    assert "No effect stands out from chance." in printed.out
    assert "Do not read it as 'the ads do nothing'" in printed.out


def test_several_kpis_are_analysed_and_the_first_one_decides(run, files: tuple[Path, Path]) -> None:
    both = json.loads(run(*analyse(files, "--kpi", "orders", "--json")).out)["results"]
    assert [each["kpi"] for each in both] == ["sales", "orders"]
    assert both[1]["outcome_change"]["estimate"] == pytest.approx(both[0]["outcome_change"]["estimate"] / 20, rel=0.01)
    assert "Every KPI" in run(*analyse(files, "--kpi", "orders")).out


def test_the_page_and_the_record_are_written_and_the_record_can_be_imported(
    run, files: tuple[Path, Path], tmp_path: Path
) -> None:
    page, record = tmp_path / "pages" / "test.html", tmp_path / "result.json"
    ended = run(*analyse(files, "--report", page, "--save", record, "--json"))
    assert ended.code == 0
    text = page.read_text(encoding="utf-8")
    assert "spring &lt;b&gt;test" in text
    assert "<b>test" not in text
    assert 'src="http' not in text
    saved = json.loads(record.read_text())
    assert saved["estimate"] == pytest.approx(json.loads(ended.out)["outcome_change"]["estimate"])
    from experiments import records

    assert records.read(record)[0].grade == json.loads(ended.out)["grade"]


def test_a_record_is_never_written_over_another(run, files: tuple[Path, Path]) -> None:
    before = files[1].read_bytes()
    ended = run(*analyse(files, "--save", files[1]))
    assert (ended.code, ended.out) == (2, "")
    assert "never overwritten" in ended.err
    assert files[1].read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name a test of the study"),
        (("--experiment", "RECORD"), "needs --outcome"),
        (("--experiment", "RECORD", "--outcome", "OUTCOME", "--kpi", "salse"), "salse"),
        (("--experiment", "RECORD", "--outcome", "OUTCOME", "--kpi", "sales", "--estimator", "sdiid"), "mean 'sdid'"),
        (("--experiment", "RECORD", "--outcome", "OUTCOME"), "name it (--kpi)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_message(
    run, files: tuple[Path, Path], arguments: tuple[str, ...], words: str
) -> None:
    places = {"OUTCOME": files[0], "RECORD": files[1]}
    ended = run("experiments", "analyse", *(places.get(argument, argument) for argument in arguments))
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "Traceback" not in ended.err
