"""Chart specifications on a page: strict JSON that cannot leave its script element, and no address."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theodolite.report.specs import records, script_json, tidy

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_script_json_is_json_without_markup(value: Any) -> None:
    text = script_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_what_closes_a_script_is_escaped() -> None:
    assert script_json("</script><!--") == '"\\u003c/script\\u003e\\u003c!--"'


def test_the_address_of_the_schema_and_default_sizes_go() -> None:
    spec = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "mark": "bar"}
    assert tidy(spec | {"config": {"view": {"continuousWidth": 300}}}) == {"mark": "bar"}
    assert tidy(spec | {"config": {"view": {}, "bar": {"size": 3}}}) == {"mark": "bar", "config": {"bar": {"size": 3}}}


def test_numbers_that_are_not_finite_become_null_and_long_ones_short() -> None:
    rows = [{"x": math.nan, "y": 1 / 3}, {"x": -math.inf, "y": 2}]
    assert tidy({"data": {"values": rows}})["data"]["values"] == [{"x": None, "y": 0.3333333}, {"x": None, "y": 2}]


@pytest.mark.parametrize(
    "spec",
    [
        {"data": {"url": "https://example.org/x.csv"}},
        {"layer": [{"mark": {"type": "image"}}]},
        {"mark": "image"},
        {"encoding": {"href": {"field": "link"}}},
        {"spec": {"data": {"url": "file:///etc/passwd"}}},
    ],
)
def test_a_chart_that_refers_to_an_address_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="address"):
        tidy(spec)


def test_rows_may_have_any_field() -> None:
    rows = [{"url": "x", "type": "image"}]
    assert tidy({"datasets": {"d": rows}, "data": {"name": "d"}})["datasets"]["d"] == rows


def test_the_largest_data_set_is_the_one_that_is_downloaded() -> None:
    assert records({"datasets": {"a": [{"x": 1}], "b": [{"x": 1}, {"x": 2}]}}) == [{"x": 1}, {"x": 2}]
    assert records({"data": {"values": [{"x": 1}]}}) == [{"x": 1}]
    assert records({"mark": "bar"}) == []
