"""theodolite jobs: the long work of the running server, from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from theodolite.cli.options import HERE, AsJson, Quiet, Workspace

if TYPE_CHECKING:
    from measurement.typing import Json
    from theodolite.talking import Running

app = typer.Typer(help="Long work of the running server: list, begin, show, cancel.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="The job's id, as `jobs list` shows it.")]


def _server(workspace: Path) -> "Running":
    from theodolite.cli.options import open_study
    from theodolite.talking import needed

    open_study(workspace)
    return needed(workspace)


@app.command("list")
def list_(workspace: Workspace = HERE, json: AsJson = False) -> None:
    """List the jobs since the server was started, the newest first."""
    from theodolite.cli import output

    found = _server(workspace).ask("GET", "/jobs?limit=500")["items"]
    if json:
        output.as_json({"jobs": found})
        return
    rows = [[job["id"], job["kind"], job["state"], _words(job), job["actor"], job["begun_at"]] for job in found]
    output.table("Jobs", ["id", "work", "state", "how far", "by", "asked for"], rows)


@app.command()
def begin(
    kind: Annotated[str, typer.Argument(help="fit, reconcile, attribution, audit, validate, backtest, compare, ...")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting: --set draws=1000.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for its end; exit 1 where it fails.")] = False,
    quiet: Quiet = False,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Begin work in the running server; it goes on without this command."""
    server = _server(workspace)
    job = server.ask("POST", "/jobs", {"kind": kind, "settings": _settings(settings or [])})
    _end(server, job, follow, quiet, json)


@app.command()
def show(
    job_id: Id,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for its end; exit 1 where it fails.")] = False,
    quiet: Quiet = False,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Show how far a job is, or wait for its end."""
    server = _server(workspace)
    _end(server, server.job(job_id), follow, quiet, json)


@app.command()
def cancel(job_id: Id, workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Cancel a job: what it would have written is not written."""
    server = _server(workspace)
    server.ask("DELETE", f"/jobs/{server.job(job_id)['id']}")
    _end(server, server.job(job_id), False, True, json)


def _settings(given: list[str]) -> dict[str, str]:
    from theodolite.cli.output import refused

    pairs = [text.partition("=") for text in given]
    wrong = next((text for text, (name, sign, _) in zip(given, pairs, strict=True) if not (sign and name)), None)
    if wrong is not None:
        raise refused(f"--set: found '{wrong}'; a setting is written NAME=VALUE, such as draws=1000")
    return {name: value for name, _, value in pairs}


def _end(server: "Running", job: "Json", follow: bool, quiet: bool, json: bool) -> None:
    from theodolite.cli import output

    last: list[Any] = [None]

    def told(found: "Json") -> None:
        if not quiet and (words := _words(found)) != last[0]:
            output.err.print(words, markup=False)
            last[0] = words

    found = server.follow(job["id"], told) if follow else job
    if json:
        output.as_json(found)
    else:
        output.say(f"{found['id']}  {found['kind']}  {found['state']}: {_words(found)}")
    if follow and found["state"] != "done":
        raise typer.Exit(1)


def _words(job: "Json") -> str:
    if job["problems"]:
        return "; ".join(job["problems"])
    share = "" if job["share"] is None or job["state"] != "running" else f" ({job['share']:.0%})"
    return f"{job['doing']}{share}"
