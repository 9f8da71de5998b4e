"""The panel: one door from frames to arrays, and nothing unsound passes it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from measurement.errors import DataError
from measurement.panel import Panel
from measurement.periods import expected_dates, last_day, period_of

DAYS = pd.date_range("2024-01-01", periods=6, freq="W-MON")
OUTCOME = pd.DataFrame(
    [(day, geo, 10.0 * i + j, 100 * (j + 1), i) for i, day in enumerate(DAYS) for j, geo in enumerate("ab")],
    columns=["date", "geo", "outcome", "people", "price"],
)
MEDIA = pd.DataFrame(
    [
        (day, geo, channel, 100.0 * i + 10 * j + k, float(k))
        for i, day in enumerate(DAYS)
        for j, geo in enumerate("ab")
        for k, channel in enumerate(("radio", "tv"))
    ],
    columns=["date", "geo", "channel", "spend", "grp"],
)


def made(outcome: pd.DataFrame = OUTCOME, media: pd.DataFrame | None = MEDIA, **options: Any) -> Panel:
    return Panel.from_frames(outcome, media, **options)


def refused(outcome: pd.DataFrame = OUTCOME, media: pd.DataFrame | None = MEDIA, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        made(outcome, media, **options)
    return str(caught.value)


def test_every_value_finds_its_place() -> None:
    panel = made(population="people", controls=["price"], exposures={"tv": "grp"})
    assert panel.shape == (2, 6, 2)
    i, j, k = np.meshgrid(np.arange(6), np.arange(2), np.arange(2), indexing="ij")
    np.testing.assert_array_equal(panel.spend, (100.0 * i + 10 * j + k).transpose(1, 0, 2))
    np.testing.assert_array_equal(panel.exposure[:, :, 1], np.ones((2, 6)))
    np.testing.assert_array_equal(panel.exposure[:, :, 0], panel.spend[:, :, 0])
    np.testing.assert_array_equal(panel.outcome, 10.0 * np.arange(6) + np.arange(2)[:, None])
    assert panel.population is not None
    np.testing.assert_array_equal(panel.population, [100, 200])
    np.testing.assert_array_equal(panel.controls[:, :, 0], np.tile(np.arange(6), (2, 1)))
    assert set(panel.kpis) == {"outcome"}


def test_reach_and_frequency_are_multiplied() -> None:
    media = MEDIA.assign(reach=100.0 + MEDIA.index, frequency=1.0 + MEDIA["grp"] / 4)
    panel = made(media=media, exposures={"tv": ("reach", "frequency"), "radio": "grp"})
    rows = media[media["channel"] == "tv"]
    expected = (rows["reach"] * rows["frequency"]).to_numpy().reshape(6, 2).T
    np.testing.assert_allclose(panel.exposure[:, :, 1], expected)
    np.testing.assert_array_equal(panel.exposure[:, :, 0], 0.0)
    np.testing.assert_array_equal(panel.spend, made().spend)
    assert "did you mean 'frequency'" in refused(media=media, exposures={"tv": ("reach", "frequncy")})
    assert "0 or more" in refused(media=media.assign(reach=-1.0), exposures={"tv": ("reach", "frequency")})


def test_order_of_rows_and_columns_changes_nothing() -> None:
    shuffled = made(OUTCOME.sample(frac=1, random_state=1)[OUTCOME.columns[::-1]], MEDIA.sample(frac=1, random_state=2))
    assert shuffled.sha256 == made().sha256
    other = MEDIA.assign(spend=MEDIA["spend"] + (MEDIA.index == 3))
    assert made(media=other).sha256 != made().sha256


@pytest.mark.parametrize("kind", ["category", object, "string", "str"])
def test_kinds_of_text_do_not_matter(kind: Any) -> None:
    assert made(OUTCOME.astype({"geo": kind}), MEDIA.astype({"geo": kind, "channel": kind})).sha256 == made().sha256


def test_dates_may_be_days() -> None:
    assert made(OUTCOME.assign(date=OUTCOME["date"].dt.date)).sha256 == made().sha256
    assert made(OUTCOME.assign(date=OUTCOME["date"].astype("datetime64[ns]"))).sha256 == made().sha256


def test_without_media() -> None:
    assert made(media=None).shape == (2, 6, 0)


def test_national_frames() -> None:
    sold, spent = (frame[frame["geo"] == "a"].drop(columns="geo") for frame in (OUTCOME, MEDIA))
    assert made(sold, spent).geos == ("national",)
    assert made(OUTCOME[OUTCOME["geo"] == "a"], spent).geos == ("a",)
    assert "the outcome table has a geo column and the media table has none" in refused(OUTCOME, spent)


def test_other_number_columns_are_kpis() -> None:
    panel = made(OUTCOME.assign(orders=1, region="x", holes=np.nan, flag=True), population="people")
    assert set(panel.kpis) == {"outcome", "orders", "price"}
    assert panel.with_kpi("orders").outcome.sum() == 12


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (OUTCOME.drop(columns="outcome"), "no column 'outcome'"),
        (OUTCOME.iloc[:0], "has no rows"),
        (OUTCOME.assign(outcome="1"), "numbers are needed"),
        (OUTCOME.assign(outcome=True), "numbers are needed"),
        (OUTCOME.assign(outcome=OUTCOME["outcome"].where(OUTCOME.index != 3)), "found nan in row 3"),
        (OUTCOME.assign(outcome=np.inf), "found inf in row 0 of the outcome table, and 11 more"),
        (OUTCOME.assign(date=OUTCOME["date"].astype(str)), "pandas.to_datetime"),
        (OUTCOME.assign(date=OUTCOME["date"] + pd.Timedelta("1h")), "without a time of day"),
        (OUTCOME.assign(date=OUTCOME["date"].dt.tz_localize("UTC")), "time zone"),
        (OUTCOME.assign(date=OUTCOME["date"].where(OUTCOME.index != 2)), "found NaT in row 2"),
        (OUTCOME.assign(geo=OUTCOME["geo"].where(OUTCOME["geo"] != "a")), "keep_default_na=False"),
        (OUTCOME.assign(geo=1.5), "names are texts"),
        (pd.concat([OUTCOME, OUTCOME.iloc[:1]]), "more than one row for 2024-01-01, a"),
        (OUTCOME.drop(index=3), "geo 'b' has no outcome on 2024-01-08"),
        (OUTCOME[OUTCOME["date"] != DAYS[2]], "no geo has an outcome on 2024-01-15"),
        (OUTCOME.set_axis(["date", "geo", "outcome", "outcome", "price"], axis=1), "'outcome' 2 times"),
    ],
)
def test_unsound_outcomes_are_refused(outcome: pd.DataFrame, words: str) -> None:
    assert words in refused(outcome, None)


@pytest.mark.parametrize(
    ("media", "words"),
    [
        (MEDIA.assign(spend=-1.0), "0 or more is needed"),
        (MEDIA.assign(spend=np.nan), "a finite number is needed"),
        (
            MEDIA.drop(index=[3, 7]),
            "geo 'b', channel 'tv' has no media row on 2024-01-01, nor on 1 more up to 2024-01-08",
        ),
        (MEDIA[MEDIA["date"] > DAYS[0]], "the media table has no row on 2024-01-01, the outcome table has"),
        (MEDIA.assign(date=MEDIA["date"] + pd.Timedelta(days=7)), "dates that the outcome table has not"),
        (MEDIA.assign(geo=MEDIA["geo"].map({"a": "a", "b": "B"})), "did you mean 'b'"),
        (MEDIA.drop(columns="channel").assign(chanel="tv"), "did you mean 'chanel'"),
        (pd.concat([MEDIA, MEDIA.iloc[:1]]), "more than one row"),
    ],
)
def test_unsound_media_are_refused(media: pd.DataFrame, words: str) -> None:
    assert words in refused(media=media)


def test_unsound_settings_are_refused() -> None:
    assert "did you mean 'tv'" in refused(exposures={"tvv": "grp"})
    assert "did you mean 'grp'" in refused(exposures={"tv": "gpr"})
    assert "above 0" in refused(kpi_value=0.0)
    assert "above 0" in refused(OUTCOME.assign(people=0), population="people")
    assert "a week apart; the period is 'day'" in refused(period="day")


def test_windows_and_indices() -> None:
    panel = made()
    assert panel.window("2024-01-08", "2024-01-21") == slice(1, 3)
    with pytest.raises(DataError, match="the data run from 2024-01-01 to 2024-02-05"):
        panel.window("2025-01-01", "2025-02-01")
    assert panel.channel_index(["tv", "radio"]).tolist() == [1, 0]
    with pytest.raises(DataError, match="did you mean 'radio'"):
        panel.channel_index(["radoi"])


@pytest.mark.parametrize(
    ("period", "first", "last", "count", "end"),
    [
        ("day", "2024-02-27", "2024-03-02", 5, "2024-02-27"),
        ("week", "2024-01-01", "2024-02-05", 6, "2024-01-07"),
        ("month", "2023-12-01", "2024-03-01", 4, "2023-12-31"),
        ("month", "2024-02-15", "2024-05-15", 4, "2024-03-14"),
    ],
)
def test_periods(period: Any, first: str, last: str, count: int, end: str) -> None:
    days = expected_dates(np.datetime64(first, "D"), np.datetime64(last, "D"), period)
    assert (len(days), str(days[-1])) == (count, last)
    assert period_of(days) == period
    assert str(last_day(days[0], period)) == end
    assert period_of(days[:1]) is None


def test_a_part_of_a_panel_is_the_panel_of_a_part() -> None:
    settings: dict[str, Any] = {"population": "people", "controls": ["price"], "exposures": {"tv": "grp"}}
    early = made(OUTCOME[OUTCOME["date"] < DAYS[4]], MEDIA[MEDIA["date"] < DAYS[4]], **settings)
    whole = made(**settings)
    assert whole.part(slice(0, 4)).sha256 == early.sha256
    assert whole.part(slice(None)).sha256 == whole.sha256
    assert whole.part(slice(4, None)).shape == (2, 2, 2)
