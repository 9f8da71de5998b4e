"""theodolite experiments import, and export in the forms of other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Workspace, open_study

if TYPE_CHECKING:
    from theodolite.study import Study


def import_(
    file: Annotated[Path, typer.Argument(help="Records of tests: a json list, one json object, or csv.")],
    workspace: Workspace = HERE,
    format: Annotated[
        str | None,
        typer.Option(help="Another tool's form: meridian, pymc-marketing, robyn, geolift, platform-lift."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="With --format: what the file does not say, for all rows."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Import results of tests as evidence; all of the file or, where something is wrong, nothing."""
    from theodolite.cli import output

    study = open_study(workspace)
    given = dict(_field(text) for text in set_ or [])
    added = study.import_experiments(file, format=format, given=given)
    if json:
        output.as_json({"imported": [t.experiment_id for t in added], "total": len(study.experiments())})
    else:
        output.say(f"{len(added)} new tests imported; the study has {len(study.experiments())}.")


def export(study: "Study", file: Path, form: str, *, force: bool, json: bool) -> None:
    """Write the study's evidence for another tool, and name what its form cannot hold."""
    from theodolite.cli import output

    notes = study.export_experiments(file, format=form, force=force)
    if json:
        output.as_json({"file": str(file), "left_out": [note.message for note in notes]})
    else:
        output.problems(notes)
        output.written({"tests": file})


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise typer.BadParameter(f"'{text}' is no FIELD=VALUE", param_hint="--set")
    return name.strip(), value
