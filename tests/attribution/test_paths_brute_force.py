"""Paths of random small logs equal those of a plain walk, event by event, whatever the choices and the row order."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution import Paths, PathSpec, read_paths
from measurement import DataError

EPOCH = datetime(2024, 1, 1)
NO_TOUCH = ()
ORDER = {"click": 0, "impression": 1}

events = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2", "u3", None]),
        st.integers(0, 90).map(lambda half_day: 12 * half_day),  # coarse, so that lookbacks end on events
        st.sampled_from(["Direct", "a", "b"]),
        st.sampled_from(["click", "impression", "conversion"]),
        st.sampled_from([1.0, 2.5, 40.0]),
    ),
    min_size=1,
    max_size=40,
)
specs = st.builds(
    PathSpec,
    click_lookback_days=st.sampled_from([2.0, 7.0, 30.0]),
    impression_lookback_days=st.sampled_from([1.0, 7.0]),
    conversion_window_days=st.sampled_from([None, None, 3.0]),
    after_conversion=st.sampled_from(["reset", "reuse"]),
    session_gap_minutes=st.sampled_from([0.0, 720.0, 1440.0]),
    unfinished=st.sampled_from(["leave_out", "null"]),
    repeats=st.sampled_from(["keep", "collapse"]),
    direct=st.sampled_from(["keep", "drop_unless_only"]),
    duplicates=st.sampled_from(["drop", "keep"]),
    bots=st.sampled_from(["keep", "drop"]),
    bot_touches=st.sampled_from([4, 1000]),
    start=st.sampled_from([None, EPOCH.date() + timedelta(days=5)]),
    end=st.sampled_from([None, EPOCH.date() + timedelta(days=20)]),
    half_life_days=st.sampled_from([0.5, 7.0]),
)


def as_frame(log: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(log, columns=["user_id", "hour", "channel", "event", "value"])
    frame["user_id"] = frame["user_id"].astype(object)
    frame["timestamp"] = pd.Timestamp(EPOCH) + pd.to_timedelta(frame.pop("hour"), unit="h")
    frame.loc[frame["event"] != "conversion", "value"] = np.nan
    return frame


class Walk:
    """The definitions of `attribution.journeys`, spelled out one event at a time."""

    def __init__(self, log: list[tuple], spec: PathSpec) -> None:
        self.spec, self.end_of_log = spec, max(e[1] for e in log)
        self.gap = spec.session_gap_minutes / 60 if spec.session_gap_minutes else -1
        self.joined, self.mine = 0, []
        self.paths: dict[tuple, np.ndarray] = defaultdict(lambda: np.zeros(3))
        self.decay: dict[tuple, np.ndarray] = defaultdict(lambda: 0.0)
        self.decay_value: dict[tuple, np.ndarray] = defaultdict(lambda: 0.0)
        users = defaultdict(list)
        for user, hour, channel, event, value in log:
            if user is not None:
                users[user].append(
                    (hour, event == "conversion", channel if event != "conversion" else "", event, value)
                )
            elif event == "conversion":
                self.mine = []
                self.close(hour, [], [value])
        for mine in users.values():
            self.user(mine)

    def user(self, mine: list[tuple]) -> None:
        mine = sorted(mine, key=lambda e: (e[0], e[1], e[2], ORDER.get(e[3], 2), e[4] if e[1] else 0))
        if self.spec.duplicates == "drop":
            keys = [(e[0], e[1], e[2], e[3], e[4] if e[1] else 0) for e in mine]
            mine = [e for i, e in enumerate(mine) if keys[i] not in keys[:i]]
        if self.spec.bots == "drop" and sum(not e[1] for e in mine) > self.spec.bot_touches:
            return
        mine = self.visits(mine)
        self.mine = mine
        journey: list[tuple] = []
        lookback = 24 * self.spec.lookback_days
        i = 0
        while i < len(mine):
            hour, is_conversion = mine[i][:2]
            if journey and hour - journey[-1][0] > lookback:
                self.null(journey, followed=True)
                journey = []
            if is_conversion:
                same = [e for e in mine if e[1] and e[0] == hour]
                if journey and not self.live(journey, hour):
                    self.null(journey, followed=True)
                    journey = []
                self.close(hour, journey, [e[4] for e in same])
                journey, i = [], i + len(same)
            else:
                journey.append(mine[i])
                i += 1
        if journey:
            self.null(journey, followed=False)

    def visits(self, mine: list[tuple]) -> list[tuple]:
        """Without touches that follow another of their channel and kind within the session's gap."""
        last: dict[tuple, int] = {}
        kept = []
        for event in mine:
            hour, is_conversion, channel, kind, _ = event
            again = not is_conversion and hour - last.get((channel, kind), -(10**6)) <= self.gap
            last[channel, kind] = hour
            kept += [] if again else [event]
            self.joined += again
        return kept

    def live(self, journey: list[tuple], end: int) -> list[tuple]:
        window = self.spec.conversion_window_days or 10**6
        days = {
            "click": min(window, self.spec.click_lookback_days),
            "impression": min(window, self.spec.impression_lookback_days),
        }
        if self.spec.after_conversion == "reuse":
            journey = [e for e in self.mine if not e[1] and e[0] <= end]
        return [e for e in journey if end - e[0] <= 24 * days[e[3]]]

    def chosen(self, journey: list[tuple], end: int) -> list[tuple]:
        touches = self.live(journey, end)
        if self.spec.direct == "drop_unless_only" and any(e[2] != "Direct" for e in touches):
            touches = [e for e in touches if e[2] != "Direct"]
        if self.spec.repeats == "collapse":
            touches = [e for i, e in enumerate(touches) if i + 1 == len(touches) or touches[i + 1][2] != e[2]]
        return touches

    def inside(self, hour: int) -> bool:
        day = (EPOCH + timedelta(hours=hour)).date()
        return (self.spec.start is None or self.spec.start <= day) and (self.spec.end is None or day <= self.spec.end)

    def close(self, hour: int, journey: list[tuple], values: list[float]) -> None:
        if not self.inside(hour):
            return
        touches = self.chosen(journey, hour)
        path = tuple(e[2] for e in touches)
        self.paths[path] += [len(values), sum(values), 0]
        if path:
            weights = np.array([0.5 ** ((hour - e[0]) / (24 * self.spec.half_life_days)) for e in touches])
            self.decay[path] = self.decay[path] + len(values) * weights / weights.sum()
            self.decay_value[path] = self.decay_value[path] + sum(values) * weights / weights.sum()

    def null(self, journey: list[tuple], followed: bool) -> None:
        last = journey[-1][0]
        open_ = not followed and self.end_of_log - last < 24 * self.spec.lookback_days
        if self.inside(last) and not (open_ and self.spec.unfinished == "leave_out"):
            self.paths[tuple(e[2] for e in self.chosen(journey, last))] += [0, 0, 1]


