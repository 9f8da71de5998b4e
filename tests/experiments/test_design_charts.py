"""Charts of designs, markets, users and schedules: they draw, hold their numbers, and treat names as values."""

import json
from datetime import date, timedelta

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

from experiments import Experiment, charts
from experiments.records import Block
from measurement import Panel

HOSTILE = ["sales['x'] </script> .y", "=1+1", 'a.b[c] "q" \\', "قناة"]
DAYS = [date(2024, 1, 1) + timedelta(days=i) for i in range(12)]


def curve() -> pd.DataFrame:
    power = np.linspace(0.1, 1.0, 9)
    return pd.DataFrame(
        {"effect": np.linspace(0.0, 0.2, 9), "power": power, "low": power - 0.05, "high": np.minimum(power + 0.05, 1)}
    )


def designs() -> pd.DataFrame:
    rows = [(n, d, 0.2 / (n * d), 100.0 * n * d, n == 3 and d == 14) for n in (2, 3, 4) for d in (14, 21)]
    frame = pd.DataFrame(rows, columns=["geos", "duration", "mde", "cost", "recommended"])
    return frame.assign(name=[HOSTILE[i % 4] for i in range(len(frame))])


def panel() -> Panel:
    rng = np.random.default_rng(1)
    return Panel(
        dates=np.array(DAYS, dtype="datetime64[D]"),
        geos=tuple(sorted(HOSTILE)),
        channels=(),
        spend=np.zeros((4, 12, 0)),
        exposure=np.zeros((4, 12, 0)),
        kpis={HOSTILE[0]: rng.uniform(5, 9, (4, 12))},
        kpi=HOSTILE[0],
        period="day",
    )


def switched() -> Experiment:
    blocks = tuple(
        Block(start=DAYS[i], end=DAYS[i + 2], on=bool((i + j) % 2), geo=geo)
        for i in range(0, 12, 3)
        for j, geo in enumerate(HOSTILE)
    )
    return Experiment(
        experiment_id="s", channel=("tv",), method="switchback", start_date=DAYS[0], end_date=DAYS[-1], schedule=blocks
    )


def looks() -> pd.DataFrame:
    return pd.DataFrame({"date": DAYS, "estimate": 0.1, "low": -0.1, "high": 0.3})


def arms() -> pd.DataFrame:
    return pd.DataFrame(
        {"arm": HOSTILE[:2], "users": [9, 8], "mean": [1.2, 1.1], "low": [1.1, 1.0], "high": [1.3, 1.2]}
    )


CHARTS = {
    "power": lambda: charts.power_curve(curve(), 0.1, 0.8, HOSTILE[0], 0.9),
    "power without an mde": lambda: charts.power_curve(curve(), np.inf, 0.8, HOSTILE[0]),
    "choices": lambda: charts.choices(designs(), "day"),
    "cost": lambda: charts.cost(designs(), HOSTILE[0], "day"),
    "markets": lambda: charts.markets(panel(), HOSTILE[:2], ()),
    "schedule": lambda: charts.schedule(switched()),
    "arms": lambda: charts.arms(arms(), HOSTILE[0]),
    "sequence": lambda: charts.sequence(looks(), HOSTILE[0]),
}


def rows_of(chart: alt.LayerChart | alt.Chart) -> list[dict[str, object]]:
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_draws_and_shows_names_as_they_are(name: str) -> None:
    specification = CHARTS[name]().to_dict()
    picture = vl_convert.vegalite_to_svg(json.dumps(specification))
    fields = json.dumps({key: value for key, value in specification.items() if key != "datasets"})
    assert all(f'"field": "{other}' not in fields for other in HOSTILE)
    if "schedule" in name:
        assert "a.b[c]" in picture
        assert "=1+1" in picture


def test_the_smallest_detectable_effect_is_marked_at_the_power_that_was_asked_for() -> None:
    marked = [row for row in rows_of(CHARTS["power"]()) if "label" in row]
    assert {(row["effect"], row["power"]) for row in marked} == {(0.1, 0.8), (0.1, 0.9)}
    assert "MDE 10.0%" in {row["label"] for row in marked}
    assert not [row for row in rows_of(CHARTS["power without an mde"]()) if "label" in row]


def test_the_map_holds_every_choice_once() -> None:
    cells = {(row["size"], row["length"]): row["mde"] for row in rows_of(CHARTS["choices"]())}
    assert cells[("2 treated", "21")] == pytest.approx(0.2 / 42)
    assert len(cells) == 6


def test_both_groups_of_markets_are_indexed_to_their_own_mean() -> None:
    rows = pd.DataFrame(rows_of(CHARTS["markets"]()))
    assert rows.groupby("group")["index"].mean().tolist() == pytest.approx([100.0, 100.0])
    found = rows[rows["group"] == "Treated geos"]["index"].to_numpy()
    chosen = panel()
    total = chosen.outcome[chosen.geo_index(HOSTILE[:2])].sum(axis=0)
    assert found == pytest.approx(100 * total / total.mean())


def test_a_block_of_a_schedule_reaches_to_the_end_of_its_last_day() -> None:
    first = rows_of(CHARTS["schedule"]())[0]
    assert (str(first["date"])[:10], str(first["until"])[:10]) == ("2024-01-01", "2024-01-04")
