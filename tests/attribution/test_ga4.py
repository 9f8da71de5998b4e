"""Touchpoints from hand-written rows of a GA4 export: nested parquet and flattened csv."""

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from attribution import PathSpec, audit, read_paths
from attribution.ga4 import default_group
from measurement import DataError

T = 1_704_100_000_000_000
MINUTE = 60_000_000
DAY = 1_440 * MINUTE
TRAFFIC = ("manual_source", "manual_medium", "manual_campaign_name", "gclid")
# time, event, device, user, session, source, medium, campaign, gclid, revenue, transaction
ROWS = [
    (T, "session_start", "d1", None, 1, None, None, None, None, None, None),
    (T + MINUTE, "page_view", "d1", None, 1, "google", "organic", "(organic)", None, None, None),
    (T + 2 * MINUTE, "page_view", "d1", None, 1, "facebook.com", "referral", None, None, None, None),
    (T + DAY, "session_start", "d1", None, 2, "news", "email", "spring", None, None, None),
    (T + DAY + MINUTE, "purchase", "d1", "ann", 2, None, None, None, None, 30.0, "t1"),
    (T + DAY + 9 * MINUTE, "purchase", "d1", "ann", 2, None, None, None, None, 30.0, "t1"),
    (T + 2 * DAY, "session_start", "d2", "ann", 7, None, None, None, "Cj0", None, None),
    (T + 3 * DAY, "purchase", "d1", None, 3, None, None, None, None, None, None),
    (T + 4 * DAY, "session_start", "d3", None, 9, None, None, None, None, None, None),
    (T + 90 * DAY, "session_start", "d4", None, 9, "bing", "cpc", "x", None, None, None),
]


def nested(folder):
    text = pa.struct([("string_value", pa.string()), ("int_value", pa.int64())])
    schema = pa.schema(
        [
            ("event_timestamp", pa.int64()),
            ("event_name", pa.string()),
            ("user_pseudo_id", pa.string()),
            ("user_id", pa.string()),
            ("event_params", pa.list_(pa.struct([("key", pa.string()), ("value", text)]))),
            (
                "collected_traffic_source",
                pa.struct(
                    [(f"manual_{n}", pa.string()) for n in ("source", "medium", "campaign_name")]
                    + [("gclid", pa.string())]
                ),
            ),
            ("ecommerce", pa.struct([("purchase_revenue", pa.float64()), ("transaction_id", pa.string())])),
            ("traffic_source", pa.struct([("source", pa.string()), ("medium", pa.string())])),
        ]
    )
    rows = [
        {
            "event_timestamp": time,
            "event_name": event,
            "user_pseudo_id": device,
            "user_id": user,
            "event_params": [
                {"key": "page", "value": {"string_value": "/", "int_value": None}},
                {"key": "ga_session_id", "value": {"string_value": None, "int_value": session}},
            ],
            "collected_traffic_source": {
                "manual_source": source, "manual_medium": medium, "manual_campaign_name": campaign, "gclid": gclid,
            },
            "ecommerce": {"purchase_revenue": revenue, "transaction_id": transaction or "(not set)"},
            "traffic_source": {"source": "first", "medium": "ever"},
        }
        for time, event, device, user, session, source, medium, campaign, gclid, revenue, transaction in ROWS
    ]  # fmt: skip
    file = folder / "events.parquet"
    parquet.write_table(pa.Table.from_pylist(rows, schema), file)
    return file


def flat(folder):
    names = ["event_timestamp", "event_name", "user_pseudo_id", "user_id", "ga_session_id"]
    names += [
        f"collected_traffic_source_{n}" for n in ("manual_source", "manual_medium", "manual_campaign_name", "gclid")
    ]
    names += ["ecommerce.purchase_revenue", "ecommerce.transaction_id"]
    file = folder / "events.csv"
    pd.DataFrame(ROWS, columns=names).to_csv(file, index=False)
    return file


def by_name(paths):
    return {paths.names(i): (paths.conversions[i], paths.value[i], paths.nulls[i]) for i in range(len(paths))}


@pytest.mark.parametrize("form", [nested, flat])
def test_sessions_are_touches_and_purchases_conversions(form, tmp_path):
    paths = read_paths(form(tmp_path))
    # d1 and d2 are ann's; her session 3 has no source and starts with its purchase
    assert by_name(paths) == {
        ("Organic Search", "Email"): (1, 30.0, 0),
        ("Paid Search", "Direct"): (1, 0.0, 0),
        ("Direct",): (0, 0.0, 1),
    }
    assert paths.counts["ga4_events"] == len(ROWS)
    assert paths.counts["ga4_sessions"] == 6
    assert paths.counts["repeated_transactions"] == 1
    told = {p.code: p.message for p in paths.findings}
    assert "transaction was there before, left out: 1" in told["repeated-transaction"]
    assert "taken for direct: 2 (of 6)" in told["ga4-no-source"]