def as_dict(paths: Paths) -> dict[tuple, list[float]]:
    money = np.zeros(len(paths)) if paths.value is None else paths.value
    rows = {paths.names(i): [paths.conversions[i], money[i], paths.nulls[i]] for i in range(len(paths))}
    if paths.no_touch[0]:
        rows[NO_TOUCH] = [*paths.no_touch[:2], 0.0]
    return rows


def not_empty(log: list[tuple], spec: PathSpec) -> bool:
    days = [(EPOCH + timedelta(hours=e[1])).date() for e in log]
    return not ((spec.start and spec.start > max(days)) or (spec.end and spec.end < min(days)))


@settings(max_examples=35, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(log=events, spec=specs, order=st.randoms(use_true_random=False))
def test_equal_to_a_walk_event_by_event(log, spec, order):
    if not not_empty(log, spec):
        return
    walk = Walk(log, spec)
    paths = read_paths(as_frame(log), spec)
    found = as_dict(paths)
    assert set(found) == {path for path, numbers in walk.paths.items() if numbers.any()}
    for path, numbers in found.items():
        np.testing.assert_allclose(numbers, walk.paths[path], atol=1e-9)
    for i in np.flatnonzero(paths.conversions):
        part = slice(paths.offsets[i], paths.offsets[i + 1])
        np.testing.assert_allclose(paths.decay[part], walk.decay[paths.names(i)], atol=1e-9)
        np.testing.assert_allclose(paths.decay_value[part], walk.decay_value[paths.names(i)], atol=1e-9)
    assert paths.counts["session_touches"] == walk.joined
    shuffled = list(log)
    order.shuffle(shuffled)
    assert read_paths(as_frame(shuffled), spec).sha256 == paths.sha256


def test_portions_of_the_stream_do_not_matter(monkeypatch):
    random = np.random.default_rng(3)
    log = [
        (
            f"u{random.integers(60)}",
            int(random.integers(1200)),
            "ab"[random.integers(2)],
            kind,
            float(random.integers(9)),
        )
        for kind in random.choice(["click", "impression", "conversion"], 3_000)
    ]
    whole = read_paths(as_frame(log))
    monkeypatch.setattr("attribution.paths.CHUNK", 97)
    parts = read_paths(as_frame(log))
    assert as_dict(parts).keys() == as_dict(whole).keys()
    for path, numbers in as_dict(whole).items():
        np.testing.assert_allclose(as_dict(parts)[path], numbers, rtol=1e-12)
    assert parts.counts == whole.counts
    np.testing.assert_allclose(parts.decay, whole.decay, rtol=1e-12)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(log=events, spec=specs)
def test_the_clock_does_not_matter(log, spec, monkeypatch):
    """Whole seconds are counted by the second, in narrower keys; the same log by the microsecond gives the same."""
    try:
        by_second = read_paths(as_frame(log), spec)
    except DataError:
        return
    with monkeypatch.context() as wide:
        wide.setattr("attribution.event_log.HALF_KEY", 0)
        by_microsecond = read_paths(as_frame(log), spec)
    assert by_second.sha256 == by_microsecond.sha256
    assert by_second.counts == by_microsecond.counts


def test_a_microsecond_parts_two_events():
    """Nothing is rounded where events are not at whole seconds, nor where a lookback is not."""
    rows = [("u", "00:00:00", "a", "click"), ("u", "00:00:10.000001", None, "conversion")]
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event"])
    frame["timestamp"] = pd.to_datetime("2024-01-01 " + frame["timestamp"], format="ISO8601")
    late, in_time = {("a",): [0, 0, 1], NO_TOUCH: [1, 0, 0]}, {("a",): [1, 0, 0]}
    for seconds, expected in ((10, late), (10.000001, in_time)):
        assert as_dict(read_paths(frame, up_to(seconds))) == expected, seconds
    frame["timestamp"] = frame["timestamp"].dt.floor("s")
    for seconds, expected in ((9.5, late), (10, in_time)):
        assert as_dict(read_paths(frame, up_to(seconds))) == expected, seconds


def up_to(seconds: float) -> PathSpec:
    return PathSpec(click_lookback_days=seconds / 86_400, impression_lookback_days=seconds / 86_400)


def test_users_who_share_a_hash_stay_apart():
    import pyarrow as pa

    from attribution.stream import whole_users

    twin, time = [1, 1, 2, 2, 5, 5], [1, 3, 2, 4, 1, 1]
    key = [high << 40 | at << 1 for high, at in zip(twin, time, strict=True)]
    rows = {"user": [70, 70, 70, 70, 90, 90], "key": key, "value": [np.nan] * 6}
    kinds = [("user", pa.uint64()), ("key", pa.int64()), ("value", pa.float64())]
    batch = pa.record_batch(rows, schema=pa.schema(kinds))
    (found,) = whole_users([batch], np.zeros(2, np.uint8), np.zeros(2, np.uint16), 1, 40, 100)
    assert [(int(u), int(t)) for u, t in zip(found.user, found.time, strict=True)] == [
        (71, 1), (71, 3), (72, 2), (72, 4), (90, 1), (90, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 5, 40])
def test_one_user_may_be_larger_than_a_portion(size, monkeypatch):
    monkeypatch.setattr("attribution.paths.CHUNK", size)
    log = [("u", i, "ab"[i % 2], "click", 0.0) for i in range(50)] + [("u", 50, "", "conversion", 3.0)]
    log += [("v", 10, "b", "click", 0.0), ("v", 11, "", "conversion", 2.0)]
    paths = read_paths(as_frame(log))
    assert as_dict(paths) == {("a", "b") * 25: [1, 3.0, 0], ("b",): [1, 2.0, 0]}


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (48, {("a", "b"): [1, 0, 0]}),  # as old as the lookback allows
        (49, {("b",): [1, 0, 0]}),  # older: expired
    ],
)
def test_a_touch_counts_up_to_its_lookback(hours, expected):
    log = [("u", 0, "a", "impression", 0.0), ("u", 10, "b", "click", 0.0), ("u", hours, "", "conversion", 0.0)]
    spec = PathSpec(click_lookback_days=30, impression_lookback_days=2)
    assert as_dict(read_paths(as_frame(log), spec)) == expected


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (72, {("a", "b"): [1, 0, 0]}),  # a silence as long as the lookback
        (73, {("a",): [0, 0, 1], ("b",): [1, 0, 0]}),  # longer: another journey
    ],
)
def test_a_silence_longer_than_the_lookback_ends_a_journey(hours, expected):
    log = [("u", 0, "a", "click", 0.0), ("u", hours, "b", "click", 0.0), ("u", hours, "", "conversion", 0.0)]
    spec = PathSpec(click_lookback_days=3, impression_lookback_days=3)
    assert as_dict(read_paths(as_frame(log), spec)) == expected


