"""What is refused in an event log, with its place, and what is counted and kept."""

import numpy as np
import pandas as pd
import pytest

from attribution import PathSpec, attribute, read_paths
from measurement import DataError

HEADER = "user_id,timestamp,channel,event,value\n"
SOUND = (
    "u1,2024-01-01T10:00:00,search,click,\n"
    "u1,2024-01-02T10:00:00,,conversion,20\n"
    "u2,2024-01-01T11:00:00,tv,impression,\n"
    "u9,2024-04-01T11:00:00,tv,impression,\n"
)


@pytest.fixture
def csv(tmp_path):
    def write(text, name="touchpoints.csv"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def refused(file, **keywords):
    with pytest.raises(DataError) as caught:
        read_paths(file, **keywords)
    return caught.value.problems


def codes(paths):
    return {problem.code for problem in paths.findings}


def said(paths, code):
    return next(problem.message for problem in paths.findings if problem.code == code)


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("u3,02/01/2024,tv,click,", "timestamp", "day or the month first"),
        ("u3,45000.5,tv,click,", "timestamp", "serial number"),
        ("u3,,tv,click,", "timestamp", "blank"),
        ("u3,2024-01-05T25:00:00,tv,click,", "timestamp", "2024-01-05T25:00:00"),
        ("u3,2024-01-05T10:00:00Z,tv,click,", "timestamp", "offset"),
        ("u3,2024-01-05T10:00:00,tv,clik,", "event", "did you mean 'click'"),
        ("u3,2024-01-05T10:00:00,tv,,", "event", "blank"),
        ("u3,2024-01-05T10:00:00,,click,", "channel", "blank"),
        ("u3,2024-01-05T10:00:00, ,click,", "channel", "blank"),
        ("u3,2024-01-05T10:00:00,tv,click,3", "value", "only conversions"),
        ("u3,2024-01-05T10:00:00,,conversion,-3", "value", "-3"),
        ("u3,2024-01-05T10:00:00,,conversion,€3", "value", "€"),
        ("u3,2024-01-05T10:00:00,,conversion,nan", "value", "nan"),
        ("u3,2024-01-05T10:00:00,,conversion,", "value", "where conversions have values"),
    ],
)
def test_a_broken_row_is_refused_with_its_place(csv, row, column, words):
    (problem,) = refused(csv(HEADER + SOUND + row + "\n"))
    assert problem.line == 6
    assert problem.column == column
    assert words in problem.message
    assert problem.file.endswith("touchpoints.csv")


def test_all_broken_rows_are_told_together(csv):
    rows = "u3,yesterday,tv,click,\nu3,2024-01-05T10:00:00,tv,view,\nu3,2024-01-05T10:00:00,,click,5\n"
    problems = refused(csv(HEADER + SOUND + rows))
    assert [(p.line, p.column) for p in problems] == [(6, "timestamp"), (7, "event"), (8, "channel"), (8, "value")]


def test_a_missing_column_names_its_likely_misspelling(csv):
    (problem,) = refused(csv("user_id,timestmp,channel,event\nu,2024-01-01,tv,click\n"))
    assert "'timestmp'" in str(problem)
    assert "timestamp" in str(problem)


def test_a_frame_obeys_the_same_rules():
    frame = pd.DataFrame(
        {
            "user_id": ["u", "u"],
            "timestamp": ["2024-01-01", "2024-01-02T00:00"],
            "channel": ["", None],
            "event": "click",
        }
    )
    problems = refused(frame)
    assert {p.file for p in problems} == {"frame"}
    assert {(p.line, p.column) for p in problems} >= {(1, "channel"), (2, "channel")}


def test_rows_without_a_user_are_counted_and_their_conversions_kept(csv):
    text = ",2024-01-03T10:00:00,tv,click,\n ,2024-01-03T11:00:00,,conversion,5\n,2024-01-03T11:00:00,,conversion,5\n"
    paths = read_paths(csv(HEADER + SOUND + text))
    assert paths.no_touch == (2, 10)
    assert paths.total_value == 30
    messages = [p.message for p in paths.findings if p.code == "missing-user"]
    assert messages == [
        "touches without a user_id, which are in no journey: 1",
        "conversions without a user_id, counted as '(no touch)': 2",
    ]


def test_repeated_events_are_counted_once_or_kept(csv):
    file = csv(HEADER + SOUND + SOUND)
    once = read_paths(file)
    assert once.total_conversions == 1
    assert "each counted once: 4 (conversions among them: 1)" in said(once, "duplicate-event")
    kept = read_paths(file, PathSpec(duplicates="keep"))
    assert kept.total_conversions == 2
    assert kept.total_value == 40


