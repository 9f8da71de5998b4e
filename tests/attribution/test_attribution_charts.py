"""Charts draw what the frames say, and names stay values."""

import json

import pandas as pd
import pytest

from attribution import attribute, charts, cost, read_paths, views

HOSTILE = "</script><b>'\"] datum.x"


@pytest.fixture
def paths():
    numbers = {"conversions": [3.0, 1, 2], "value": [9.0, 2, 1], "nulls": [1.0, 4, 0]}
    return read_paths(pd.DataFrame({"path": [f"a > {HOSTILE}", "a", "(no touch)"]} | numbers))


def data_of(chart):
    spec = chart.to_dict()
    return spec, [row for rows in spec["datasets"].values() for row in rows]


def test_models_side_by_side(paths):
    result = attribute(paths)
    spec, rows = data_of(charts.models(result.to_frame(), "value", "EUR"))
    assert len(rows) == 2 * len(result.credits)
    assert {row["channel"] for row in rows} == {"a", HOSTILE}
    markov = next(row for row in rows if row["model"] == "markov:1" and row["channel"] == "a")
    assert markov["estimate"] == pytest.approx(result["markov:1"].value[result.channels.index("a")])
    assert markov["low"] <= markov["estimate"] <= markov["high"]
    text = json.dumps({key: value for key, value in spec.items() if key != "datasets"})
    assert "script" not in text.replace(json.dumps(HOSTILE), "")  # only as a value, in the order of the rows


def test_top_paths(paths):
    spec, rows = data_of(charts.top_paths(paths.to_frame(), top=1))
    assert [row["path"] for row in rows] == [f"a > {HOSTILE}"]
    assert rows[0]["rate"] == pytest.approx(0.75)
    assert "script" not in json.dumps({key: value for key, value in spec.items() if key != "datasets"})


def test_returns_against_break_even(paths):
    frame = cost.returns(attribute(paths, ["first", "linear"], spend={"a": 2.0}))
    spec, rows = data_of(charts.returns(frame, "roas", "EUR", reference=2.5))
    assert {"at": 2.5} in rows
    assert {row["channel"] for row in rows if "channel" in row} == {"a"}
    assert spec["layer"][0]["encoding"]["x"]["title"] == "Attributed EUR per EUR spent (ROAS)"


def test_flows_are_drawn_to_scale(paths):
    frame = views.flows(paths, steps=2)
    spec, rows = data_of(charts.flows(frame))
    nodes = [row for row in rows if "right" in row]
    bands = [row for row in rows if "band" in row]
    for step in (1, 2):
        assert sum(row["high"] - row["low"] for row in nodes if row["step"] == step) == pytest.approx(1.0)
    for row in bands:  # as thick everywhere as its share of the conversions
        assert row["high"] - row["low"] == pytest.approx(row["conversions"] / 4.0)
    ends = {row["x"] for row in bands}
    assert min(ends) == pytest.approx(1.04)
    assert max(ends) == pytest.approx(3.0)
    text = json.dumps({key: value for key, value in spec.items() if key != "datasets"})
    assert "script" not in text.replace(json.dumps(HOSTILE), "")


def test_they_render(paths):
    import vl_convert

    made = attribute(paths, spend={"a": 2.0})
    drawn = [
        charts.models(made.to_frame()),
        charts.returns(cost.returns(made), "cpa"),
        charts.top_paths(paths.to_frame()),
        charts.path_lengths(views.path_lengths(paths)),
        charts.transitions(views.transitions(paths)),
        charts.flows(views.flows(paths)),
        charts.time_lags(views.time_lags(log_of_two())),
    ]
    for chart in drawn:
        png = vl_convert.vegalite_to_png(chart.properties(width=300).to_json())
        assert png.startswith(b"\x89PNG")
        assert len(png) > 3_000


def log_of_two():
    when = pd.to_datetime(["2025-01-01 10:00", "2025-01-06 09:00", "2025-01-06 10:00", "2025-03-01 00:00"])
    names, events = ["a", "b", None, "b"], ["click", "click", "conversion", "click"]
    return read_paths(
        pd.DataFrame({"user_id": ["u", "u", "u", "v"], "timestamp": when, "channel": names, "event": events})
    )
