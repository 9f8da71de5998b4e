"""Figures in words: what a reader sees."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theodolite.report.words import GAP, chance, count, listed, money, number, percent, ratio, span


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.001, "0"),
        (0.723, "0.72"),
        (3.0, "3"),
        (12.36, "12.4"),
        (99.96, "100"),
        (999.7, "1 k"),
        (12_345.0, "12.3 k"),
        (310_000.0, "310 k"),
        (999_900.0, "1 m"),
        (1_243_000.0, "1.24 m"),
        (-5.5e9, "−5.50 bn"),
        (math.inf, "–"),
        (math.nan, "–"),
    ],
)
def test_numbers_have_three_digits_and_a_scale(value: float, shown: str) -> None:
    assert number(value).replace(GAP, " ") == shown


@given(st.floats(min_value=1e-2, max_value=1e12))
def test_a_shown_number_is_within_a_percent_of_the_truth(value: float) -> None:
    text, _, suffix = number(value).partition(GAP)
    scale = {"": 1.0, "k": 1e3, "m": 1e6, "bn": 1e9}[suffix]
    assert float(text) * scale == pytest.approx(value, rel=0.01, abs=0.005)


def test_money_names_its_currency_and_keeps_its_sign() -> None:
    assert money(-1_240_000, "EUR").replace(GAP, " ") == "−EUR 1.24 m"
    assert " " not in money(1_240_000, "EUR"), "a figure may not break over two lines"


@pytest.mark.parametrize(("value", "shown"), [(0.931, "0.93"), (-0.001, "0.00"), (12.36, "12.4"), (186.4, "186")])
def test_ratios(value: float, shown: str) -> None:
    assert ratio(value) == shown


def test_spans_and_percentages() -> None:
    assert span(0.9, 1.61) == "0.90 to 1.61"
    assert percent(0.1234).replace(GAP, " ") == "12 %"
    assert percent(-0.0001).replace(GAP, " ") == "0 %"


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (0.0, "under 1 %"),
        (0.004, "under 1 %"),
        (0.35, "35 %"),
        (0.989, "99 %"),
        (0.997, "over 99 %"),
        (1.0, "over 99 %"),
    ],
)
def test_a_chance_is_never_stated_as_certain(probability: float, shown: str) -> None:
    assert chance(probability).replace(GAP, " ") == shown


def test_counts_and_lists() -> None:
    assert count(1, "market") == "1 market"
    assert count(1200, "market") == "1,200 markets"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([]) == ""
