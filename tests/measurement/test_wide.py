"""Wide tables: what each column becomes, and that the tidy tables say the same."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from measurement import tables, wide
from measurement.errors import DataError

WIDE = (
    "time,geo,tv_spend,Radio_Cost,tv_impressions,organic_impression,price_control,orders,revenue_per_order,population\n"
    "2024-01-01,a,1,2,10,5,9.5,4,2.5,100\n"
    "2024-01-08,a,0,3,0,5,9.6,5,2.5,100\n"
    "2024-01-01,b,2,0,20,5,9.5,6,3,200\n"
    "2024-01-08,b,4,1,40,5,9.6,8,3,200\n"
)


def written(folder: Path, text: str = WIDE) -> Path:
    path = folder / "wide.csv"
    path.write_text(text)
    return path


def refused(path: Path, **options: str) -> str:
    with pytest.raises(DataError) as caught:
        wide.split(path, wide.plan(path, **options))
    return str(caught.value)


def test_what_each_column_becomes(tmp_path: Path) -> None:
    plan = wide.plan(written(tmp_path))
    assert (plan.date, plan.geo, plan.kpi, plan.population) == ("time", "geo", "revenue", "population")
    assert plan.spend == {"tv": "tv_spend", "Radio": "Radio_Cost"}
    assert plan.exposures == {"tv": {"impressions": "tv_impressions"}}
    assert plan.revenue == ("orders", "revenue_per_order")
    assert plan.controls == ("price_control",)
    assert plan.left_out == ("organic_impression",)
    assert "KPI: revenue (orders x revenue_per_order)" in plan.lines()


def test_values_arrive_where_they_belong(tmp_path: Path) -> None:
    path = written(tmp_path)
    split = wide.split(path, wide.plan(path))
    assert split.period == "week"
    outcome = split.outcome.set_index(["geo", "date"])
    assert outcome["revenue"].tolist() == [10.0, 18.0, 12.5, 24.0]
    assert outcome["orders"].tolist() == [4.0, 6.0, 5.0, 8.0]
    media = split.media.pivot(index=["geo", "date"], columns="channel", values=["spend", "impressions"])
    assert media["spend"]["tv"].tolist() == [1.0, 0.0, 2.0, 4.0]
    assert media["spend"]["Radio"].tolist() == [2.0, 3.0, 0.0, 1.0]
    assert media["impressions"]["tv"].tolist() == [10.0, 0.0, 20.0, 40.0]
    assert media["impressions"]["Radio"].tolist() == [0.0] * 4


def test_the_kpi_can_be_chosen(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert wide.plan(path, kpi="orders").kpi == "orders"
    assert wide.plan(path, kpi="revenue").kpi == "revenue"
    assert "did you mean 'orders'" in refused(path, kpi="odrers")


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    path = written(tmp_path, WIDE.replace(",a,", ',"A, ""north""",'))
    split = wide.split(path, wide.plan(path))
    media, outcome = wide.write(split, tmp_path / "study")
    got = tables.read_media(media, ["impressions"], period="week").frame
    pd.testing.assert_frame_equal(got, split.media[got.columns], check_dtype=False)
    sold = tables.read_outcome(outcome, ["revenue"], controls=["price_control"], population="population").frame
    pd.testing.assert_frame_equal(sold[split.outcome.columns], split.outcome, check_dtype=False)
    assert sorted(file.name for file in (tmp_path / "study").iterdir()) == ["media.csv", "outcome.csv"]


def test_nothing_is_overwritten_unless_told(tmp_path: Path) -> None:
    path = written(tmp_path)
    split = wide.split(path, wide.plan(path))
    (tmp_path / "outcome.csv").write_text("mine")
    with pytest.raises(DataError, match="is there already; nothing was written"):
        wide.write(split, tmp_path)
    assert (tmp_path / "outcome.csv").read_text() == "mine"
    assert not (tmp_path / "media.csv").exists()
    wide.write(split, tmp_path, overwrite=True)
    assert len(tables.read_outcome(tmp_path / "outcome.csv").frame) == 4


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    split = wide.split(path, wide.plan(path))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(DataError, match="No space left"):
        wide.write(split, tmp_path / "study")
    assert list((tmp_path / "study").iterdir()) == []


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("date,geo,sales", "has no column such as tv_spend"),
        ("when,geo,tv_spend,sales", "has no date column"),
        ("week,day,tv_spend,sales", "several columns that may be the date: 'week', 'day'; say which (--date)"),
        ("date,region,market,tv_spend,sales", "several columns that may be the geo"),
        ("date,geo,tv_spend,sales,orders", "several columns that may be the KPI: 'sales', 'orders'; say which (--kpi)"),
        ("date,geo,tv_spend", "no column left that could be the KPI"),
        ("date,geo,tv_spend,tv_cost,sales", "two columns of money for channel 'tv'"),
    ],
)
def test_what_is_ambiguous_is_asked(tmp_path: Path, header: str, words: str) -> None:
    assert words in refused(
        written(tmp_path, header + "\n" + ",".join(["2024-01-01"] * (header.count(",") + 1)) + "\n")
    )


def test_the_user_may_answer(tmp_path: Path) -> None:
    text = "week,day,market,region,tv_spend,sales,orders\n2024-01-01,x,m,a,1,2,3\n2024-01-08,x,m,a,1,2,3\n"
    plan = wide.plan(written(tmp_path, text), date="week", geo="region", kpi="orders")
    assert (plan.date, plan.geo, plan.kpis) == ("week", "region", ("orders",))
    assert set(plan.left_out) == {"day", "market", "sales"}


def test_faults_keep_their_line(tmp_path: Path) -> None:
    assert "wide.csv:3, column 'tv_spend': found '1,5'" in refused(
        written(tmp_path, WIDE.replace("a,0,3", 'a,"1,5",3'))
    )
    assert "wide.csv:4, column 'geo': is blank" in refused(written(tmp_path, WIDE.replace(",b,2", ",,2")))
    gone = "\n".join(line for i, line in enumerate(WIDE.split("\n")) if i != 4)
    assert "geo 'b' has no outcome on 2024-01-08" in refused(written(tmp_path, gone))


def test_the_public_panel(tmp_path: Path, reference_data: Path) -> None:
    path = reference_data / "meridian_geo_media.csv"
    split = wide.split(path, wide.plan(path))
    raw = pd.read_csv(path)
    media, outcome = wide.write(split, tmp_path)
    assert len(tables.read_media(media, ["impressions"], period="week").frame) == 4 * len(raw) == 12_480
    assert split.plan.kpi == "revenue"
    assert split.plan.controls == ("competitor_activity_score_control", "sentiment_score_control")
    expected = float((raw["conversions"] * raw["revenue_per_conversion"]).sum())
    np.testing.assert_allclose(tables.read_outcome(outcome, ["revenue"]).frame["revenue"].sum(), expected)
    spent = split.media.groupby("channel")["spend"].sum()
    for channel, total in spent.items():
        np.testing.assert_allclose(total, raw[f"{channel}_spend"].sum())