def test_a_wrong_clock_is_told_and_does_not_end_the_log(csv):
    rows = [f"u{i},2024-01-{1 + i % 30:02d}T10:00:00,tv,click,0" for i in range(3_000)]
    rows += ["x,2099-01-01T10:00:00,tv,click,0", "u0,2024-01-02T10:00:00,,conversion,4"]
    paths = read_paths(csv(HEADER + "\n".join(rows) + "\n"))
    assert paths.window[1].isoformat() == "2024-01-30"
    assert "2099-01-01" in said(paths, "stray-clock")
    assert paths.counts["unfinished"] == 3_000
    assert paths.counts["events"] == 3_002


def test_journeys_that_may_still_convert_are_left_out_unless_asked_for(csv):
    rows = "u3,2024-03-31T10:00:00,tv,click,\nu4,2024-03-05T10:00:00,search,click,\n"
    paths = read_paths(csv(HEADER + SOUND + rows))
    assert paths.counts["unfinished"] == 3
    assert paths.nulls.sum() == 1
    assert read_paths(csv(HEADER + SOUND + rows), PathSpec(unfinished="null")).nulls.sum() == 4


def test_bots_are_told_and_left_out_only_when_asked_to(csv):
    rows = "".join(f"robot,2024-01-{1 + i % 9:02d}T{i % 24:02d}:00:00,tv,click,\n" for i in range(72))
    file = csv(HEADER + SOUND + rows)
    kept = read_paths(file, PathSpec(bot_touches=50))
    assert "who are kept: 1 (touches: 72, conversions: 0)" in said(kept, "bot")
    assert kept.lengths.max() == 72
    dropped = read_paths(file, PathSpec(bot_touches=50, bots="drop"))
    assert dropped.lengths.max() == 1
    assert dropped.counts["bot_touches"] == 72


def test_touches_at_and_right_after_a_conversion_are_counted(csv):
    rows = "u3,2024-01-03T10:00:00,tv,click,\nu3,2024-01-03T10:00:00,,conversion,5\n"
    rows += "u3,2024-01-03T10:01:00,search,click,\nu4,2024-01-03T10:00:00,,conversion,5\n"
    rows += "u4,2024-01-03T10:01:01,search,click,\n"
    paths = read_paths(csv(HEADER + SOUND + rows))
    assert paths.counts["same_instant"] == 1
    assert paths.counts["just_after"] == 1
    assert "taken to come before it: 1" in said(paths, "same-instant")
    assert "follows within a minute" in said(paths, "just-after")


def test_unknown_and_look_alike_channels_are_told(csv):
    rows = "u3,2024-01-03T10:00:00,Search,click,\nu3,2024-01-03T10:00:00,radioo,click,\n"
    paths = read_paths(csv(HEADER + SOUND + rows), channels=["search", "tv", "radio"])
    assert "'Search', 'search'" in said(paths, "similar-names")
    unknown = [p.message for p in paths.findings if p.code == "unknown-channel"]
    assert any("'radioo'" in message and "did you mean 'radio'" in message for message in unknown)
    aliased = read_paths(
        csv(HEADER + SOUND + rows), aliases={"Search": "search", "radioo": "radio"}, channels=["search", "tv", "radio"]
    )
    assert aliased.channels == ("radio", "search", "tv")
    assert not {"similar-names", "unknown-channel"} & codes(aliased)


def test_days_without_a_time_are_told(csv):
    file = csv(HEADER + "u,2024-01-01T00:00,b,click,\nu,2024-01-01T00:00,a,click,\nu,2024-01-02T00:00,,conversion,1\n")
    paths = read_paths(file)
    assert "no-time-of-day" in codes(paths)
    assert paths.names(0) == ("a", "b")


def test_no_user_appears_in_any_output(csv):
    rows = ",2024-01-03T10:00:00,tv,click,\n" + 2 * "secret-user,2024-01-03T10:00:00,tv,click,\n"
    rows += "secret-user,2024-01-04T10:00:00,,conversion,3\n"
    paths = read_paths(csv(HEADER + SOUND + rows), PathSpec(bot_touches=1, duplicates="keep"))
    result = attribute(paths)
    everything = f"{paths.to_dict()} {paths.to_frame()} {result.to_dict()} {result.to_frame()} {result.to_bytes()!r}"
    assert "secret-user" not in everything
    for value in vars(paths).values():
        assert "secret-user" not in repr(value)