@pytest.mark.parametrize(("hours", "unfinished"), [(71, 1), (72, 0)])
def test_a_tail_is_null_once_it_is_as_old_as_the_lookback(hours, unfinished):
    log = [("u", 0, "a", "click", 0.0), ("v", hours, "b", "click", 0.0), ("v", hours, "", "conversion", 0.0)]
    spec = PathSpec(click_lookback_days=3, impression_lookback_days=3)
    paths = read_paths(as_frame(log), spec)
    assert paths.counts["unfinished"] == unfinished
    assert paths.nulls.sum() == 1 - unfinished


def test_a_period_holds_its_first_and_last_instant():
    log = [("u", 1, "a", "click", 0.0)]
    log += [("u", hour, "", "conversion", float(hour)) for hour in (47, 48, 95, 96)]  # days 2 | 3 ... 4 | 5
    spec = PathSpec(start=EPOCH.date() + timedelta(days=2), end=EPOCH.date() + timedelta(days=3))
    paths = read_paths(as_frame(log), spec)
    assert paths.total_conversions == 2
    assert paths.no_touch[1] == 48 + 95


@pytest.mark.parametrize("order", list(permutations([5.0, 0.1, 5.0, 0.7])))
def test_conversions_of_one_instant_share_a_path_in_any_order(order):
    log = [("u", 0, "a", "click", 0.0)] + [("u", 5, "", "conversion", value) for value in order]
    once = read_paths(as_frame(log))
    assert as_dict(once) == {("a",): [3, 0.1 + 0.7 + 5.0, 0]}
    assert once.counts["duplicate_conversions"] == 1
    assert as_dict(read_paths(as_frame(log), PathSpec(duplicates="keep"))) == {("a",): [4, 0.1 + 0.7 + 5.0 + 5.0, 0]}


