import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from calibration.parts import Campaign, Cell, Tipping, Without
from calibration.quantity import Quantity
from calibration.view import ChannelView, View
from calibration.widening import waterfall
from measurement.provenance import Provenance, canonical_json

ODD = "tv [0].y <b>&\"'</b> 'x' \\ \u202e"


def quantity(median, ratio=1.3):
    return Quantity(median, median / ratio, median * ratio)


def view():
    full = ChannelView(
        channel=ODD,
        spend=1000.0,
        iroas=quantity(1.5, 1.1),
        mmm=quantity(2.0),
        mmm_calibrated=quantity(1.6),
        experiments=Quantity(-0.1, -0.4, 0.2),
        attribution={"markov:1": quantity(3.0, 1.01), "last": quantity(4.0, 1.01)},
        platform=Quantity(5.0, 5.0, 5.0),
        weights={"mmm": 0.3, "experiments": 0.5, "attribution": 0.05, "prior": 0.15},
        incrementality_factor=quantity(0.5),
        mroas=quantity(1.1),
        evidence_grade="A",
        evidence_age=0.4,
        above_break_even=0.9,
        next_above_break_even=0.6,
        state="agree",
        reason="their intervals allow the same truth",
        action="hold",
        move="hold",
        says={"mmm": "raise", "experiments": "cut"},
        without={"experiments": Without(quantity(1.9), "raise")},
        tipping={"mmm": Tipping(1.7, "cut")},
    )
    withheld = ChannelView(
        channel="radio",
        spend=500.0,
        iroas=None,
        mmm=quantity(1.0),
        state="conflict, withheld",
        reason="test 'x' says no",
    )
    made = Provenance(data="d" * 64, settings={"margin": 0.4}, seed=3, versions={"theodolite": "0"}, parents=("x",))
    return View(
        (full, withheld), ("x",), True, 3, {"theodolite": "0"}, ("2024-01-01", "2024-12-30"), "EUR", 2.5, "markov:1",
        ("a note",), {"khat": 0.1}, made,
        (Cell(ODD, "", "2024-01-01", "2024-03-25", 250.0, quantity(1.6), 0.1),
         Cell(ODD, "north", "2024-04-01", "2024-06-24", 0.0, None, None)),
        (Campaign(ODD, "spring", Quantity(0.4, 0.3, 0.5), quantity(80.0), 50.0, quantity(1.6)),),
    )  # fmt: skip


def test_printed_form_is_exactly_the_contract():
    printed = view().to_dict()
    fixed = {"channels", "derived_from", "converged", "seed", "versions"}
    assert set(printed) == fixed | {"break_even", "cells", "campaigns"}
    entry = printed["channels"][0]
    assert list(entry) == [
        "channel", "spend", "iroas", "sources", "weights", "incrementality_factor", "mroas", "evidence_grade", "state",
        "action", "reason", "evidence_age", "above_break_even", "next_above_break_even", "move", "says", "without",
        "tipping",
    ]  # fmt: skip
    assert entry["without"]["experiments"]["action"] == "raise"
    assert entry["tipping"] == {"mmm": {"overstates": 1.7, "becomes": "cut"}}
    assert printed["cells"][1] == {
        "channel": ODD, "market": "north", "from": "2024-04-01", "to": "2024-06-24", "spend": 0.0, "iroas": None,
        "above_break_even": None,
    }  # fmt: skip
    assert printed["campaigns"][0]["share"] == {"median": 0.4, "low": 0.3, "high": 0.5}
    assert list(entry["sources"]) == ["mmm", "mmm_calibrated", "experiments", "attribution", "platform"]
    assert set(entry["sources"]["attribution"]) == {"markov:1", "last"}
    assert entry["iroas"] == {"median": 1.5, "low": 1.5 / 1.1, "high": 1.5 * 1.1}
    json.dumps(printed, allow_nan=False)


def test_withheld_number_is_null_with_its_reason():
    entry = view().to_dict()["channels"][1]
    assert entry["iroas"] is None
    assert entry["mroas"] is None
    assert entry["state"] == "conflict, withheld: test 'x' says no"


def test_stored_form_reads_back_whole():
    made = view()
    again = View.from_dict(json.loads(canonical_json(made.to_dict(full=True))))
    assert again == made
    assert again.to_dict() == made.to_dict()


def test_frame_is_long_with_fixed_columns_and_names_as_values():
    frame = view().to_frame()
    assert list(frame.columns) == ["channel", "source", "model", "quantity", "median", "low", "high", "unit"]
    assert set(frame["channel"]) == {ODD, "radio"}
    mine = frame[frame["channel"] == ODD].set_index(["source", "model", "quantity"])
    assert mine.loc[("attribution", "last", "roas"), "median"] == 4.0
    assert mine.loc[("unified", "", "iroas"), "high"] == 1.5 * 1.1
    assert mine.loc[("experiments", "", "weight"), "median"] == 0.5
    assert not ((frame["channel"] == "radio") & (frame["source"] == "unified")).any()
    assert view()["radio"].iroas is None


def waterfalls():
    rows = [
        (name, s.name, s.std_error, s.reason)
        for name in (ODD, "t2")
        for s in waterfall(-5000.0, 600.0, placebo_excess=300.0, grade="B", age=1.0)
    ]
    return pd.DataFrame(rows, columns=["experiment_id", "step", "std_error", "reason"])


def pictures():
    from calibration import charts

    frame = view().to_frame()
    return {
        "forest": charts.forest(frame, 2.5, {ODD: 1.4}),
        "before_after": charts.before_after(frame, 2.5),
        "weights": charts.weights(frame),
        "attribution_against": charts.attribution_against(frame, 2.5, "markov:1"),
        "waterfall": charts.waterfall(waterfalls(), "EUR"),
    }


@pytest.mark.parametrize("name", ["forest", "before_after", "weights", "attribution_against", "waterfall"])
def test_chart_compiles_and_shows_names_as_they_are(name, tmp_path):
    import vl_convert

    spec = pictures()[name].to_dict()
    svg = vl_convert.vegalite_to_svg(json.dumps(spec))
    Path(tmp_path / "chart.svg").write_text(svg, encoding="utf-8")
    assert "tv [0].y &lt;b&gt;&amp;" in svg
    assert "<b>" not in svg
    assert "NaN" not in svg
    fields = json.dumps({k: v for k, v in spec.items() if k != "datasets"})
    assert "tv [0]" not in fields


def test_forest_keeps_numbers_below_zero_on_the_edge():
    from calibration.charts import forest
    from calibration.ratio_charts import EDGE

    spec = forest(view().to_frame(), 2.5).to_dict()
    rows = [row for rows in spec["datasets"].values() for row in rows if row.get("source") == "experiments"]
    assert rows[0]["median"] == -0.1
    assert rows[0]["shown"] == EDGE
    positions = [row["shown"] for rows in spec["datasets"].values() for row in rows if "shown" in row]
    assert np.min(positions) >= EDGE
