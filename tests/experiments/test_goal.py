"""A goal from texts and against a panel: what is read, and everything that is refused at once."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.planning.goal import Goal
from experiments.planning.goal_text import goal_from_mapping
from measurement import DataError, Panel

GEOS = tuple("abcdefgh")


def panel_of(periods: int = 60, **more: object) -> Panel:
    media = np.ones((8, periods, 2))
    fields: dict[str, object] = {
        "dates": np.datetime64("2024-01-01") + np.arange(periods),
        "geos": GEOS,
        "channels": ("search", "tv"),
        "spend": media,
        "exposure": media,
        "kpis": {"sales": np.ones((8, periods)), "visits": np.ones((8, periods))},
        "kpi": "sales",
        "period": "day",
    }
    return Panel(**(fields | more))


PANEL = panel_of()
GOAL = Goal(channel=("tv",), durations=(14,), geos=(1, 3))


def problems(goal: Goal, panel: Panel = PANEL) -> list[str]:
    return [f"{each.level} {each.column}: {each.message}" for each in goal.problems(panel)]


def test_a_sound_goal_passes() -> None:
    GOAL.check(PANEL)
    assert problems(GOAL) == []


def test_one_name_is_a_list_of_one() -> None:
    assert Goal(channel="tv", durations=(14,), geos=(1, 3), exclude="a") == replace(GOAL, exclude=("a",))


@pytest.mark.parametrize(
    ("direction", "given", "change"),
    [
        ("go_dark", None, -1),
        ("holdout", None, -1),
        ("heavy_up", None, 1),
        ("heavy_up", 0.5, 0.5),
        ("holdout", 0.5, 0.5),
        ("scale", -0.2, -0.2),
    ],
)
def test_every_direction_has_its_sign(direction: str, given: float | None, change: float) -> None:
    goal = replace(GOAL, direction=direction, spend_change=given)
    goal.check(PANEL)
    assert goal.change == change


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"channel": ("serch",)},
            "channel: unknown channel 'serch' (did you mean 'search'?); the media table has search, tv",
        ),
        ({"channel": ()}, "channel: is missing; name the channel that the test moves"),
        ({"kpi": "sails"}, "kpi: unknown KPI 'sails' (did you mean 'sales'?); the outcome table has sales, visits"),
        ({"exclude": ("z",)}, "exclude: unknown geo 'z'; the panel has 8 geos"),
        ({"must_include": ("a", "a")}, "must_include: geo 'a' is listed twice"),
        ({"adjacent": (("a", "a"),)}, "adjacent: geo 'a' is its own neighbour"),
        ({"clusters": (("a", "y"),)}, "clusters: unknown geo 'y'; the panel has 8 geos"),
        (
            {"direction": "go_drak"},
            "direction: found 'go_drak' (did you mean 'go_dark'?); allowed are go_dark, heavy_up, holdout, scale",
        ),
        (
            {"spend_change": 0.5},
            "spend_change: found 0.5, but a go_dark test takes spend away: the change must be negative (-1 stops it)",
        ),
        (
            {"direction": "heavy_up", "spend_change": -0.5},
            "spend_change: found -0.5, but a heavy_up test adds spend: the change must be positive",
        ),
        (
            {"spend_change": -1.5},
            "spend_change: found -1.5; it is a share of business as usual, and no more than everything (-1) can be cut",
        ),
        ({"spend_change": 0.0}, "spend_change: is 0; a test that moves no money measures nothing"),
        (
            {"direction": "scale"},
            "spend_change: is missing; a scale test says by how much, such as 0.5 for half as much again",
        ),
        ({"durations": ()}, "durations: is missing; say how many days the test may take"),
        ({"durations": (0,)}, "durations: found 0; a test takes 1 day or more"),
        ({"durations": (14, 14)}, "durations: 14 stands in it twice"),
        (
            {"durations": (35,)},
            "durations: a test of 35 days needs a history of 70 days or more to be rehearsed; the panel has 60",
        ),
        (
            {"durations": (28,), "cooldown": 7},
            "durations: a test of 28 days and a cool-down of 7 needs a history of 70 days or more to be rehearsed; "
            "the panel has 60",
        ),
        ({"cooldown": -1}, "cooldown: found -1; it is 0 days or more"),
        ({"geos": (3, 1)}, "geos: found 3:1; the smaller number comes first"),
        ({"geos": (0, 1)}, "geos: found 0:1; a test treats 1 geo or more"),
        ({"share": (0.1, 5.0)}, "share: found 0.1:5; shares lie between 0 and 1"),
        ({"share": (0.3, 0.1)}, "share: found 0.3:0.1; the smaller share comes first"),
        (
            {"strata": {"a": "east"}, "quotas": {"easy": (1, 2)}},
            "quotas: no geo is in the stratum 'easy' (did you mean 'east'?)",
        ),
        (
            {"strata": {"a": "east"}, "quotas": {"east": (2, 1)}},
            "quotas: found 2:1 for the stratum 'east'; the smaller number comes first",
        ),
        ({"quotas": {"east": (1, 2)}}, "quotas: stands without strata, which say where each geo belongs"),
        ({"alpha": 0.9}, "alpha: found 0.9; it lies between 0.01 and 0.5"),
        ({"power": 80}, "power: found 80; it lies between 0.5 and 0.99"),
        ({"cells": 0}, "cells: found 0; a test has 1 cell or more"),
        ({"seed": -1}, "seed: found -1; a whole number from 0 is needed"),
        ({"direction": "heavy_up", "budget": 0.0}, "budget: found 0; it must be above 0"),
        ({"iroas": float("nan")}, "iroas: found nan; it must be above 0"),
        (
            {"iroas": 2.0, "icpa": 3.0},
            "icpa: stands beside iroas, and both say what the ads bring: give one of them",
        ),
        (
            {"budget": 10.0},
            "budget: bounds what a cut may lose, and nothing says what the ads bring: give iroas (or icpa), "
            "or leave budget out",
        ),
        (
            {"budget": 10.0, "icpa": 2.0, "kpi": "visits"},
            "budget: bounds what a cut may lose in money, and only 'sales' has a price: leave budget out",
        ),
    ],
)
def test_what_is_refused(more: dict, words: str) -> None:
    assert problems(replace(GOAL, **more)) == [f"error {words}"]


def test_all_problems_are_reported_together() -> None:
    goal = replace(GOAL, channel=("x",), geos=(5, 2), durations=(50,), exclude=("q",), alpha=2.0)
    with pytest.raises(DataError) as caught:
        goal.check(PANEL)
    assert {each.column for each in caught.value.problems} == {"channel", "geos", "durations", "exclude", "alpha"}


def test_part_weeks_are_warned_of() -> None:
    (found,) = problems(replace(GOAL, durations=(10,)))
    assert found.startswith("warning durations: a read-out of 10 days is not whole weeks")
    assert found.endswith("take 7 or 14")
    assert problems(replace(GOAL, durations=(10,), cooldown=4)) == []
    weekly = panel_of(dates=np.datetime64("2024-01-01") + 7 * np.arange(60), period="week")
    assert problems(replace(GOAL, durations=(10,)), weekly) == []


def test_a_share_of_a_kpi_that_adds_up_to_nothing() -> None:
    panel = panel_of(kpis={"sales": np.zeros((8, 60))})
    found = problems(replace(GOAL, share=(0.1, 0.2)), panel)
    assert found == ["error share: means nothing here: the KPI adds up to 0 or less over all geos"]


def test_a_channel_needs_no_media_table() -> None:
    bare = panel_of(channels=(), spend=np.zeros((8, 60, 0)), exposure=np.zeros((8, 60, 0)))
    assert problems(replace(GOAL, channel=("anything",)), bare) == []


def test_texts_are_read() -> None:
    goal = goal_from_mapping(
        {
            "channel": "tv",
            "durations": "21,28",
            "geos": "2:8",
            "direction": "heavy_up",
            "spend_change": ".5",
            "cooldown": "7",
            "budget": "1e5",
            "iroas": None,
            "must_include": 'a, "new york, ny"',
            "exclude": ("b, c",),
            "clusters": ["a,b", "c,d,e"],
            "adjacent": ["a,b"],
            "strata": ["a=east", "b=c=west"],
            "quotas": ["east=1:3", "west=2"],
            "share": ".05:.2",
        }
    )
    assert goal == Goal(
        channel=("tv",),
        durations=(21, 28),
        geos=(2, 8),
        direction="heavy_up",
        spend_change=0.5,
        cooldown=7,
        budget=1e5,
        must_include=("a", "new york, ny"),
        exclude=("b, c",),
        clusters=(("a", "b"), ("c", "d", "e")),
        adjacent=(("a", "b"),),
        strata={"a": "east", "b=c": "west"},
        quotas={"east": (1, 3), "west": (2, 2)},
        share=(0.05, 0.2),
    )


def test_values_of_other_types_pass() -> None:
    goal = goal_from_mapping({"channel": ("tv",), "durations": (14,), "geos": (1, 3), "strata": {"a": "x"}, "seed": 3})
    assert goal == replace(GOAL, strata={"a": "x"}, seed=3)


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("durations", "3 weeks", "found '3 weeks'; whole numbers with commas between are needed, such as 21,28"),
        ("durations", "21;28", "found '21;28'; whole numbers with commas between are needed, such as 21,28"),
        ("durations", "", "found ''; whole numbers with commas between are needed, such as 21,28"),
        ("geos", "2-8", "found '2-8'; a range of whole numbers is needed, such as 2:8 (or 4 for exactly four)"),
        ("geos", "2:4:8", "found '2:4:8'; a range of whole numbers is needed, such as 2:8 (or 4 for exactly four)"),
        ("geos", "2:", "found '2:'; a range of whole numbers is needed, such as 2:8 (or 4 for exactly four)"),
        ("geos", "1_0", "found '1_0'; a range of whole numbers is needed, such as 2:8 (or 4 for exactly four)"),
        ("share", "0.2", "found '0.2'; a range of shares is needed, such as .05:.2"),
        ("share", "5%:20%", "found '5%:20%'; a range of shares is needed, such as .05:.2"),
        ("budget", "10,000", "found '10,000'; a number is needed, such as 0.25 (no comma, no sign of money or %)"),
        ("budget", "nan", "found 'nan'; a number is needed, such as 0.25 (no comma, no sign of money or %)"),
        ("seed", "1.5", "found '1.5'; a whole number is needed, such as 28"),
        ("exclude", "a,,b", "found 'a,,b'; an empty name stands in it"),
        ("exclude", 'a,"b', "found 'a,\"b'; names with commas between are needed, quotes in pairs"),
        ("clusters", "a", "found 'a'; a cluster holds 2 geos or more"),
        ("adjacent", "a,b,c", "found 'a, b, c'; neighbours are named in pairs, such as berlin,potsdam"),
        ("strata", ["east"], "found 'east'; a name and its value are needed, such as berlin=east"),
        ("quotas", ["east=1:2", "east=1"], "'east' stands in it twice"),
        ("quotas", {"east": "x"}, "found 'x'; a range of whole numbers is needed, such as 2:8 (or 4 for exactly four)"),
        ("colour", "red", "unknown field"),
    ],
)
def test_texts_that_cannot_be_read(field: str, text: object, words: str) -> None:
    with pytest.raises(DataError) as caught:
        goal_from_mapping({"channel": "tv", "durations": "14", "geos": "1:3"} | {field: text})
    assert [(each.column, each.message) for each in caught.value.problems] == [(field, words)]


def test_unreadable_and_missing_fields_are_reported_together() -> None:
    with pytest.raises(DataError) as caught:
        goal_from_mapping({"geos": "two", "budget": "lots", "chanel": "tv"})
    found = {each.column: each.message for each in caught.value.problems}
    assert set(found) == {"geos", "budget", "chanel", "channel", "durations"}
    assert found["chanel"] == "unknown field (did you mean 'channel'?)"