def test_a_later_conversion_sees_the_touches_before_an_earlier_one_only_with_reuse():
    log = [("u", 0, "a", "click", 0.0), ("u", 5, "", "conversion", 1.0), ("u", 9, "b", "impression", 0.0)]
    log += [("u", 20, "", "conversion", 2.0), ("u", 30, "", "conversion", 4.0), ("v", 2000, "z", "click", 0.0)]
    spec = PathSpec(impression_lookback_days=0.5, after_conversion="reuse")
    assert as_dict(read_paths(as_frame(log))) == {("a",): [1, 1.0, 0], ("b",): [1, 2.0, 0], (): [1, 4.0, 0]}
    # at hour 30 the impression is older than half a day, the click is not older than 30
    assert as_dict(read_paths(as_frame(log), spec)) == {("a",): [2, 5.0, 0], ("a", "b"): [1, 2.0, 0]}


def test_with_reuse_a_journey_without_conversion_shows_what_its_user_saw_before():
    log = [("u", 0, "a", "click", 0.0), ("u", 5, "", "conversion", 1.0), ("u", 9, "b", "click", 0.0)]
    log += [("v", 2000, "", "conversion", 1.0)]
    found = as_dict(read_paths(as_frame(log), PathSpec(after_conversion="reuse")))
    assert found == {("a",): [1, 1.0, 0], ("a", "b"): [0, 0.0, 1], (): [1, 1.0, 0]}


