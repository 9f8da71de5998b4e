"""Adding days one by one gives the table of reading all of them at once."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from attribution import PathSpec, PathStore, read_paths
from measurement import DataError

SPECS = [
    PathSpec(),
    PathSpec(click_lookback_days=3, impression_lookback_days=1, repeats="collapse"),
    PathSpec(click_lookback_days=2, after_conversion="reuse", session_gap_minutes=600, bot_touches=9),
    PathSpec(unfinished="null", duplicates="keep", direct="drop_unless_only", click_lookback_days=5),
]


def log(seed, rows=500):
    rng = np.random.default_rng(seed)
    event = rng.choice(["click", "impression", "conversion"], rows, p=[0.5, 0.3, 0.2])
    sale = event == "conversion"
    second = rng.integers(0, 60 * 24, rows) * 3_600 + rng.integers(0, 2, rows)
    # channels that come later stand before the others by name
    channel = np.where(second > 30 * 86_400, rng.choice(["a", "Direct"], rows), rng.choice(["c", "d"], rows))
    frame = pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in rng.integers(0, 60, rows)],
            "timestamp": pd.Timestamp("2024-01-01") + pd.to_timedelta(second, unit="s"),
            "channel": np.where(sale, None, channel),
            "event": event,
            "value": np.where(sale, rng.integers(0, 5, rows).astype(float), np.nan),
        }
    )
    frame.loc[rng.random(rows) < 0.02, "user_id"] = None
    again = frame.sample(rows // 20, random_state=seed)
    return pd.concat([frame, again]).sort_values("timestamp", kind="stable").astype({"timestamp": "datetime64[us]"})


def parts(frame, folder, seed, days):
    rng = np.random.default_rng(seed)
    bounds = np.sort(rng.choice(np.arange(1, 60), days, replace=False))
    edges = pd.Timestamp("2024-01-01") + pd.to_timedelta([0, *bounds, 400], unit="D")
    made = []
    for i, (first, stop) in enumerate(pairwise(edges)):
        made.append(folder / f"part{i:02d}.parquet")
        frame[(frame["timestamp"] >= first) & (frame["timestamp"] < stop)].to_parquet(made[-1], index=False)
    return made


@pytest.mark.parametrize("spec", SPECS, ids=range(len(SPECS)))
@pytest.mark.parametrize("seed", [1, 2])
def test_day_by_day_is_all_at_once(spec, seed, tmp_path):
    frame = log(seed)
    store = PathStore(tmp_path / "paths.npz", spec)
    for part in parts(frame, tmp_path, seed, 6):
        store.extend(part)
    frame.to_parquet(tmp_path / "whole.parquet", index=False)
    one, other = read_paths(tmp_path / "whole.parquet", spec), store.paths()
    assert other.channels == one.channels
    assert other.window == one.window
    assert other.counts == one.counts
    for name in ("touches", "offsets", "conversions", "nulls", "value"):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name), err_msg=name)
    for name in ("decay", "decay_value"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-12, atol=1e-12)
    assert other.no_touch == one.no_touch
    for name in ("no_touch", "alone", "entered", "exposed", "exposed_group", "exposed_touches"):
        np.testing.assert_array_equal(getattr(other.users, name), getattr(one.users, name), err_msg=name)
    np.testing.assert_allclose(other.users.watched, one.users.watched, rtol=1e-12)
    assert 0 < one.users.entered.sum() < one.users.alone.sum() <= one.no_touch[0]
    sales = [sorted(zip(u.sale_path, u.sale_group, u.sale_value, strict=True)) for u in (one.users, other.users)]
    assert sales[0] == sales[1]
    assert [p.message for p in other.findings] == [p.message for p in one.findings]


def test_events_that_come_late_are_refused_and_nothing_is_lost(tmp_path):
    first, second = parts(log(3), tmp_path, 3, 1)
    store = PathStore(tmp_path / "paths.npz")
    store.extend(second)
    before = store.file.read_bytes()
    with pytest.raises(DataError, match="not after the events that are there"):
        store.extend(first)
    with pytest.raises(DataError, match="not after the events that are there"):
        store.extend(second)
    assert store.file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_an_interrupted_addition_leaves_the_old_file(tmp_path, monkeypatch):
    first, second = parts(log(4), tmp_path, 4, 1)
    store = PathStore(tmp_path / "paths.npz")
    store.extend(first)
    before = store.file.read_bytes()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("attribution.path_store.np.savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.extend(second)
    assert store.file.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["part00.parquet", "part01.parquet", "paths.npz"]


def test_what_cannot_be_added_is_refused(tmp_path):
    (only,) = parts(log(5), tmp_path, 5, 0)
    store = PathStore(tmp_path / "paths.npz")
    with pytest.raises(DataError, match="add events first"):
        store.paths()
    store.extend(only)
    with pytest.raises(DataError, match="another path specification"):
        PathStore(store.file, PathSpec(repeats="collapse")).paths()
    with pytest.raises(DataError, match="bots"):
        PathStore(store.file, PathSpec(bots="drop"))
    store.file.write_bytes(store.file.read_bytes()[:200])
    with pytest.raises(DataError, match="damaged"):
        store.paths()


def test_no_id_is_written(tmp_path):
    (only,) = parts(log(6).assign(user_id="somebody@example.org"), tmp_path, 6, 0)
    store = PathStore(tmp_path / "paths.npz")
    store.extend(only)
    assert b"somebody" not in store.file.read_bytes()
