import math
from pathlib import Path

import pytest

from calibration import ChannelView, Quantity, View
from measurement.errors import DataError
from theodolite.demo import run
from theodolite.scoreboard import scoreboard


def view() -> View:
    """Two channels; the model is off by a factor of two on both, the unified view right on the first only."""
    first = ChannelView(
        "a", 1.0, Quantity(1.0, 0.5, 2.0), mmm=Quantity(2.0, 1.5, 3.0), platform=Quantity(4.0, 4.0, 4.0)
    )
    second = ChannelView("b", 1.0, Quantity(2.0, 1.0, 3.0), mmm=Quantity(0.5, 0.4, 0.6))
    withheld = ChannelView("c", 1.0, None, mmm=Quantity(9.0, 8.0, 10.0))
    return View((first, second, withheld), (), True, 0, {})


def test_each_method_is_scored_on_the_channels_that_the_unified_view_has_too() -> None:
    scores = {score.method: score for score in scoreboard(view(), {"a": 1.0, "b": 1.0, "c": 1.0})}
    assert scores["MMM alone"].channels == 2
    assert scores["MMM alone"].error == pytest.approx(math.log(2))
    assert scores["MMM alone"].typical_error == pytest.approx(1.0)
    assert scores["MMM alone"].covered == 0
    assert scores["unified view"].error == pytest.approx(math.sqrt(math.log(2) ** 2 / 2))
    assert scores["unified view"].covered == 2
    assert scores["platform reports"].unified_error == 0.0
    assert scores["platform reports"].covered is None


def test_the_demo_refuses_a_folder_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="something else"):
        run(tmp_path, seed=7, say=lambda _: None)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_demo_refuses_another_seed_in_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text('{"seed": 3}')
    (tmp_path / "theodolite.toml").write_text("")
    with pytest.raises(DataError, match="seed 3"):
        run(tmp_path, seed=7, say=lambda _: None)
