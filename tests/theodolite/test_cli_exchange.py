"""`theodolite experiments import --format` and `export --format`, on a workspace."""

import csv
import json
from pathlib import Path

from theodolite.study import Study


def test_evidence_goes_out_and_a_test_of_another_tool_comes_in(run, workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    done = run("experiments", "export", out, "--format", "pymc-marketing", "-w", workspace)
    assert (done.code, done.err) == (0, "")
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    test = Study.open(workspace).evidence()[0][0]
    assert [row["channel"] for row in rows] == list(test.lift.channels)
    again = run("experiments", "export", out, "--format", "pymc-marketing", "-w", workspace)
    assert (again.code, again.out) == (2, "")
    assert "is there already" in again.err

    foreign = tmp_path / "lift.csv"
    foreign.write_text("Study name,Platform,Incremental sales,Standard error,Amount spent\nspring,social,900,300,500\n")
    bare = run("experiments", "import", foreign, "--format", "platform-lift", "-w", workspace)
    assert bare.code == 2
    assert "start_date is missing" in bare.err
    panel = Study.open(workspace).panel
    days = [f"--set=start_date={panel.dates[10]}", f"--set=end_date={panel.dates[14]}"]
    done = run("experiments", "import", foreign, "--format", "platform-lift", *days, "-w", workspace)
    assert (done.code, done.err) == (0, "")
    records = {test.experiment_id: test for test in Study.open(workspace).experiments()}
    assert records["spring"].grade == "D"


def test_what_is_wrong_with_the_options_is_said(run, workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps([{"channel": "tv"}]))
    for options, says in (
        (("--format", "robin"), "did you mean 'robyn'"),
        (("--format", "robyn", "--set", "spend"), "is no FIELD=VALUE"),
        (("--format", "robyn", "--set", "chanel=tv"), "did you mean 'channel'"),
    ):
        done = run("experiments", "import", file, *options, "-w", workspace)
        assert done.code == 2
        assert says in done.err + done.out