@pytest.mark.parametrize("form", [nested, flat])
def test_names_may_be_source_and_medium_or_campaigns(form, tmp_path):
    file = form(tmp_path)
    spec = PathSpec(ga4_channels="source_medium", direct="drop_unless_only")
    assert set(by_name(read_paths(file, spec))) == {
        ("google / organic", "news / email"), ("google / cpc",), ("(direct) / (none)",),
    }  # fmt: skip
    by_campaign = read_paths(file, PathSpec(grain="campaign"))
    assert ("Organic Search / (organic)", "Email / spring") in by_name(by_campaign)


def test_rows_in_any_order_and_in_many_files_are_one_export(tmp_path):
    whole = read_paths(flat(tmp_path)).sha256
    table = pd.read_csv(tmp_path / "events.csv", dtype=str)
    for i in range(2):
        table.iloc[i::2][::-1].to_csv(tmp_path / f"part{i}.csv", index=False)
    assert read_paths(tmp_path / "part*.csv").sha256 == whole


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", [nested, flat])
def test_the_same_in_a_warehouse(form, tmp_path):
    ibis = pytest.importorskip("ibis")
    from attribution import read_warehouse

    file = form(tmp_path)
    con = ibis.duckdb.connect()
    export = con.read_parquet(file) if form is nested else con.read_csv(file, all_varchar=True)
    for spec in (
        PathSpec(),
        PathSpec(ga4_channels="source_medium", direct="drop_unless_only"),
        PathSpec(grain="campaign"),
        PathSpec(ga4_conversion="page_view"),
    ):
        near, far = read_paths(file, spec), read_warehouse(export, spec)
        assert by_name(far) == by_name(near)
        assert far.counts == near.counts
        assert far.no_touch == near.no_touch
        assert [p.message for p in far.findings] == [p.message for p in near.findings]
    with pytest.raises(DataError, match="set 'ga4_conversion'"):
        read_warehouse(export, PathSpec(ga4_conversion="buy"))
    with pytest.raises(DataError, match="event_params:ga_session_id"):
        read_warehouse(export.drop("event_params" if form is nested else "ga_session_id"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_export_is_sql_for_bigquery(tmp_path):
    ibis = pytest.importorskip("ibis")
    from attribution import warehouse_ga4

    rows = warehouse_ga4._rows(ibis.duckdb.connect().read_parquet(nested(tmp_path)))
    unbound = ibis.table(ibis.duckdb.connect().read_parquet(tmp_path / "events.parquet").schema(), name="events")
    text = str(ibis.to_sql(warehouse_ga4._sessions(warehouse_ga4._rows(unbound)), dialect="bigquery"))
    assert "UNNEST" in text
    assert "ga_session_id" in text
    assert rows.count().execute() == len(ROWS)


@pytest.mark.parametrize("form", [nested, flat])
def test_an_export_can_be_audited(form, tmp_path):
    found = audit(form(tmp_path), lookbacks=(1.0, 10.0), losses=(0.5,))
    assert found.provenance.data == read_paths(form(tmp_path)).sha256
    assert {"window", "identity-loss", "duplicates", "same-instant"} <= {each.code for each in found.findings}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["events.csv" if form is flat else "events.parquet"]


def test_another_event_may_be_the_conversion(tmp_path):
    file = flat(tmp_path)
    paths = read_paths(file, PathSpec(ga4_conversion="page_view"))
    assert paths.total_conversions == 2
    with pytest.raises(DataError, match="set 'ga4_conversion' to one of the events: session_start"):
        read_paths(file, PathSpec(ga4_conversion="buy"))


def test_where_users_first_came_from_is_no_source_of_a_session(tmp_path):
    table = pd.DataFrame(ROWS).iloc[:, :5]
    table.columns = ["event_timestamp", "event_name", "user_pseudo_id", "user_id", "ga_session_id"]
    table["traffic_source.source"], table["traffic_source.medium"] = "google", "cpc"
    table.to_csv(tmp_path / "events.csv", index=False)
    with pytest.raises(DataError) as caught:
        read_paths(tmp_path / "events.csv")
    assert {p.column for p in caught.value.problems} == {"source", "medium"}
    assert "collected_traffic_source.manual_source" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "medium", "group"),
    [
        ("(direct)", "(none)", "Direct"),
        ("google", "cpc", "Paid Search"),
        ("google", "organic", "Organic Search"),
        ("www.google.com", "referral", "Organic Search"),
        ("m.facebook.com", "referral", "Organic Social"),
        ("facebook", "paid_social", "Paid Social"),
        ("youtube.com", "referral", "Organic Video"),
        ("partner.example", "ppc", "Paid Other"),
        ("partner.example", "referral", "Referral"),
        ("dv360", "cpm", "Display"),
        ("newsletter", "email", "Email"),
        ("awin", "affiliate", "Affiliates"),
        ("x", "y", "Unassigned"),
    ],
)
def test_default_channel_groups(source, medium, group):
    assert default_group(source, medium) == group
