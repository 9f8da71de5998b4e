"""An analysed test in words: why two ways to judge it can differ."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import Experiment, Result, analyse
from measurement import Panel
from theodolite.report.experiment_words import chance

START = date(2024, 1, 1)
WORDS = "other sets of geos moved as much in the same periods without the test"


@pytest.fixture(scope="module")
def quiet() -> Result:
    """A test that did nothing."""
    rng = np.random.default_rng(2)
    panel = Panel(
        dates=np.datetime64(START) + np.arange(60),
        geos=tuple(f"g{row:02d}" for row in range(16)),
        channels=(),
        spend=np.zeros((16, 60, 0)),
        exposure=np.zeros((16, 60, 0)),
        kpis={"sales": np.exp(rng.normal(5, 0.5, (16, 1))) * (1 + 0.03 * rng.normal(size=(16, 60)))},
        kpi="sales",
        period="day",
    )
    design = Experiment(
        experiment_id="t", channel=("tv",), method="go_dark", treatment_geos=("g00", "g01"), spend_delta=-5.0,
        start_date=START + timedelta(50), end_date=START + timedelta(59),
    )  # fmt: skip
    return analyse(panel, design)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"randomisation": 0.22, "block_conformal": 0.01}, "(p = 0.010)"),
        ({"randomisation": 0.22, "block_conformal": 0.0002}, "(p < 0.001)"),
        ({"randomisation": 0.1, "block_conformal": 0.099}, "(p = 0.099)"),
        ({"randomisation": 0.22, "block_conformal": 0.1}, ""),
        ({"randomisation": 0.04, "block_conformal": 0.01}, ""),
        ({"randomisation": 0.04, "block_conformal": 0.4}, ""),
        ({"randomisation": 0.4}, ""),
        ({"block_conformal": 0.01}, ""),
        ({}, ""),
    ],
)
def test_a_change_that_only_its_own_past_calls_large_is_explained(
    quiet: Result, seen: dict[str, float], said: str
) -> None:
    p = seen.get("randomisation", 0.5)
    text = chance(replace(quiet, p_value=p, diagnostics={**quiet.diagnostics, "p_values": seen}))
    assert (WORDS in text) == bool(said)
    assert said in text
    assert text.startswith("If the ads did nothing, about ")


def test_a_result_without_p_values_by_several_ways_has_nothing_to_explain(quiet: Result) -> None:
    assert WORDS not in chance(replace(quiet, diagnostics={}))


def test_the_geolift_walkthrough_says_why_its_p_value_is_not_the_published_one(reference_data: Path) -> None:
    frame = pd.read_csv(reference_data / "GeoLift_Test.csv").rename(columns={"location": "geo", "Y": "outcome"})
    frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[s]")
    panel = Panel.from_frames(frame[["date", "geo", "outcome"]], period="day")
    end = panel.dates[104].tolist()
    design = Experiment(
        experiment_id="walkthrough", channel=("tv",), method="heavy_up", treatment_geos=("chicago", "portland"),
        start_date=panel.dates[90].tolist(), end_date=end,
    )  # fmt: skip
    found = analyse(panel, design)
    assert found.p_value > 0.1 > found.diagnostics["p_values"]["block_conformal"]
    assert WORDS in chance(found)
