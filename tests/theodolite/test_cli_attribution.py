"""Attribution from the command line: bare files and a workspace, for people and for machines."""

import json
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture
def paths_file(tmp_path: Path) -> Path:
    file = tmp_path / "paths.csv"
    file.write_text("path,conversions,value,nulls\nc1 > c2 > c3,40,400,0\nc1,0,0,40\nc2 > c3,0,0,40\n")
    return file


def test_return_and_cost_per_conversion_of_a_bare_file(run, paths_file, tmp_path):
    spend = tmp_path / "spend.csv"
    spend.write_text("channel,spend\nc1,20\nc1,20\nradio,7\n")
    asked = ("attribution", "run", "--paths", paths_file, "--models", "linear,markov:1", "--spend", spend)
    ended = run(*asked, "--json")
    assert ended.code == 0
    rows = json.loads(ended.out)["models"]["linear"]["channels"]
    c1 = next(row for row in rows if row["channel"] == "c1")
    assert c1["roas"] == pytest.approx(400 / 3 / 40)
    assert c1["cpa"] == pytest.approx(40 / (40 / 3))
    assert c1["roas_interval"]["low"] < c1["roas"] < c1["roas_interval"]["high"]
    told = run(*asked)
    assert told.code == 0
    for words in ("ROAS", "Removal effect", "3.33 [", "40 conversions worth 400", "'radio'", "Spec "):
        assert words in told.out


def test_without_value_money_per_conversion_is_shown(run, tmp_path):
    (tmp_path / "paths.csv").write_text("path,conversions,nulls\na > b,40,10\nb,20,60\n")
    (tmp_path / "spend.csv").write_text("channel,spend\na,40\n")
    files = ("--paths", tmp_path / "paths.csv", "--spend", tmp_path / "spend.csv")
    ended = run("attribution", "run", *files, "--models", "linear")
    assert ended.code == 0
    assert "2.00 [" in ended.out
    assert "ROAS" not in ended.out


def test_the_summary_is_the_run_again(run, workspace, tmp_path):
    nothing = run("attribution", "summary", "-w", workspace)
    assert nothing.code == 2
    assert "theodolite attribution run" in nothing.err
    made = run("attribution", "run", "-w", workspace, "--models", "linear,markov:1", "--json")
    again = run("attribution", "summary", "-w", workspace, "--json")
    assert json.loads(again.out) == json.loads(made.out)
    chart = tmp_path / "credit.svg"
    drawn = run("attribution", "summary", "-w", workspace, "--chart", chart)
    assert drawn.code == 0
    assert "brand_search" in chart.read_text()
    refused = run("attribution", "summary", "-w", workspace, "--chart", chart)
    assert refused.code == 2


def test_paths_with_lengths_lags_and_a_picture(run, workspace, paths_file, tmp_path):
    chart = tmp_path / "paths.svg"
    ended = run("attribution", "paths", "-w", workspace, "--chart", chart)
    assert ended.code == 0
    for words in ("Commonest paths", "By number of touches", "From touch to conversion", "Wrote the chart"):
        assert words in ended.out
    assert "touch by touch" in chart.read_text()
    plain = json.loads(run("attribution", "paths", "--paths", paths_file, "--json").out)
    assert plain["lags"] is None
    assert [row["length"] for row in plain["lengths"]] == ["1", "2", "3"]


def test_the_audit_of_a_workspace_is_kept(run, workspace):
    ended = run("attribution", "audit", "-w", workspace)
    assert ended.code == 0
    for words in ("by lookback", "of users split", "no journey shows", "'tv'"):
        assert words in ended.out
    from theodolite import Study

    kept = Study.open(workspace).journeys_audit()
    assert kept is not None
    found = json.loads(run("attribution", "audit", "-w", workspace, "--json").out)
    assert kept.to_dict()["findings"] == found["findings"]


def test_the_audit_of_a_bare_file(run, paths_file):
    found = json.loads(run("attribution", "audit", "--paths", paths_file, "--json").out)
    assert {"verdict", "findings", "windows", "identity_loss", "models", "spec_hash"} <= set(found)
    assert found["windows"] is None


@pytest.mark.parametrize("command", ["run", "audit"])
def test_what_cannot_be_is_refused(run, paths_file, tmp_path, command):
    both = run("attribution", command, "--paths", paths_file, "--touchpoints", paths_file)
    assert both.code == 2
    assert "either" in both.err
    alone = run("attribution", command, "-w", tmp_path, "--spend", paths_file)
    assert alone.code == 2
    assert "--spend goes with" in alone.err
    bad = tmp_path / "spend.csv"
    bad.write_text("channel,spend\nc1,-4\n")
    wrong = run("attribution", command, "--paths", paths_file, "--spend", bad)
    assert wrong.code == 2
    assert "spend.csv:2" in wrong.err