def test_names_are_only_values(csv, tmp_path):
    names = ["'; DROP TABLE events; --", "<script>", '=HYPERLINK("x")', "NA", "01", "Ünïcode 🎯"]
    quoted = [name.replace('"', '""') for name in names]
    rows = "".join(f'u{i},2024-01-01T1{i}:00:00,"{name}",click,\n' for i, name in enumerate(quoted))
    paths = read_paths(csv(HEADER + rows + "u0,2024-01-02T10:00:00,,conversion,1\n"))
    assert set(paths.channels) == set(names)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_many_files_are_one_log(tmp_path, kind):
    whole = pd.DataFrame(
        {
            "user_id": ["u", "u", "v", "v"],
            "timestamp": pd.to_datetime(
                ["2024-01-01 10:00", "2024-01-03 01:00", "2024-01-01 02:00", "2024-01-02 03:00"]
            ),
            "channel": ["a", None, "b", None],
            "event": ["click", "conversion", "click", "conversion"],
            "value": [None, 3.0, None, 4.0],
        }
    )
    for i in range(4):
        part = whole.iloc[[i]]
        if kind == "csv":
            part.to_csv(tmp_path / f"{i}.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S")
        else:
            part.to_parquet(tmp_path / f"{i}.parquet", index=False)
    assert read_paths(tmp_path / f"*.{kind}").sha256 == read_paths(whole).sha256


def test_the_window_is_that_of_conversions(csv):
    text = "u,2024-01-30T10:00:00,a,click,\nu,2024-02-02T10:00:00,,conversion,3\n"
    text += "u,2024-03-05T10:00:00,b,click,\nu,2024-03-06T10:00:00,,conversion,4\n"
    file = csv(HEADER + text)
    february = read_paths(file, PathSpec(start="2024-02-01", end="2024-02-29"))
    assert february.total_value == 3
    assert february.names(0) == ("a",)
    assert [day.isoformat() for day in february.window] == ["2024-02-01", "2024-02-29"]
    parts = [
        read_paths(file, PathSpec(start=a, end=b))
        for a, b in [("2024-01-01", "2024-02-29"), ("2024-03-01", "2024-03-31")]
    ]
    assert sum(part.total_value for part in parts) == read_paths(file).total_value
    (problem,) = refused(file, spec=PathSpec(start="2030-01-01"))
    assert "the log runs from 2024-01-30 to 2024-03-06" in problem.message


def test_more_channels_than_a_byte_holds():
    rows = [(f"u{i}", pd.Timestamp("2024-01-01"), f"channel {i:03d}", "click") for i in range(500)]
    rows += [
        (f"u{i}", pd.Timestamp("2024-01-01 01:00"), f"channel {(i + 300) % 500:03d}", "impression") for i in range(500)
    ]
    rows += [(f"u{i}", pd.Timestamp("2024-01-02"), None, "conversion") for i in range(500)]
    paths = read_paths(pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event"]))
    assert len(paths) == 500
    assert {paths.names(i) for i in range(500)} == {
        (f"channel {i:03d}", f"channel {(i + 300) % 500:03d}") for i in range(500)
    }


def test_nothing_is_left_behind(csv, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    read_paths(csv(HEADER + SOUND))
    refused(csv(HEADER + "u,x,tv,click,\n"))
    assert list(folder.iterdir()) == []


def test_damaged_pages_are_refused(tmp_path):
    random = np.random.default_rng(0)
    size = 20_000
    frame = pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in random.integers(0, 5_000, size)],
            "timestamp": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 10**7, size), unit="s"),
            "channel": random.choice(["a", "b"], size),
            "event": random.choice(["click", "conversion"], size),
        }
    )
    file = tmp_path / "log.parquet"
    frame.to_parquet(file)
    sound = file.read_bytes()
    refusals = []
    for at in range(500, len(sound) - 5_000, len(sound) // 12):
        file.write_bytes(sound[:at] + bytes(b ^ 0x5A for b in sound[at : at + 64]) + sound[at + 64 :])
        try:
            read_paths(file)  # values may change without a trace: parquet has no checksums by default
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) >= 3
    assert all("log.parquet" in text for text in refusals)
    file.write_bytes(sound[: len(sound) // 2])
    with pytest.raises(DataError, match=r"log\.parquet"):
        read_paths(file)


def test_too_little_memory_is_told(tmp_path):
    size = 400_000
    frame = pd.DataFrame({"user_id": [f"user number {i}" for i in range(size)], "channel": "a", "event": "click"})
    frame["timestamp"] = pd.Timestamp("2024-01-01 10:00")
    file = tmp_path / "log.parquet"
    frame.to_parquet(file)
    with pytest.raises(DataError, match="Memory"):
        read_paths(file, memory="6MB")


def test_reserved_name(csv):
    (problem,) = refused(csv(HEADER + SOUND + "u,2024-01-01T10:00:00,(no touch),click,\n"))
    assert "no channel can be called '(no touch)'" in problem.message
