from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measurement.errors import DataError
from measurement.panel import Panel
from theodolite.config import load, parse
from theodolite.template import template

GOOD = """
[study]
name = "acme"
margin = 0.4

[data]
media = "media.csv"
outcome = "outcome.csv"

[channels.tv]
demand_driven = "no"
roi = { median = 1, low = 0.3, high = 3 }
aliases = ["Linear TV"]
"""


def problem_of(text: str):
    with pytest.raises(DataError) as caught:
        parse(text)
    return caught.value.problems


def test_a_good_file_is_read() -> None:
    config = parse(GOOD)
    assert config.study.period == "week"
    assert config.channels["tv"].roi is not None
    assert config.channels["tv"].roi.median == 1.0
    assert config.aliases == {"Linear TV": "tv"}


def test_a_misspelt_setting_is_named_with_its_line_and_the_nearest_one() -> None:
    (problem,) = problem_of(GOOD.replace("margin", "margni"))
    assert problem.line == 4
    assert problem.column == "study.margni"
    assert "did you mean 'margin'?" in problem.message


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("margin = 0.4", 'margin = "0.4"', "study.margin"),
        ("margin = 0.4", "margin = 1.4", "study.margin"),
        ("margin = 0.4", "margin = true", "study.margin"),
        ('demand_driven = "no"', 'demand_driven = "often"', "channels.tv.demand_driven"),
        ("median = 1,", "median = 9,", "channels.tv.roi"),
        ('media = "media.csv"', "", "data.media"),
    ],
)
def test_what_is_not_allowed_is_refused_at_its_place(old: str, new: str, column: str) -> None:
    assert column in {problem.column for problem in problem_of(GOOD.replace(old, new))}


def test_all_problems_come_together() -> None:
    assert len(problem_of(GOOD.replace("margin = 0.4", "margin = 2").replace('"no"', '"never"'))) == 2


def test_broken_toml_names_the_line() -> None:
    (problem,) = problem_of('[study]\nname = "acme\n')
    assert problem.line == 2


def test_one_alias_cannot_name_two_channels() -> None:
    (problem,) = problem_of(GOOD + '\n[channels.radio]\naliases = ["Linear TV"]\n')
    assert "one channel only" in problem.message


def test_a_folder_without_a_study_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="theodolite init"):
        load(tmp_path / "theodolite.toml")


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(names, st.lists(names, min_size=1, max_size=4, unique=True))
def test_every_name_survives_the_template(name: str, channels: list[str]) -> None:
    config = parse(template(name=name, data={"media": "m.csv", "outcome": "o.csv"}, channels=channels, kpi=name))
    assert config.study.name == name
    assert set(config.channels) == set(channels)


def test_the_forms_of_a_channel_reach_the_model() -> None:
    from measurement.mmm import Spec
    from measurement.simulate import geo, simulate
    from theodolite.config import ChannelSection
    from theodolite.sources import spec

    world = simulate(geo(seed=1))
    panel = Panel.from_frames(world.outcome, world.media, kpi="revenue")
    name = panel.channels[0]
    text = GOOD.split("[channels.tv]")[0] + '[model]\ntrend = "piecewise"\nfourier_order = 2\n'
    text += f'[channels.{name}]\nadstock = "weibull"\nsaturation = "root"\norder = "saturation_first"\nl_max = 6\n'
    text += "weibull_scale = { median = 2, low = 1, high = 4 }\n"
    text += 'varies = "slow"\ndrift = { median = 0.3, low = 0.1, high = 0.9 }\n'
    made = spec(panel, parse(text))
    own = made.channels[name]
    assert (own.adstock, own.saturation, own.order, own.l_max) == ("weibull", "root", "saturation_first", 6)
    assert own.weibull_scale.high == 4.0
    assert (own.varies, own.drift.high) == ("slow", 0.9)
    assert (made.trend, made.fourier_order) == ("piecewise", 2)
    assert made.channels[panel.channels[1]] == Spec.default(panel).channels[panel.channels[1]]
    assert set(ChannelSection().model) == {"demand_driven", "organic"}


