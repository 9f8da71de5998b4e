"""theodolite experiments predict, track-record: what each method said before a test, and how right it was."""

from pathlib import Path
from typing import Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Workspace, open_study


def predict(
    experiment_id: Annotated[str, typer.Argument(metavar="ID", help="A test of the study without a result.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="The plan of a test that is not in the study yet, in place of an id.")
    ] = None,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Freeze what every method says of a planned test, so that it can be scored after the read-out."""
    from theodolite.cli import output

    if bool(experiment_id) == (file is not None):
        raise output.refused("give the id of a test, or --file with its plan")
    study = open_study(workspace)
    if file is None:
        made = study.track_record.predict(experiment_id)
    else:
        from theodolite.analysis import read_plans

        made = study.track_record.predict(read_plans(file)[0])
    said = {method: quantity.to_dict() for method, quantity in made.said.items()}
    if json:
        plain = {"experiment_id": made.experiment_id, "channel": made.channel, "said": said, "at": made.at}
        output.as_json(plain | {"hash": made.hash, "clean": made.clean})
        return
    rows = [[method, output.interval(quantity)] for method, quantity in said.items()]
    output.table(f"iROAS of {made.channel}, frozen for {made.experiment_id}", ["method", "said"], rows)
    late = "" if made.clean else " The read-out is over by now, so it will not count as a prediction."
    output.say(f"Frozen at {made.at} UTC, event {made.hash[:12]}.{late}")


def track_record(workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Show how right each method was about tests that were predicted before their read-out."""
    from theodolite.cli import output

    found = open_study(workspace).track_record.to_dict()
    if json:
        output.as_json(found)
        return
    if not found["scores"]:
        output.say("No test that was predicted has been read out yet (theodolite experiments predict ID).")
    else:
        rows = [
            [
                row["method"],
                str(row["tests"]),
                f"{row['crps']:.3f}",
                f"{row['inside']:.0%}",
                f"{row['same_action']:.0%}",
                "–" if row["median_log_error"] is None else f"{row['median_log_error']:+.2f}",
            ]
            for row in found["methods"]
        ]
        columns = ["method", "tests", "CRPS, iROAS", "inside 90 %", "same action", "median log error"]
        output.table("Predictions frozen before the read-out", columns, rows)
        late = sorted({score["experiment_id"] for score in found["scores"] if not score["clean"]})
        if late:
            output.say(f"Made after the read-out, so not counted: {', '.join(late)}.")
    if found["waiting"]:
        output.say(f"Waiting for a read-out: {', '.join(found['waiting'])}.")