def test_spend_outside_the_journeys_does_not_count(run, tmp_path):
    when = ["2025-01-01T10:00:00", "2025-01-02T10:00:00", "2025-01-03T10:00:00", "2025-03-20T10:00:00"]
    events = ["click", "conversion", "click", "click"]
    log = {"user_id": ["u", "u", "v", "w"], "timestamp": when, "channel": ["a", None, "a", "a"], "event": events}
    pd.DataFrame(log).to_csv(tmp_path / "log.csv", index=False)
    (tmp_path / "spend.csv").write_text("date,channel,spend\n2024-12-31,a,99\n2025-01-01,a,3\n2025-03-20,a,4\n")
    files = ("--touchpoints", tmp_path / "log.csv", "--spend", tmp_path / "spend.csv")
    ended = run("attribution", "run", *files, "--models", "linear", "--json")
    assert json.loads(ended.out)["models"]["linear"]["channels"][0]["spend"] == 7.0


def test_credit_calibrated_by_the_tests_of_a_workspace(run, workspace, tables):
    made = run("attribution", "run", "-w", workspace, "--models", "linear,markov:1", "--calibrated", "--json")
    assert made.code == 0
    found = json.loads(made.out)["calibrated"]
    tested = {test["channel"] for test in found["tests"]}
    assert tested
    rows = {row["channel"]: row for row in found["channels"]}
    credited = json.loads(made.out)["conversions"]
    assert sum(row["credited"] for row in rows.values()) == pytest.approx(credited)
    told = run("attribution", "summary", "-w", workspace, "--calibrated")
    assert told.code == 0
    assert "calibrated by lift tests" in told.out
    assert "(baseline and what leaves no touch)" in told.out
    wrong = run("attribution", "run", "--touchpoints", tables / "touchpoints.parquet", "--calibrated")
    assert wrong.code == 2


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A company with geos whose tests lie within its journeys, and what really caused its orders."""
    from measurement.simulate import geo, simulate
    from theodolite.study import Study
    from theodolite.workspace import Settings, initialise

    folder = tmp_path_factory.mktemp("geos")
    channels = ("social", "brand_search", "video", "generic_search")
    world = simulate(geo(n_geos=10, weeks=90, channels=channels, seed=4, n_tests=4, journey_weeks=60))
    world.write(folder / "tables")
    files = {name: str(folder / "tables" / f"{name}.{end}") for name, end in FILES}
    others = {"touchpoints": files["touchpoints"]}
    initialise(folder / "study", files["media"], files["outcome"], None, others, Settings(name="g", kpi="revenue"))
    study = Study.open(folder / "study")
    study.import_experiments(folder / "tables" / "experiments.json")
    return study, world.truth.orders


FILES = (("media", "csv"), ("outcome", "csv"), ("touchpoints", "parquet"))


def test_calibrated_credit_holds_the_truth_and_raw_credit_does_not(company):
    study, orders = company
    raw = study.attribute(models=["markov:1"])["markov:1"]
    found = study.calibrated_credit(seed=1)
    head = study.head
    again = study.calibrated_credit(seed=1)  # kept, not made anew
    assert study.head == head
    pd.testing.assert_frame_equal(again.to_frame(), found.to_frame())
    assert again.to_dict() == found.to_dict()
    assert again.to_bytes() == found.to_bytes()
    assert {test.where for test in found.factors.tested} == {"untreated geos in its own window"}
    truth = [orders[name] for name in found.channels]
    low, high = (found.to_frame()[f"conversions_{end}"].to_numpy()[:-1] for end in ("low", "high"))
    held = (low <= truth) & (truth <= high)
    ends = pd.DataFrame(raw.conversions_draws).quantile([0.05, 0.95]).to_numpy()
    raw_held = (ends[0] <= truth) & (truth <= ends[1])
    assert held.sum() >= 3, (found.to_frame(), truth)
    assert raw_held.sum() <= 1


def test_days_are_added_to_a_store_and_credited_like_one_log(run, tmp_path):
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    rows = [(f"u{i % 40}", day + pd.Timedelta(hours=i), "abc"[i % 3], "click", None) for i, day in enumerate(days)]
    rows += [(f"u{i % 40}", day + pd.Timedelta(hours=i + 1), None, "conversion", 5.0) for i, day in enumerate(days)]
    log = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event", "value"]).sort_values("timestamp")
    log.to_parquet(tmp_path / "whole.parquet", index=False)
    half = log["timestamp"] < "2024-02-01"
    log[half].to_csv(tmp_path / "one.csv", index=False)
    log[~half].to_csv(tmp_path / "two.csv", index=False)
    store = tmp_path / "paths.npz"
    first = run("attribution", "add", "--store", store, tmp_path / "one.csv")
    assert first.code == 0
    assert "holds 6" in first.out
    assert "theodolite attribution run --touchpoints" in first.out
    second = run("attribution", "add", "--store", store, tmp_path / "two.csv", "--json")
    assert second.code == 0, second.err
    told = json.loads(second.out)
    assert told["counts"]["events"] == len(log)
    asked = ("--models", "first,linear", "--json")
    one, other = (
        json.loads(run("attribution", "run", "--touchpoints", file, *asked).out)
        for file in (store, tmp_path / "whole.parquet")
    )
    assert one["models"] == other["models"]
    again = run("attribution", "add", "--store", store, tmp_path / "two.csv")
    assert again.code == 2
    assert "not after the events that are there" in again.err
    wrong = run("attribution", "add", "--store", tmp_path / "whole.parquet", tmp_path / "two.csv")
    assert wrong.code == 2
    assert "--store" in wrong.err
    audit = run("attribution", "audit", "--touchpoints", store)
    assert audit.code == 2
    assert "audit the logs" in audit.err


def test_a_store_can_be_the_touchpoints_of_a_workspace(run, workspace, tmp_path):
    import shutil

    place = tmp_path / "study"
    shutil.copytree(workspace, place)
    settings = place / "theodolite.toml"
    text = settings.read_text(encoding="utf-8")
    log = next(line for line in text.splitlines() if line.startswith("touchpoints ="))
    settings.write_text(text.replace(log, 'touchpoints = "paths.npz"'), encoding="utf-8")
    assert run("attribution", "paths", "-w", place).code == 2  # nothing was added yet
    assert run("attribution", "add", "-w", place, workspace / log.split('"')[1]).code == 0
    ended = run("attribution", "run", "-w", place, "--models", "linear", "--json")
    assert ended.code == 0
    before = run("attribution", "run", "-w", workspace, "--models", "linear", "--json")
    credits = [json.loads(each.out)["models"]["linear"]["channels"] for each in (ended, before)]
    pd.testing.assert_frame_equal(*map(pd.json_normalize, credits))
    assert [each.name for each in place.iterdir() if each.name.startswith(".theodolite-")] == []


def test_an_identity_map_of_a_workspace_joins_users(run, workspace, tmp_path):
    import shutil

    from theodolite import Study

    place = tmp_path / "study"
    shutil.copytree(workspace, place)
    settings = place / "theodolite.toml"
    text = settings.read_text(encoding="utf-8")
    log = next(line for line in text.splitlines() if line.startswith("touchpoints ="))
    users = sorted(pd.read_parquet(workspace / log.split('"')[1])["user_id"].dropna().unique())[:60]
    pd.DataFrame({"user_id": users[1::2], "person": users[::2]}).to_csv(place / "people.csv", index=False)
    settings.write_text(text.replace(log, log + '\nidentities = "people.csv"'), encoding="utf-8")
    found = json.loads(run("attribution", "paths", "-w", place, "--json").out)
    assert (found["counts"]["mapped_users"], found["counts"]["mapped_persons"]) == (30, 30)
    plain = json.loads(run("attribution", "paths", "-w", workspace, "--json").out)
    assert found["counts"]["users"] == plain["counts"]["users"] - 30
    assert run("attribution", "run", "-w", place, "--models", "linear").code == 0
    assert Study.open(place).attribution().provenance.data == found["paths_hash"]
    (place / "people.csv").write_text(f"user_id,person\n{users[0]},x\n{users[0]},y\n")
    wrong = run("attribution", "run", "-w", place)
    assert wrong.code == 2
    assert "people.csv" in wrong.err
    assert "several persons" in wrong.err


def test_a_workspace_names_its_path_specification(run, workspace, tmp_path):
    import shutil

    place = tmp_path / "study"
    shutil.copytree(workspace, place)
    settings, spec = place / "theodolite.toml", place / "paths.toml"
    text = settings.read_text(encoding="utf-8")
    log = next(line for line in text.splitlines() if line.startswith("touchpoints ="))
    spec.write_text("click_lookback_days = 3\nimpression_lookback_days = 1\n")
    (tmp_path / "other.toml").write_text("click_lookback_days = 5\n")
    settings.write_text(text.replace(log, log + '\npath_spec = "paths.toml"'), encoding="utf-8")
    own, given, other = (
        json.loads(run("attribution", "paths", "-w", place, *more, "--json").out)
        for more in ((), ("--spec", spec), ("--spec", tmp_path / "other.toml"))
    )
    assert own["spec"]["click_lookback_days"] == 3
    assert own["paths_hash"] == given["paths_hash"]
    assert other["spec"]["click_lookback_days"] == 5
    ran = json.loads(run("attribution", "run", "-w", place, "--models", "linear", "--json").out)
    assert ran["spec_hash"] == own["spec_hash"]
    spec.write_text("click_lookback_day = 3\n")
    for asked in (("attribution", "run"), ("check",)):
        wrong = run(*asked, "-w", place)
        assert wrong.code == 2
        assert "paths.toml" in wrong.out + wrong.err
        assert "did you mean 'click_lookback_days'" in wrong.out + wrong.err
