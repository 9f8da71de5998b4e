"""The comparison of models on the command line: what is printed, what can be pasted, what is refused."""

import json
from pathlib import Path

import pytest

from measurement.validation.candidates import OWN, candidates
from theodolite import comparing, config
from theodolite.study import Study

FEW = ("--quick", "--adstock", "none", "--saturation", "hill", "--jobs", 1)


def test_a_comparison_prints_models_money_and_the_choice(run, fitted_workspace: Path, tmp_path: Path) -> None:
    head, drawn = Study.open(fitted_workspace).head, tmp_path / "models.svg"
    said = run("mmm", "compare", "-w", fitted_workspace, *FEW, "--chart", drawn)
    assert said.code == 0, said.err
    for words in ("as it is", "none adstock", "does the choice matter?", "brand_search", "2 fits took", "weight"):
        assert words in said.out
    assert "fit candidates: 100%" in said.err
    assert "all, stacked" in drawn.read_text()
    plain = json.loads(run("mmm", "compare", "-w", fitted_workspace, *FEW, "--json").out)
    assert {one["name"] for one in plain["candidates"]} == {OWN, "none adstock"}
    assert plain["why"][0] in said.out
    assert sum(one["weight"] for one in plain["candidates"]) == pytest.approx(1.0)
    assert Study.open(fitted_workspace).head == head, "nothing is written to the store"


def test_what_cannot_be_compared_is_refused(run, fitted_workspace: Path) -> None:
    for options, words in (
        (("--quick", "--full"), "quick or full, not both"),
        (("--adstock", "geometrik"), "did you mean 'geometric'"),
        (("--quick", "--adstock", "geometric", "--saturation", "hill"), "nothing to compare"),
        (("--season", 99), "0 to 20 waves"),
    ):
        found = run("mmm", "compare", "-w", fitted_workspace, *options)
        assert found.code == 2, options
        assert words in found.err
        assert found.out == ""


def test_the_choice_can_be_pasted(fitted_workspace: Path) -> None:
    study = Study.open(fitted_workspace)
    other = candidates(study.spec, adstocks=("weibull",), saturations=("tanh",), seasons=(5,), grid=True)[-1]
    chosen = type("Chosen", (), {"candidate": other})()
    found = type("Found", (), {"chosen": chosen, "channels": ("tv", "brand search")})()
    text = comparing.toml_of(found)
    read = config.parse('[study]\nname = "a"\n[data]\nmedia = "m.csv"\noutcome = "o.csv"\n' + text)
    assert read.model.fourier_order == 5
    assert {name: channel.model["adstock"] for name, channel in read.channels.items()} == {
        "tv": "weibull",
        "brand search": "weibull",
    }
    assert read.channels["tv"].saturation == "tanh"