def test_users_of_very_many_conversions_are_refused_where_touches_are_reused(monkeypatch):
    monkeypatch.setattr("attribution.touches.MOST", 1_000)
    log = [("u", hour, "a", "conversion" if hour % 2 else "click", 1.0) for hour in range(200)]
    with pytest.raises(DataError, match="bot_touches"):
        read_paths(as_frame(log), PathSpec(after_conversion="reuse"))
    assert read_paths(as_frame(log)).total_conversions == 100


@pytest.mark.parametrize(
    ("hours", "gap", "expected"),
    [
        ((0, 1, 2), 0.0, ("a", "a", "a")),
        ((0, 1, 2), 60.0, ("a",)),  # each within the hour of the one before
        ((0, 1, 3), 60.0, ("a", "a")),
        ((0, 1, 3), 59.0, ("a", "a", "a")),
    ],
)
def test_touches_within_the_gap_are_one_session(hours, gap, expected):
    log = [("u", hour, "a", "click", 0.0) for hour in hours] + [("u", 4, "", "conversion", 1.0)]
    paths = read_paths(as_frame(log), PathSpec(session_gap_minutes=gap))
    assert as_dict(paths) == {expected: [1, 1.0, 0]}
    assert paths.counts["session_touches"] == 3 - len(expected)


def test_a_click_is_no_part_of_an_impressions_session_and_a_page_after_the_order_is_no_new_touch():
    log = [("u", 0, "a", "impression", 0.0), ("u", 0, "a", "click", 0.0), ("u", 1, "", "conversion", 1.0)]
    log += [("u", 1.5, "a", "click", 0.0), ("v", 2000, "z", "click", 0.0)]
    found = as_dict(read_paths(as_frame(log), PathSpec(session_gap_minutes=90)))
    assert found == {("a", "a"): [1, 1.0, 0]}


def test_the_conversion_window_caps_both_lookbacks():
    log = [("u", 0, "a", "click", 0.0), ("u", 47, "b", "impression", 0.0), ("u", 73, "", "conversion", 1.0)]
    window = PathSpec(click_lookback_days=60, impression_lookback_days=1, conversion_window_days=3)
    same = PathSpec(click_lookback_days=3, impression_lookback_days=1)
    assert as_dict(read_paths(as_frame(log), window)) == as_dict(read_paths(as_frame(log), same))
    assert window.sha256 != same.sha256
    assert window.lookback_days == 3


@pytest.mark.parametrize(("touches", "bots"), [(5, 0), (6, 1)])
def test_the_limit_itself_is_no_bot(touches, bots):
    log = [("u", hour, "a", "click", 0.0) for hour in range(touches)] + [("v", 0, "a", "click", 0.0)]
    assert read_paths(as_frame(log), PathSpec(bot_touches=5)).counts["bot_users"] == bots


def test_what_users_are_called_does_not_matter():
    random = np.random.default_rng(8)
    log = [
        (f"u{random.integers(40)}", int(random.integers(2000)), "abc"[random.integers(3)], kind, 1.0)
        for kind in random.choice(["click", "conversion"], 400)
    ]
    renamed = [(f"somebody {user[1:]}", *rest) for user, *rest in log]
    one, other = read_paths(as_frame(renamed)), read_paths(as_frame(log))
    assert len(one) > 20
    for name in ("touches", "offsets", "conversions", "nulls"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_offsets_are_instants():
    rows = [
        ("u", "2024-01-05T10:00:00+02:00", "a", "click"),
        ("u", "2024-01-05T08:30:00Z", "b", "click"),
        ("u", "2024-01-05T09:00:00Z", "", "conversion"),
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event"])
    assert as_dict(read_paths(frame)) == {("a", "b"): [1, 0, 0]}
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True)
    assert frame["timestamp"].dt.tz == UTC
    assert as_dict(read_paths(frame)) == {("a", "b"): [1, 0, 0]}
