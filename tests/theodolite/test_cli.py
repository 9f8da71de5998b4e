"""The command line as a user meets it: what it prints, what it writes, how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from theodolite.study import Study

QUANTITY = {"median", "low", "high"}


def test_help_comes_within_half_a_second_of_a_bare_python() -> None:
    def seconds(*arguments: str) -> float:
        began = os.times()  # of the processor: the clock would also count what else the machine does
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        ended = os.times()
        return ended.children_user - began.children_user + ended.children_system - began.children_system

    extra = min(seconds("-m", "theodolite", "--help") - seconds("-c", "pass") for _ in range(5))
    assert extra < 0.5


def test_init_check_and_import_walk_to_a_sound_workspace(run, tables: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    made = run(
        "init",
        folder,
        "--media",
        tables / "media.csv",
        "--outcome",
        tables / "outcome.csv",
        "--kpi",
        "revenue",
        "--json",
    )
    assert made.code == 0
    assert json.loads(made.out)["channels"] == ["brand_search", "social", "tv"]
    checked = run("check", "-w", folder, "--json")
    assert checked.code == 0
    assert json.loads(checked.out)["counts"]["error"] == 0
    imported = run("experiments", "import", tables / "experiments.json", "-w", folder, "--json")
    assert json.loads(imported.out) == {"imported": ["test-1"], "total": 1}
    again = run("experiments", "import", tables / "experiments.json", "-w", folder, "--json")
    assert json.loads(again.out) == {"imported": [], "total": 1}
    listed = json.loads(run("experiments", "list", "-w", folder, "--json").out)["experiments"]
    (record,) = json.loads((tables / "experiments.json").read_text())
    assert [test["experiment_id"] for test in listed] == [record["experiment_id"]]
    assert (listed[0]["estimate"], listed[0]["channel"]) == (record["estimate"], [record["channel"]])


def test_init_never_overwrites_a_workspace(run, tables: Path, tmp_path: Path) -> None:
    arguments = (
        "init",
        tmp_path,
        "--media",
        tables / "media.csv",
        "--outcome",
        tables / "outcome.csv",
        "--kpi",
        "revenue",
    )
    assert run(*arguments).code == 0
    before = (tmp_path / "theodolite.toml").read_bytes()
    second = run(*arguments)
    assert second.code == 2
    assert "there already" in second.err
    assert (tmp_path / "theodolite.toml").read_bytes() == before


def test_init_splits_a_wide_table_into_tidy_ones(run, tmp_path: Path) -> None:
    wide = tmp_path / "wide.csv"
    rows = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d},{10 + i},{5 + i % 3},{100 + i}" for i in range(20)]
    wide.write_text("date,tv_spend,radio_spend,sales\n" + "\n".join(rows) + "\n")
    made = run("init", tmp_path / "w", "--wide", wide, "--json")
    assert made.code == 0
    assert json.loads(made.out)["kpi"] == "sales"
    media = (tmp_path / "w" / "media.csv").read_text().splitlines()
    assert media[0] == "date,channel,spend"
    assert len(media) == 41
    assert run("check", "-w", tmp_path / "w").code == 0


def test_a_misspelt_channel_in_the_configuration_is_named_with_the_nearest(run, workspace: Path) -> None:
    config = workspace / "theodolite.toml"
    config.write_text(config.read_text().replace("[channels.social]", "[channels.socail]"))
    ended = run("check", "-w", workspace)
    assert ended.code == 2
    assert "socail" in ended.err
    assert "did you mean 'social'" in ended.err
    assert "Traceback" not in ended.err


def test_a_blank_cell_is_refused_at_its_line_and_nothing_is_written(run, tables: Path, tmp_path: Path) -> None:
    lines = (tables / "media.csv").read_text().splitlines()
    lines[7] = lines[7].rsplit(",", 1)[0] + ","
    bad = tmp_path / "media.csv"
    bad.write_text("\n".join(lines) + "\n")
    ended = run("init", tmp_path / "w", "--media", bad, "--outcome", tables / "outcome.csv", "--kpi", "revenue")
    assert ended.code == 2
    assert "media.csv:8, column 'spend'" in ended.err
    assert not (tmp_path / "w").exists()


def test_bare_files_are_checked_too(run, tables: Path, tmp_path: Path) -> None:
    good = run(
        "check",
        "--media",
        tables / "media.csv",
        "--outcome",
        tables / "outcome.csv",
        "--kpi",
        "revenue",
        "--experiments",
        tables / "experiments.json",
        "--touchpoints",
        tables / "touchpoints.parquet",
    )
    assert good.code == 0
    records = json.loads((tables / "experiments.json").read_text())
    records[0]["channel"] = "brand_serach"
    wrong = tmp_path / "experiments.json"
    wrong.write_text(json.dumps(records))
    bad = run(
        "check",
        "--media",
        tables / "media.csv",
        "--outcome",
        tables / "outcome.csv",
        "--kpi",
        "revenue",
        "--experiments",
        wrong,
    )
    assert bad.code == 2
    assert "did you mean 'brand_search'" in bad.err


def test_a_test_that_cannot_be_placed_is_an_error_and_never_skipped(
    run, workspace: Path, tables: Path, tmp_path: Path
) -> None:
    records = json.loads((tables / "experiments.json").read_text())
    wrong = records[0] | {"experiment_id": "test-2", "channel": "podcasts"}
    file = tmp_path / "more.json"
    file.write_text(json.dumps([records[0], wrong]))
    ended = run("experiments", "import", file, "-w", workspace)
    assert ended.code == 2
    assert "podcasts" in ended.err
    listed = json.loads(run("experiments", "list", "-w", workspace, "--json").out)["experiments"]
    assert [test["experiment_id"] for test in listed] == ["test-1"]


def test_the_fit_prints_what_the_contract_promises(run, workspace: Path) -> None:
    ended = run("mmm", "summary", "-w", workspace, "--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    assert [row["channel"] for row in found["channels"]] == ["brand_search", "social", "tv"]
    assert all(set(row["iroas"]) == QUANTITY == set(row["iroas_uncalibrated"]) for row in found["channels"])
    assert {"experiment_id", "channel", "p", "verdict"} <= set(found["conflicts"][0])
    assert {"r_hat", "ess_bulk", "divergences", "seconds", "converged", "seed", "versions"} <= set(found)


def test_a_fit_that_has_not_converged_exits_with_1_unless_told_otherwise(run, workspace: Path) -> None:
    arguments = ("mmm", "fit", "-w", workspace, "--chains", 2, "--warmup", 150, "--draws", 100, "--seed", 1, "--json")
    ended = run(*arguments)
    assert json.loads(ended.out)["converged"] is False
    assert ended.code == 1
    assert run(*arguments, "--allow-unconverged").code == 0


def test_the_same_seed_gives_the_same_fit(run, workspace: Path) -> None:
    arguments = ("mmm", "fit", "-w", workspace, "--chains", 2, "--warmup", 150, "--draws", 100, "--seed", 3, "--json")
    first, second = (json.loads(run(*arguments).out) for _ in range(2))
    assert first | {"seconds": 0} == second | {"seconds": 0}


def test_ctrl_c_stops_a_fit_at_once_and_leaves_the_store_as_it_was(run, workspace: Path) -> None:
    before = run("doctor", "-w", workspace, "--json").out
    command = [sys.executable, "-m", "theodolite", "mmm", "fit", "-w", str(workspace), "--draws", "20000"]
    fit = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert fit.stderr is not None
    for line in fit.stderr:
        if "warm-up" in line:
            break
    fit.send_signal(signal.SIGINT)
    out, err = fit.communicate(timeout=300)
    assert (fit.returncode, out) == (130, "")
    assert "interrupted" in err
    assert "Traceback" not in err
    assert run("doctor", "-w", workspace, "--json").out == before


def test_reconcile_prints_what_the_contract_promises(run, workspace: Path) -> None:
    found = json.loads(run("reconcile", "-w", workspace, "--json").out)
    assert {"channels", "derived_from", "converged", "seed", "versions", "cells", "campaigns"} <= set(found)
    for channel in found["channels"]:
        assert {
            "channel",
            "spend",
            "iroas",
            "sources",
            "weights",
            "incrementality_factor",
            "mroas",
            "evidence_grade",
            "state",
            "action",
        } <= set(channel)
        assert set(channel["sources"]) == {"mmm", "mmm_calibrated", "experiments", "attribution", "platform"}
        if channel["iroas"] is not None:
            assert channel["iroas"]["low"] < channel["iroas"]["median"] < channel["iroas"]["high"]
    brand = next(c for c in found["channels"] if c["channel"] == "brand_search")
    assert brand["sources"]["experiments"] is not None
    assert "markov:1" in brand["sources"]["attribution"]
    tv = next(c for c in found["channels"] if c["channel"] == "tv")
    assert tv["sources"]["attribution"] == {}


def test_reconcile_tells_periods_and_markets_apart(run, workspace: Path) -> None:
    market = Study.open(workspace).panel.geos[0]
    printed = run("reconcile", "-w", workspace, "--by", "month", "--markets", market)
    assert "What the unified iROAS rests on" in printed.out
    assert "By period and market" in printed.out
    cells = json.loads(run("reconcile", "-w", workspace, "--markets", "all", "--json").out)["cells"]
    assert {cell["market"] for cell in cells} == {None, *Study.open(workspace).panel.geos}
    wrong = run("reconcile", "-w", workspace, "--markets", f"{market}x")
    assert wrong.code == 2
    assert f"did you mean '{market}'" in wrong.err


def test_a_window_outside_the_data_is_refused(run, workspace: Path) -> None:
    assert run("reconcile", "-w", workspace, "--from", "1999-01-01", "--to", "1999-12-31").code == 2
    assert "YYYY-MM-DD" in run("reconcile", "-w", workspace, "--from", "3.5.2024").err


def test_changed_data_ask_for_a_new_fit(run, workspace: Path, tables: Path, tmp_path: Path) -> None:
    lines = (tables / "media.csv").read_text().splitlines()
    lines[5] = lines[5].rsplit(",", 1)[0] + ",12345.0"
    (tmp_path / "media.csv").write_text("\n".join(lines) + "\n")
    config = workspace / "theodolite.toml"
    config.write_text(
        config.read_text().replace((tables / "media.csv").as_posix(), (tmp_path / "media.csv").as_posix())
    )
    ended = run("reconcile", "-w", workspace)
    assert ended.code == 2
    assert "mmm fit" in ended.err


def test_attribution_of_bare_files_gives_the_textbook_answer(run, tmp_path: Path) -> None:
    paths = tmp_path / "paths.csv"
    paths.write_text("path,conversions,value,nulls\nc1 > c2 > c3,1,10,0\nc1,0,0,1\nc2 > c3,0,0,1\n")
    ended = run("attribution", "run", "--paths", paths, "--models", "markov:1,last", "--json")
    assert ended.code == 0
    markov = json.loads(ended.out)["models"]["markov:1"]
    assert {c["channel"]: round(c["removal_effect"], 9) for c in markov["channels"]} == {
        "c1": 0.5,
        "c2": 1.0,
        "c3": 1.0,
    }
    assert [round(c["conversions"]["estimate"], 9) for c in markov["channels"]] == [0.2, 0.4, 0.4]
    assert markov["conversion_probability"] == pytest.approx(1 / 3)
    wrong = run("attribution", "run", "--paths", paths, "--models", "markof:1")
    assert wrong.code == 2
    assert "did you mean 'markov:1'" in wrong.err


def test_the_report_is_one_file_of_less_than_two_megabytes(run, workspace: Path) -> None:
    ended = run("report", "-w", workspace, "--json")
    assert ended.code == 0
    target = Path(json.loads(ended.out)["report"])
    assert target.stat().st_size < 2_000_000
    text = target.read_text(encoding="utf-8")
    assert "brand_search" in text
    assert 'src="http' not in text


def test_the_doctor_finds_a_damaged_store(run, workspace: Path) -> None:
    assert run("doctor", "-w", workspace).code == 0
    artifact = next(file for file in (workspace / ".theodolite" / "artifacts").rglob("*") if file.is_file())
    artifact.chmod(0o644)
    artifact.write_bytes(b"damaged" + artifact.read_bytes()[7:])
    ended = run("doctor", "-w", workspace)
    assert ended.code == 1
    assert "FAIL" in ended.out


def test_a_folder_without_a_study_says_what_to_do(run, tmp_path: Path) -> None:
    ended = run("mmm", "fit", "-w", tmp_path)
    assert ended.code == 2
    assert "theodolite init" in ended.err
