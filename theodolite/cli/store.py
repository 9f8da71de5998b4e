"""theodolite store: move, export, import."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Workspace

if TYPE_CHECKING:
    from theodolite.keeping import Packed

app = typer.Typer(help="Where the study is kept: in the workspace, on PostgreSQL, in an archive.", no_args_is_help=True)
By = Annotated[str, typer.Option("--by", help="Who does it; the store records the name.")]


@app.command()
def move(
    postgres: Annotated[
        str | None,
        typer.Option(help="How to reach the database: 'host=db.example.org dbname=measurement'; no password in it."),
    ] = None,
    schema: Annotated[str | None, typer.Option(help="The schema that holds this study and no other.")] = None,
    to_workspace: Annotated[bool, typer.Option("--to-workspace", help="Back into the workspace.")] = False,
    by: By = "local",
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Move the store to a team's PostgreSQL, or back: every event and artifact, checked; theodolite.toml follows."""
    from measurement.errors import DataError
    from measurement.store import Server
    from theodolite import keeping
    from theodolite.cli import output

    if to_workspace == (postgres is not None) or (postgres is None) != (schema is None):
        raise DataError("give either --to-workspace, or --postgres and --schema together")
    server = Server(postgres, schema) if postgres is not None and schema is not None else None
    found = keeping.move(workspace, server, by)
    if json:
        output.as_json(found.to_dict())
        return
    output.say(f"Moved from {found.source} to {found.target}: {found.events} events, {found.artifacts} artifacts.")
    output.say(f"Head {found.head}, the same in both places. theodolite.toml names the new place.")


@app.command("export")
def export(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to write (.zip); never overwritten.")],
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Write the whole workspace (settings, data, store) as one checked archive."""
    from theodolite import keeping
    from theodolite.cli import output

    _say(keeping.pack(workspace, archive), f"Wrote {archive}", json)
    if not json:
        output.say("Every entry was read back and compared with its hash.")


@app.command("import")
def import_(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="An archive that `theodolite store export` wrote.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new workspace's folder: new, or empty.")],
    by: By = "local",
    json: AsJson = False,
) -> None:
    """Make a workspace from an archive: all of it, checked, or nothing."""
    from theodolite import keeping

    _say(keeping.unpack(archive, folder, by), f"Made the workspace {folder}", json)


def _say(found: "Packed", done: str, json: bool) -> None:
    from theodolite.cli import output

    if json:
        output.as_json(found.to_dict())
        return
    inside = found.contents
    output.say(f"{done}: {inside.head.sequence} events, {inside.artifacts} artifacts, {len(inside.files)} files.")
    output.say(f"Head {inside.head.hash}.")
    for name in found.left_out:
        output.say(f"Not in the archive, since it lies outside the workspace: {name}")
