"""Charts of a test: they draw, hold the result's own numbers, and treat names as values."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import altair as alt
import numpy as np
import pytest
import vl_convert

from experiments import Experiment, Result, analyse, charts
from measurement import Panel

HOSTILE = "sales['x'] </script> \\ \"q\" .y"


def analysed(geos: int) -> Result:
    rng = np.random.default_rng(0)
    outcome = np.exp(rng.normal(5, 1, (geos, 1))) * (1 + 0.05 * rng.normal(size=(geos, 60)))
    outcome[0, 45:] *= 1.5
    panel = Panel(
        dates=np.datetime64("2024-01-01") + np.arange(60).astype("timedelta64[D]"),
        geos=tuple(f"g{row:02d}" for row in range(geos)),
        channels=(),
        spend=np.zeros((geos, 60, 0)),
        exposure=np.zeros((geos, 60, 0)),
        kpis={HOSTILE: outcome},
        kpi=HOSTILE,
        period="day",
    )
    day = panel.dates.tolist()
    return analyse(
        panel,
        Experiment(
            experiment_id="t", channel=("tv",), method="heavy_up", treatment_geos=("g00",), start_date=day[45],
            end_date=day[54], cooldown_end_date=day[59],
        ),
    )  # fmt: skip


@pytest.fixture(scope="module", params=[44, 8], ids=["placebos", "conformal"])
def result(request: pytest.FixtureRequest) -> Result:
    return analysed(request.param)


def fields(node: object) -> set[str]:
    """Every field that a specification names."""
    if isinstance(node, list):
        return set().union(*map(fields, node))
    if not isinstance(node, dict):
        return set()
    own = {node["field"]} if isinstance(node.get("field"), str) else set()
    return own.union(*(fields(value) for key, value in node.items() if key != "datasets"))


@pytest.mark.parametrize(
    "draw", [charts.fit, charts.gap, charts.cumulative, charts.placebos, charts.estimators], ids=lambda f: f.__name__
)
def test_every_chart_renders_and_names_stay_values(result: Result, draw: Callable[[Result], alt.LayerChart]) -> None:
    specification = draw(result).to_dict()
    picture = vl_convert.vegalite_to_png(json.dumps(specification))
    assert picture.startswith(b"\x89PNG")
    assert fields(specification)
    assert not any("sales" in field for field in fields(specification))
    assert HOSTILE in json.dumps(specification, ensure_ascii=False).replace('\\"', '"').replace("\\\\", "\\")


def test_the_fit_holds_the_results_own_numbers(result: Result) -> None:
    rows = [row for data in charts.fit(result).to_dict()["datasets"].values() for row in data]
    drawn = [row["value"] for row in rows if row.get("series") == "Without the test"]
    expected = [period.counterfactual for period in (*result.pre_periods, *result.periods)]
    assert drawn == pytest.approx(expected)
    shaded = {row["phase"]: (row["date"][:10], row["until"][:10]) for row in rows if "until" in row}
    assert shaded == {"test": ("2024-02-15", "2024-02-25"), "cool-down": ("2024-02-25", "2024-03-01")}


def test_the_placebo_chart_counts_every_set(result: Result) -> None:
    rows = [row for data in charts.placebos(result).to_dict()["datasets"].values() for row in data]
    assert sum(row.get("count", 0) for row in rows) == result.placebo_effects.size
    assert [row["effect"] for row in rows if "effect" in row] == [pytest.approx(result.outcome_change.estimate)]


def test_every_estimator_is_drawn_with_its_own_numbers(result: Result) -> None:
    frame = charts.estimates(result)
    assert frame["main"].tolist() == [True, *[False] * len(result.alternates)]
    assert frame["estimate"][0] == result.outcome_change.estimate
    assert frame["low"].tolist()[1:] == pytest.approx([a["outcome_change"]["low"] for a in result.alternates.values()])
    assert frame["estimator"].is_unique


def test_an_endless_interval_is_left_out_and_not_drawn_as_a_number(result: Result) -> None:
    endless = replace(result, periods=tuple(replace(p, low=-math.inf, high=math.inf) for p in result.periods))
    for draw in (charts.fit, charts.gap):
        text = json.dumps(draw(endless).to_dict(), allow_nan=False)
        assert vl_convert.vegalite_to_svg(text).startswith("<svg")