@pytest.mark.parametrize(
    ("more", "column", "words"),
    [
        ('adstock = "weibul"', "channels.tv.adstock", "'weibull'"),
        ("l_max = 2.5", "channels.tv.l_max", "integer"),
        ("decay = { median = 0.5, low = 0.6, high = 0.9 }", "channels.tv.decay", "low < median < high"),
        ("mroi = { median = 1, low = 0.5, high = 2 }", "channels.tv", "one of roi, mroi"),
        ('varies = "fast"', "channels.tv.varies", "'slow'"),
        ("drift = { median = 0.2, low = 0.1, high = 0.4 }", "channels.tv", 'varies = "slow"'),
        ("satturation = 1", "channels.tv.satturation", "did you mean 'saturation'"),
    ],
)
def test_a_strange_form_is_refused_at_its_place(more: str, column: str, words: str) -> None:
    (problem,) = problem_of(GOOD + more + "\n")
    assert problem.column == column
    assert problem.line == (len(GOOD.splitlines()) + 1 if "tv." in column else 10)
    assert words in problem.message


def test_treatments_are_controls_with_a_baseline() -> None:
    config = parse(GOOD.replace("[data]", 'controls = ["weather"]\n[treatments.price]\nbaseline = "max"\n[data]'))
    assert config.controls == ["weather", "price"]
    assert config.treatments["price"].baseline == "max"
    (problem,) = problem_of(GOOD + "[treatments.price]\nbasline = 1\n")
    assert "did you mean 'baseline'" in problem.message


def test_holidays_are_a_list_or_a_table_by_market() -> None:
    mapped = GOOD.replace("[data]", '[study.holidays]\nMunich = ["DE-BY"]\n"*" = ["DE"]\n\n[data]', 1)
    assert parse(mapped).study.holidays == {"Munich": ["DE-BY"], "*": ["DE"]}
    inline = GOOD.replace("[data]", 'holidays = ["DE", "AT"]\n\n[data]', 1)
    assert parse(inline).study.holidays == ["DE", "AT"]
    for wrong in ('"DE"', "[1]", '{ Munich = "DE-BY" }', "true"):
        (problem,) = problem_of(GOOD.replace("[data]", f"holidays = {wrong}\n\n[data]", 1))
        assert problem.column == "study.holidays"
        assert "one list per market" in problem.message


def test_an_exposure_is_a_column_or_reach_and_frequency() -> None:
    pair = GOOD + 'exposure = { reach = "tv_reach", frequency = "contacts" }\n'
    assert parse(pair).channels["tv"].seen == ("tv_reach", "contacts")
    assert parse(GOOD + 'exposure = "grp"\n').channels["tv"].seen == "grp"
    assert parse(GOOD).channels["tv"].seen is None
    for wrong in (
        "3",
        '["reach", "frequency"]',
        '{ reach = "r" }',
        '{ reach = "r", frequenci = "f" }',
        "{ reach = 1 }",
    ):
        (problem,) = problem_of(GOOD + f"exposure = {wrong}\n")
        assert problem.column == "channels.tv.exposure"
        assert "two whose product it is" in problem.message


def test_the_template_offers_reach_and_frequency_together() -> None:
    offered = {"tv": ("frequency", "impressions", "reach"), "radio": ("reach",)}
    text = template(name="x", data={"media": "m.csv", "outcome": "o.csv"}, channels=["tv", "radio"], exposures=offered)
    lines = [line.partition("  #")[0] for line in text.splitlines() if line.startswith("# exposure")]
    assert lines == [
        '# exposure = { reach = "reach", frequency = "frequency" }',
        '# exposure = "impressions"',
        '# exposure = "reach"',
    ]


def test_blackouts_are_days_in_order_and_a_wrong_one_is_named_with_its_line() -> None:
    tables = '[[blackouts]]\nstart = 2026-12-20\nend = 2026-12-31\nreason = "Christmas"\n'
    tables += '[[blackouts]]\nstart = 2026-11-23\nend = 2026-11-30\nreason = "Black Friday"\n'
    assert [(str(each.start), each.reason) for each in parse(GOOD + tables).closed] == [
        ("2026-11-23", "Black Friday"),
        ("2026-12-20", "Christmas"),
    ]
    wrong = tables.replace("end = 2026-11-30", "end = 2026-11-01").replace("2026-12-31", '"2026-12-31"')
    late, quoted = sorted(problem_of(GOOD + wrong), key=lambda each: -(each.line or 0))
    lines = (GOOD + wrong).splitlines()
    assert "before its start on 2026-11-23" in late.message
    assert lines[(late.line or 0) - 1] == "[[blackouts]]"
    assert "without quotes" in quoted.message
    assert lines[(quoted.line or 0) - 1] == 'end = "2026-12-31"'
