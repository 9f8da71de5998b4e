"""What each number hangs on, and its parts: the frames hold what the view says, the charts draw it as it is."""

import json
import math
from dataclasses import replace
from xml.etree import ElementTree

import pandas as pd
import pytest

from calibration import cell_charts, left_out_charts, part_frames
from calibration.conflict import Conflict
from calibration.parts import Campaign, Cell, Tipping, Without
from calibration.quantity import Quantity
from calibration.view import ChannelView, View

ODD = "tv [0].y <b>&\"'</b> 'x' \\ \u202e"


def q(median, ratio=1.5):
    return Quantity(median, median / ratio, median * ratio)


def view():
    odd = ChannelView(
        ODD,
        100.0,
        q(2.0),
        move="raise",
        without={"attribution": Without(q(2.1), "raise"), "mmm": Without(q(0.8, 30.0), "test first")},
        tipping={"mmm": Tipping(1.25, "hold")},
    )
    quiet = ChannelView(
        "radio", 50.0, q(1.0), move="hold", without={"attribution": Without(q(1.1), "test first")}, tipping={}
    )
    withheld = ChannelView("search", 70.0, None, state="conflict, withheld")
    cells = (
        Cell(ODD, "", "2024-01-01", "2024-03-25", 60.0, q(1.9), 0.8),
        Cell(ODD, "", "2024-04-01", "2024-06-24", 40.0, q(0.01), 0.1),
        Cell(ODD, "north <i>", "2024-01-01", "2024-03-25", 30.0, q(1.5), 0.6),
        Cell(ODD, "south", "2024-01-01", "2024-03-25", 0.0, None, None),
    )
    campaigns = (
        Campaign(ODD, "spring", q(0.5), q(80.0), 50.0, q(1.6)),
        Campaign(ODD, "", q(0.5), q(20.0), None, None),
    )
    return View(
        (odd, quiet, withheld), (), True, 1, {}, ("2024-01-01", "2024-06-24"), "EUR", 1.25, "markov:1", cells=cells,
        campaigns=campaigns,
    )  # fmt: skip


def judged():
    expected = Quantity(-120.0, -150.0, -90.0)
    first = Conflict(
        "t <b>", (ODD,), 0.4, "agrees", panel_p=0.001, panel_change=-40.0, panel_se=10.0, expected=expected
    )
    tests = [
        {"experiment_id": "t <b>", "spend_delta": [-60.0, -40.0], "outcome_change": -100.0, "std_error": 20.0},
        {"experiment_id": "old", "spend_delta": [10.0], "outcome_change": 5.0, "std_error": 1.0},
        {"experiment_id": "swap", "spend_delta": [10.0, -10.0], "outcome_change": 5.0, "std_error": 1.0},
    ]
    return [replace(first, verdict="conflict"), Conflict("old", ("radio",), 0.5, "agrees"),
            Conflict("swap", ("radio",), 0.5, "agrees", expected=expected)], tests  # fmt: skip


def test_sources_left_out_begin_with_all_of_them_and_say_where_money_would_move_otherwise():
    frame = part_frames.left_out(view())
    assert list(zip(frame["channel"], frame["left_out"], frame["turns"], strict=True)) == [
        (ODD, "", False),
        (ODD, "mmm", True),
        (ODD, "attribution", False),
        ("radio", "", False),
        ("radio", "attribution", False),  # hold and test first both leave the money where it is
    ]
    assert frame["median"].tolist() == [2.0, 0.8, 2.1, 1.0, 1.1]
    assert set(frame["unit"]) == {"EUR per EUR"}


def test_tipping_names_every_source_that_is_heard_and_leaves_the_factor_out_where_there_is_none():
    frame = part_frames.tipping(view())
    assert list(zip(frame["channel"], frame["source"], frame["becomes"], strict=True)) == [
        (ODD, "mmm", "hold"),
        (ODD, "attribution", ""),
        ("radio", "attribution", ""),
    ]
    assert frame["overstates"].tolist()[0] == 1.25
    assert frame["overstates"].isna().tolist() == [False, True, True]


def test_cells_reach_to_the_next_one_and_leave_out_what_has_no_number():
    frame = part_frames.cells(view())
    assert len(frame) == 3
    every = frame[frame["market"] == ""]
    assert every["until"].tolist()[0] == every["start"].tolist()[1] == pd.Timestamp("2024-04-01")
    assert every["until"].tolist()[1] > every["start"].tolist()[1]
    assert frame[frame["market"] != ""]["pays"].tolist() == [0.6]


