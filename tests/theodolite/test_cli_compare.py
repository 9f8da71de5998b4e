"""The comparison of models on the command line: what is printed, what can be pasted, what is refused."""

import json
from pathlib import Path

import pytest

from measurement.validation.candidates import OWN, candidates
from theodolite import comparing, config
from theodolite.app.work import KINDS, settings_of
from theodolite.study import Study

FEW = ("--quick", "--adstock", "none", "--saturation", "hill", "--jobs", 1)


def test_a_comparison_prints_models_money_and_the_choice(
    run, fitted_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, compare = [], Study.compare
    monkeypatch.setattr(Study, "compare", lambda self, **how: made.append(compare(self, **how)) or made[-1])
    head, drawn = Study.open(fitted_workspace).head, tmp_path / "models.svg"
    said = run("mmm", "compare", "-w", fitted_workspace, *FEW, "--chart", drawn)
    assert said.code == 0, said.err
    for words in ("as it is", "no adstock", "does the choice matter?", "brand_search", "2 fits took", "weight"):
        assert words in said.out
    assert "fit candidates: 100%" in said.err
    assert "all, stacked" in drawn.read_text()
    plain = json.loads(run("mmm", "compare", "-w", fitted_workspace, *FEW, "--json").out)
    assert {one["name"] for one in plain["candidates"]} == {OWN, "no adstock"}
    assert plain["why"][0] in said.out
    assert sum(one["weight"] for one in plain["candidates"]) == pytest.approx(1.0)
    assert Study.open(fitted_workspace).head == head, "nothing is written to the store"
    monkeypatch.setattr(Study, "compare", lambda *_, **how: made[0])
    page = KINDS["compare"].run(Study.open(fitted_workspace), settings_of("compare", {}), lambda *_: None)
    assert page["words"] == plain["why"][0]
    for words in ("no adstock", "brand_search", "Does the choice matter?", "2 fits took"):
        assert words in page["html"]


def test_what_cannot_be_compared_is_refused(run, fitted_workspace: Path) -> None:
    for options, words in (
        (("--quick", "--full"), "quick or full, not both"),
        (("--adstock", "geometrik"), "did you mean 'geometric'"),
        (("--quick", "--adstock", "geometric", "--saturation", "hill"), "nothing to compare"),
        (("--season", 99), "0 to 20 waves"),
        (("--channel", "tvv"), "did you mean 'tv'"),
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
    text = comparing.toml_of(found, study.config)
    read = config.parse('[study]\nname = "a"\n[data]\nmedia = "m.csv"\noutcome = "o.csv"\n' + text)
    assert read.model.fourier_order == 5
    assert {name: channel.model["adstock"] for name, channel in read.channels.items()} == {
        "tv": "weibull",
        "brand search": "weibull",
    }
    assert read.channels["tv"].saturation == "tanh"


def test_the_channels_with_the_most_spend_are_changed_alone(fitted_workspace: Path) -> None:
    study = Study.open(fitted_workspace)
    largest = ["tv", "brand_search", "social"]

    def asked(**options: object) -> list[tuple[str, str | None]]:
        settings = dict.fromkeys(("adstocks", "saturations", "seasons", "channels")) | {"quick": False, "full": False}
        found = comparing.candidates_of(study.spec, **(settings | {"largest": largest} | options))
        return [(one.name, one.channel) for one in found if one.channel is not None]

    assert asked() == [
        ("delayed adstock for tv alone", "tv"),
        ("exponential saturation for tv alone", "tv"),
        ("delayed adstock for brand_search alone", "brand_search"),
        ("exponential saturation for brand_search alone", "brand_search"),
    ]
    assert asked(quick=True) == []
    named = asked(quick=True, channels=["social"], adstocks=["weibull"])
    assert named == [
        ("weibull adstock for social alone", "social"),
        ("exponential saturation for social alone", "social"),
    ]
    (alone,) = [
        one
        for one in candidates(study.spec, adstocks=("weibull",), saturations=(), seasons=(), channels=("social",))
        if one.channel == "social"
    ]
    assert alone.spec.channels["tv"] == study.spec.channels["tv"]
    assert alone.spec.channels["social"].adstock == "weibull"
    found = type("Found", (), {"chosen": type("Chosen", (), {"candidate": alone})(), "channels": ("tv", "social")})()
    assert comparing.toml_of(found, study.config) == '[channels.social]\nadstock = "weibull"'


OWN_MODELS = """
[compare.slow.channels.tv]
adstock = "weibull"
l_max = 12
[compare.smooth.model]
fourier_order = 1
trend = "none"
"""


def test_models_of_ones_own_stand_in_the_settings(workspace: Path) -> None:
    file = workspace / "theodolite.toml"
    file.write_text(file.read_text() + OWN_MODELS)
    study = Study.open(workspace)
    slow, smooth = comparing.own_models(study.panel, study.config)
    assert (slow.name, smooth.name) == ("slow", "smooth")
    tv = slow.spec.channels["tv"]
    assert (tv.adstock, tv.l_max, tv.demand_driven) == ("weibull", 12, study.spec.channels["tv"].demand_driven)
    assert slow.spec.channels["social"] == study.spec.channels["social"]
    assert smooth.spec == study.spec.model_copy(update={"fourier_order": 1, "trend": "none"})
    found = type("Found", (), {"chosen": type("Chosen", (), {"candidate": slow})(), "channels": ("tv",)})()
    assert "[compare.slow]" in comparing.toml_of(found, study.config)


def test_a_wrong_model_of_ones_own_is_refused_where_it_stands(run, workspace: Path) -> None:
    file = workspace / "theodolite.toml"
    text = file.read_text()
    for added, words in (
        ('[compare.a.channels.tvv]\nadstock = "weibull"', "did you mean 'tv'"),
        ('[compare.a.channels.tv]\naliases = ["x"]', "belong to the data"),
        ('[compare.a.channels.tv]\nadstock = "slow"', "compare.a.channels.tv.adstock"),
        ("[compare.a.model]\nfourier = 2", "unknown setting"),
    ):
        file.write_text(f"{text}\n{added}\n")
        found = run("mmm", "compare", "-w", workspace, *FEW)
        assert found.code == 2, added
        assert words in found.err
