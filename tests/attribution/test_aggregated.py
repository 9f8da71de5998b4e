"""Tables of aggregated paths."""

import pandas as pd
import pytest

from attribution import PathSpec, attribute, read_paths
from measurement import DataError

TEXT = "path,conversions,value,nulls\na > b,3,30,1\nb,1,5,4\na > b,2,10,0\n(no touch),2,7,0\n"


@pytest.fixture
def csv(tmp_path):
    def write(text):
        file = tmp_path / "paths.csv"
        file.write_text(text)
        return file

    return write


def test_equal_paths_add_up(csv):
    paths = read_paths(csv(TEXT))
    assert {paths.names(i): (paths.conversions[i], paths.value[i], paths.nulls[i]) for i in range(len(paths))} == {
        ("a", "b"): (5, 40, 1),
        ("b",): (1, 5, 4),
    }
    assert paths.no_touch[:2] == (2, 7)
    assert paths.total_conversions == 8


def test_a_bare_separator_is_taken_where_no_path_has_a_spaced_one(csv):
    paths = read_paths(csv("path,conversions,nulls\nc1>c2>c3,1,0\nc1,0,1\nc2>c3,0,1\n"))
    assert paths.names(0) == ("c1", "c2", "c3")
    spaced = read_paths(csv("path,conversions,nulls\na > x>y,1,0\n"))
    assert spaced.names(0) == ("a", "x>y")
    assert [p.code for p in spaced.findings] == ["separator-in-name"]


def test_a_table_reads_back_what_paths_write(csv, tmp_path):
    paths = read_paths(csv(TEXT))
    place = tmp_path / "again.parquet"
    paths.to_frame().to_parquet(place)
    assert read_paths(place).sha256 == paths.sha256
    assert read_paths(paths.to_frame()).sha256 == paths.sha256


def test_events_and_their_table_get_the_same_credit(tmp_path):
    rows = [
        ("u", "2024-01-01T01:00", "a", "click", None),
        ("u", "2024-01-02T01:00", "b", "click", None),
        ("u", "2024-01-03T01:00", None, "conversion", 9.0),
        ("v", "2024-01-01T01:00", "b", "click", None),
        ("w", "2024-04-01T01:00", "b", "click", None),
    ]
    log = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event", "value"])
    paths = read_paths(log)
    models = ["first", "last", "linear", "position", "markov:1"]
    direct, table = attribute(paths, models, draws=0), attribute(read_paths(paths.to_frame()), models, draws=0)
    assert direct.to_frame().equals(table.to_frame())


def test_the_order_of_rows_does_not_matter(csv):
    frame = pd.read_csv(csv(TEXT))
    one = attribute(read_paths(frame), seed=1)
    other = attribute(read_paths(frame.sample(frac=1, random_state=1)), seed=1)
    assert one.to_bytes() == other.to_bytes()


def test_choices_that_need_no_times_apply():
    frame = pd.DataFrame({"path": ["Direct > a > a > Direct", "Direct"], "conversions": [2.0, 1.0]})
    paths = read_paths(frame, PathSpec(direct="drop_unless_only", repeats="collapse", aliases={"a": "tv"}))
    assert {paths.names(i) for i in range(len(paths))} == {("tv",), ("Direct",)}
    assert paths.value is None
    with pytest.raises(DataError, match="have no dates"):
        read_paths(frame, PathSpec(start="2024-01-01"))


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("a > > b,1,1,0", "path", "step of the path is blank"),
        (",1,1,0", "path", "blank"),
        ("a,-1,1,0", "conversions", "-1"),
        ("a,,1,0", "conversions", "blank"),
        ("a,0,5,1", "value", "no conversion"),
        ("a,1,x,1", "value", "x"),
        ("a > b >,1,1,0", "path", "step of the path is blank"),
        ("(no touch),1,1,1", "nulls", "cannot be null"),
        ("a > (no touch),1,1,1", "path", "stands alone"),
    ],
)
def test_a_broken_row_is_refused_with_its_place(csv, row, column, words):
    with pytest.raises(DataError) as caught:
        read_paths(csv(TEXT + row + "\n"))
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (6, column)
    assert words in problem.message


def test_intervals_treat_the_money_of_a_path_as_equal(csv):
    """Sums of squares are not known; the draws then vary by the number of conversions alone."""
    paths = read_paths(csv(TEXT))
    draws = attribute(paths, ["first"], draws=50)["first"]
    found = draws.value_draws[:, 0] / draws.conversions_draws[:, 0].clip(1)
    assert set(found.round(9)) <= {0.0, 8.0}