def test_a_test_stands_beside_the_model_that_has_not_seen_it_per_unit_of_money():
    frame = part_frames.unseen(*judged())
    assert frame["source"].tolist() == ["mmm", "experiments", "panel"], "no old judgement, no swap without money"
    assert frame["median"].tolist() == pytest.approx([1.2, 1.0, 0.4])
    assert (frame["low"] < frame["median"]).all()
    assert (frame["median"] < frame["high"]).all()
    width = frame["high"] - frame["low"]
    assert width.tolist() == pytest.approx([0.6, 2 * 1.6448536 * 0.2, 2 * 1.6448536 * 0.1])
    assert set(frame["p"]) == {0.001}


def pictures():
    made = view()
    conflicts, tests = judged()
    cells, campaigns = part_frames.cells(made), part_frames.campaigns(made)
    return {
        "left_out": left_out_charts.left_out(part_frames.left_out(made), 1.25),
        "tipping": left_out_charts.tipping(part_frames.tipping(made)),
        "unseen": left_out_charts.unseen(part_frames.unseen(conflicts, tests), "revenue (EUR) per EUR"),
        "over_time": cell_charts.over_time(cells, 1.25),
        "by_market": cell_charts.by_market(cells),
        "campaigns": cell_charts.campaigns(campaigns, 1.25),
        "values": cell_charts.campaign_values(campaigns),
    }


SAYS = {
    "left_out": (
        "All sources",
        "Without the model",
        "Return (EUR per EUR, log scale)",
        "break-even 1.25",
        "test first",
    ),
    "tipping": ("raise → hold", "raise all the same", "too little (÷) or too much (×)"),
    "unseen": ("Model without the test", "Sales of its markets", "revenue (EUR) per EUR", "conflict"),
    "over_time": ("Return (EUR per EUR, log)",),
    "by_market": ("Chance that it pays", "2024-01", "north &lt;i&gt;"),
    "campaigns": ("spring", "Return (EUR per EUR, log scale)"),
    "values": ("spring", "no name", "Brought (EUR)"),
}


@pytest.mark.parametrize("name", list(SAYS))
def test_a_chart_says_its_units_and_shows_names_as_they_are(name):
    import vl_convert

    spec = pictures()[name].to_dict()
    svg = vl_convert.vegalite_to_svg(json.dumps(spec))
    for words in SAYS[name]:
        assert words in svg
    assert ("t &lt;b&gt;" if name == "unseen" else "tv [0].y &lt;b&gt;&amp;") in svg
    assert "<b>" not in svg
    assert "NaN" not in svg
    fields = json.dumps({k: v for k, v in spec.items() if k != "datasets"})
    assert "tv [0]" not in fields
    assert "north" not in fields


def test_no_position_lies_beyond_the_edge_of_the_scale():
    spec = cell_charts.over_time(part_frames.cells(view()), 1.25).to_dict()
    rows = [row for rows in spec["datasets"].values() for row in rows]
    assert min(row["from"] for row in rows) == 0.05
    assert all(math.isfinite(row["to"]) for row in rows)


def test_words_of_a_tipping_point_stand_on_the_half_that_its_line_leaves_empty():
    import vl_convert

    made = pd.DataFrame(
        [
            ("much", "mmm", 2.0, "cut", "raise"),
            ("little", "mmm", 0.25, "raise", "hold"),
            ("never", "mmm", math.nan, "", "keep"),
        ],
        columns=["channel", "source", "overstates", "becomes", "action"],
    )
    spec = left_out_charts.tipping(made).properties(width=300).to_json()
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(spec))  # noqa: S314 (a picture made here)
    anchors = {text.text: text.get("text-anchor") for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert anchors["raise → cut"] == "end", "its line goes to the right"
    assert anchors["hold → raise"] == "start", "its line goes to the left"
    assert anchors["keep all the same"] == "start", "it has no line"
    placed = {text.text: text.get("transform") for text in root.iter("{http://www.w3.org/2000/svg}text")}
    across = {words: float(placed[words].split("(")[1].split(",")[0]) for words in anchors if "→" in str(words)}
    assert across["hold → raise"] - across["raise → cut"] == pytest.approx(16), "both stand 8 pixels from 'right'"
