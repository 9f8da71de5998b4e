import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measurement.errors import (
    DataError,
    DesignError,
    FitError,
    Problem,
    StoreError,
    TheodoliteError,
    did_you_mean,
    listed,
    refuse,
    shown,
)


def test_the_tree_has_one_root_and_one_exit_code() -> None:
    for kind in (DataError, DesignError, FitError, StoreError):
        assert issubclass(kind, TheodoliteError)
        assert kind.exit_code == 2


def test_a_problem_names_file_line_and_column() -> None:
    problem = Problem("found 'abc', a number is needed", file="media.csv", line=3, column="spend")
    assert str(problem) == "error: media.csv:3, column 'spend': found 'abc', a number is needed"


def test_a_very_long_path_keeps_the_name_of_the_file() -> None:
    assert "/media.csv:3" in str(Problem("is blank", file="/a" * 400 + "/media.csv", line=3))


def test_twenty_problems_are_shown_and_the_rest_counted() -> None:
    text = listed([Problem(f"problem number {i}") for i in range(1, 51)])
    assert "problem number 20" in text
    assert "problem number 21" not in text
    assert "30 more" in text


@given(st.lists(st.text(max_size=5_000), min_size=1, max_size=40))
def test_the_message_never_grows_beyond_four_thousand_characters(messages: list[str]) -> None:
    assert len(str(DataError([Problem(message) for message in messages]))) < 4_000


def test_refuse_raises_every_error_and_lets_warnings_pass() -> None:
    refuse([Problem("odd", level="warning"), Problem("hard", level="note")])
    with pytest.raises(DataError) as caught:
        refuse([Problem("odd", level="warning"), Problem("one"), Problem("two")])
    assert [problem.message for problem in caught.value.problems] == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "allowed", "expected"),
    [
        ("TVV", ["tv", "radio"], " (did you mean 'tv'?)"),
        ("zzz", ["tv"], ""),
        ("Serach", ["search"], " (did you mean 'search'?)"),
    ],
)
def test_the_nearest_name_is_offered(name: str, allowed: list[str], expected: str) -> None:
    assert did_you_mean(name, allowed) == expected


@given(st.text())
def test_shown_text_is_printable_and_short(text: str) -> None:
    assert all(c.isprintable() for c in shown(text))


def test_an_error_comes_back_from_a_worker_process_as_it_was() -> None:
    error = DataError([Problem("is 3", file="a.csv", line=2, code="bad"), Problem("is gone")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(again), again.problems) == (str(error), error.problems)
