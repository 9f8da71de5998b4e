"""Which rows, users and names a path table is made of: aliases, campaigns, geos, identity maps; in both engines."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest

from attribution import PathSpec, attribute, read_paths
from attribution.taxonomy import is_direct, names_of
from measurement import DataError

ROWS = [
    ("phone", "2024-01-01T10:00", "google", "click", None, "brand", "north"),
    ("laptop", "2024-01-02T10:00", "google", "click", None, "generic", "north"),
    ("laptop", "2024-01-03T10:00", "direct", "click", None, "", "south"),
    ("laptop", "2024-01-04T10:00", None, "conversion", 10.0, "brand", "north"),
    ("other", "2024-01-04T10:00", "tv", "impression", None, None, None),
    ("other", "2024-01-05T10:00", None, "conversion", 5.0, None, "south"),
]
NAMES = ["user_id", "timestamp", "channel", "event", "value", "campaign", "geo"]


def frame():
    table = pd.DataFrame(ROWS, columns=NAMES)
    return table.assign(timestamp=pd.to_datetime(table["timestamp"]))


def by_name(paths):
    return {paths.names(i): (paths.conversions[i], paths.nulls[i]) for i in range(len(paths))}


def engines():
    ibis = pytest.importorskip("ibis")
    from attribution.warehouse import read_warehouse

    def far(table, spec=None, aliases=None, identities=None):
        connection = ibis.duckdb.connect()
        with TemporaryDirectory() as folder:
            places = [Path(folder) / name for name in ("log.parquet", "identities.parquet")]
            for place, each in zip(places, (table, identities), strict=True):
                if each is not None:
                    each.to_parquet(place, index=False)
            persons = None if identities is None else connection.read_parquet(places[1])
            return read_warehouse(connection.read_parquet(places[0]), spec, aliases, identities=persons)

    return (read_paths, far)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("engine", [0, 1], ids=["local", "ibis"])
class TestBothEngines:
    def test_campaigns_are_steps_of_their_own_and_aliases_name_their_channel(self, engine):
        paths = engines()[engine](frame(), PathSpec(grain="campaign"), {"goo*": "search"})
        assert by_name(paths) == {
            ("search / generic", "direct"): (1, 0),
            ("tv",): (1, 0),
        }
        direct = PathSpec(grain="campaign", direct="drop_unless_only", unfinished="null")
        found = by_name(engines()[engine](frame(), direct))
        assert found == {("google / generic",): (1, 0), ("tv",): (1, 0), ("google / brand",): (0, 1)}

    def test_users_of_one_person_are_one_user(self, engine):
        identities = pd.DataFrame({"user_id": ["phone", "laptop", "p", "gone"], "person": ["p", "p", "p", "q"]})
        paths = engines()[engine](frame(), identities=identities)
        assert by_name(paths) == {("google", "google", "direct"): (1, 0), ("tv",): (1, 0)}
        assert paths.counts["mapped_users"] == 2
        assert paths.counts["mapped_persons"] == 1
        assert paths.counts["users"] == 2
        assert any("identity map joins to persons: 2 (persons: 1)" in p.message for p in paths.findings)

    def test_only_events_of_the_markets_asked_for(self, engine):
        paths = engines()[engine](frame(), PathSpec(geos=["north"]))
        assert by_name(paths) == {("google",): (1, 0)}
        assert paths.total_value == 10
        assert paths.counts["other_geos"] == 3
        assert any("no geo in north, which are left out: 3" in p.message for p in paths.findings)

    def test_what_is_asked_for_must_be_there(self, engine):
        read = engines()[engine]
        with pytest.raises(DataError, match="did you mean 'north'"):
            read(frame(), PathSpec(geos=["nort"]))
        with pytest.raises(DataError, match="'campaign'"):
            read(frame().drop(columns="campaign"), PathSpec(grain="campaign"))
        with pytest.raises(DataError, match="'geo'"):
            read(frame().drop(columns="geo"), PathSpec(geos=["north"]))

    @pytest.mark.parametrize(
        ("users", "persons", "code"),
        [(["a", "a"], ["x", "y"], "two-persons"), (["a", "b"], ["b", "c"], "chain"), (["a", "b"], ["b", "a"], "chain")],
    )
    def test_a_map_that_contradicts_itself_is_refused(self, engine, users, persons, code):
        with pytest.raises(DataError) as caught:
            engines()[engine](frame(), identities=pd.DataFrame({"user_id": users, "person": persons}))
        assert {problem.code for problem in caught.value.problems} == {code}


def test_an_identity_file_is_told_with_line_and_column(tmp_path):
    file = tmp_path / "identities.csv"
    file.write_text("user_id,person\nphone,p\nlaptop,\nphone,q\n")
    with pytest.raises(DataError) as caught:
        read_paths(frame(), identities=file)
    places = {(p.line, p.column) for p in caught.value.problems}
    assert places == {(2, "user_id"), (3, "person"), (4, "user_id")}
    assert all(p.file.endswith("identities.csv") for p in caught.value.problems)


def test_equal_rows_of_the_map_and_users_who_are_not_in_it_change_nothing():
    twice = pd.DataFrame({"user_id": ["gone", "gone", "me"], "person": ["x", "x", "me"]})
    assert read_paths(frame(), identities=twice).sha256 == read_paths(frame()).sha256


def test_aggregated_paths_have_no_users_and_no_geos():
    table = pd.DataFrame({"path": ["a > b"], "conversions": [1]})
    with pytest.raises(DataError, match="no users"):
        read_paths(table, identities=pd.DataFrame({"user_id": ["a"], "person": ["b"]}))
    with pytest.raises(DataError, match="no geo"):
        read_paths(table, PathSpec(geos=["north"]))


def test_the_longest_pattern_wins_and_the_very_name_before_all():
    spec = PathSpec(aliases={"*": "rest", "goo*": "search", "google / d*": "display", "google / dsa": "search"})
    raw = ["google / cpc", "google / display", "google / dsa", "bing", "a.b"]
    assert names_of(raw, spec) == ["search", "display", "search", "rest", "rest"]
    assert names_of(["a.b", "axb"], PathSpec(aliases={"a.*": "z"})) == ["z", "axb"]


@pytest.mark.parametrize(
    ("name", "direct"), [("Direct", True), ("(direct) / (none)", True), ("direct / x", True), ("direct mail", False)]
)
def test_direct_traffic_is_known_with_its_medium(name, direct):
    assert is_direct(name) == direct
    table = pd.DataFrame({"path": [f"tv > {name}"], "conversions": [1.0], "nulls": [1.0]})
    credit = attribute(read_paths(table), ["last_non_direct"]).to_dict()["models"]["last_non_direct"]["channels"]
    winner = max(credit, key=lambda row: row["conversions"]["estimate"])["channel"]
    assert winner == ("tv" if direct else name)


def test_geos_are_a_list_of_names():
    assert PathSpec(geos=["b", "a", "b"]).geos == ("a", "b")
    with pytest.raises(DataError, match="geos"):
        PathSpec.from_dict({"geos": "north"})


def test_a_campaign_may_hold_what_parts_names():
    table = frame().assign(campaign="a / b")
    paths = read_paths(table, PathSpec(grain="campaign"), channels=["google", "direct", "tv"])
    assert "google / a / b" in paths.channels
    assert not [p for p in paths.findings if p.code == "unknown-channel"]
    assert np.isclose(paths.total_value, 15)
