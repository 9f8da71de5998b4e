"""Charts draw what the frames say, and names stay values."""

import json

import pandas as pd
import pytest

from attribution import attribute, charts, read_paths

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


def test_they_render(paths):
    import vl_convert

    for chart in (charts.models(attribute(paths).to_frame()), charts.top_paths(paths.to_frame())):
        png = vl_convert.vegalite_to_png(chart.properties(width=300).to_json())
        assert png.startswith(b"\x89PNG")
        assert len(png) > 3_000
