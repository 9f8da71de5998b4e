"""The command line's root and the verbs of a whole study."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from theodolite.cli import attribution, decisions, experiments, jobs, mmm, plan, plan_states, rhythm, serve, store
from theodolite.cli.options import HERE, AsJson, Quiet, Seed, Workspace, open_study

app = typer.Typer(
    name="theodolite",
    help="Experiment-calibrated marketing measurement: MMM, lift tests and attribution in one view per channel.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(experiments.app, name="experiments")
app.add_typer(mmm.app, name="mmm")
app.add_typer(attribution.app, name="attribution")
app.add_typer(decisions.app, name="decisions")
app.add_typer(plan_states.app, name="plans")
app.add_typer(store.app, name="store")
app.add_typer(jobs.app, name="jobs")
app.add_typer(serve.keys, name="keys")


def _version(wanted: bool) -> None:
    if wanted:
        from measurement.version import __version__

        typer.echo(f"theodolite {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Experiment-calibrated marketing measurement: MMM, lift tests and attribution in one view per channel."""


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="A new folder for the demo's workspace.")] = Path(
        "demo"
    ),
    seed: Seed = 7,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Simulate a company with known truth and run everything on it, end to end, then the report."""
    from theodolite.cli import output
    from theodolite.demo import run

    with output.progress(quiet or json) as progress:
        result = run(folder, seed=seed, progress=progress, say=(lambda _: None) if json else output.say)
    if json:
        output.as_json(result.to_dict())
        return
    output.table(
        "Typical error of iROAS against the known truth",
        ["method", "channels", "its error", "unified view, same channels", "90 % intervals that hold the truth"],
        [
            [
                score.method,
                str(score.channels),
                f"{score.typical_error:.0%}",
                f"{score.unified_typical_error:.0%}",
                "–" if score.covered is None else f"{score.covered} of {score.channels}",
            ]
            for score in result.scores
        ],
    )
    output.say(f"Report: {result.report}")


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the new workspace.")],
    media: Annotated[str | None, typer.Option(help="The media table (csv or parquet).")] = None,
    outcome: Annotated[str | None, typer.Option(help="The outcome table.")] = None,
    wide: Annotated[
        Path | None, typer.Option(help="One wide table with <channel>_spend columns; it is split into tidy ones.")
    ] = None,
    experiments: Annotated[str | None, typer.Option(help="Records of lift tests (json or csv).")] = None,
    touchpoints: Annotated[str | None, typer.Option(help="The log of user journeys.")] = None,
    platform: Annotated[str | None, typer.Option(help="What the platforms report.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the study; the folder's name otherwise.")] = None,
    kpi: Annotated[str | None, typer.Option(help="KPI column of the outcome table.")] = None,
    kpi_value: Annotated[float | None, typer.Option(help="Money per unit of the KPI.")] = None,
    margin: Annotated[float | None, typer.Option(help="Share of revenue that is left after costs.")] = None,
    currency: Annotated[str, typer.Option(help="Currency of all money.")] = "EUR",
    json: AsJson = False,
) -> None:
    """Make a workspace: a commented theodolite.toml for the tables you point at, or for one wide table."""
    from theodolite.cli import output
    from theodolite.workspace import Settings, initialise

    made = initialise(
        folder,
        media,
        outcome,
        wide,
        {"experiments": experiments, "touchpoints": touchpoints, "platform": platform},
        Settings(name, kpi, kpi_value, margin, currency),
    )
    if json:
        output.as_json(made.to_dict())
        return
    for line in made.lines():
        output.say(line)


@app.command()
def check(
    workspace: Workspace = HERE,
    media: Annotated[str | None, typer.Option(help="Check this media table instead of a workspace.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Check this outcome table.")] = None,
    touchpoints: Annotated[str | None, typer.Option(help="Check this log of journeys.")] = None,
    experiments: Annotated[str | None, typer.Option(help="Check these test records.")] = None,
    platform: Annotated[str | None, typer.Option(help="Check this platform table.")] = None,
    kpi: Annotated[str | None, typer.Option(help="KPI column, with --outcome.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where there are warnings.")] = False,
    json: AsJson = False,
) -> None:
    """Say what is wrong with the data (error, warning) and what a model will find hard (note)."""
    from theodolite.checking import check_files
    from theodolite.cli import output

    files = {
        "media": media,
        "outcome": outcome,
        "touchpoints": touchpoints,
        "experiments": experiments,
        "platform": platform,
    }
    given = {table: file for table, file in files.items() if file is not None}
    found = check_files(given, kpi=kpi) if given else open_study(workspace).check()
    counts = {level: sum(problem.level == level for problem in found) for level in ("error", "warning", "note")}
    if json:
        fields = ("level", "code", "file", "line", "column", "message")
        output.as_json({"problems": [{key: getattr(p, key) for key in fields} for p in found], "counts": counts})
    else:
        output.problems([p for p in found if p.level != "error"])
        if counts["error"]:
            from measurement.errors import listed

            print(listed([p for p in found if p.level == "error"]), file=sys.stderr)
        plural = {level: f"{n} {level}{'' if n == 1 else 's'}" for level, n in counts.items()}
        output.say(f"{plural['error']}, {plural['warning']}, {plural['note']}" if found else "Everything is in order.")
    raise typer.Exit(2 if counts["error"] else 1 if strict and counts["warning"] else 0)


@app.command()
def reconcile(
    workspace: Workspace = HERE,
    start: Annotated[
        str | None, typer.Option("--from", help="First day, YYYY-MM-DD; the whole panel otherwise.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day, YYYY-MM-DD.")] = None,
    by: Annotated[
        Literal["month", "quarter"] | None, typer.Option(help="Show the channels by month or quarter, too.")
    ] = None,
    markets: Annotated[
        str | None, typer.Option(help="Show these markets apart, too: names with commas between them, or all.")
    ] = None,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """Bring MMM, lift tests and attribution together: one number per channel with its interval."""
    from theodolite.cli import output

    named = tuple(name.strip() for name in (markets or "").split(",") if name.strip())
    view = open_study(workspace).reconcile(start=start, end=end, by=by or "quarter", markets=named, seed=seed)
    if json:
        output.as_json(view.to_dict())
    else:
        from theodolite.cli.unified_tables import cells, unified

        unified(view)
        if by or named:
            cells(view)
    raise typer.Exit(0 if view.converged else 1)


app.command()(plan.budget)
app.command()(plan.flight)
app.command()(plan.forecast)
app.command()(plan.scenario)
app.command()(rhythm.monitor)
app.command()(rhythm.cycle)


@app.command()
def report(
    workspace: Workspace = HERE,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; report.html in the workspace otherwise.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Write one self-contained HTML report that works offline."""
    from theodolite.cli import output

    study = open_study(workspace)
    target = study.report(out)
    if json:
        output.as_json({"report": str(target), "bytes": target.stat().st_size})
    else:
        output.say(f"Wrote {target} ({target.stat().st_size / 1e6:.1f} MB).")


app.command()(serve.serve)


@app.command()
def mcp(
    workspace: Workspace = HERE,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="viewer reads; editor may also fit; approver may also decide.")
    ] = "viewer",
    by: Annotated[str, typer.Option("--by", help="Who acts; the store records the name.")] = "mcp",
) -> None:
    """Serve the study to a language model over standard input and output (MCP)."""
    from measurement.errors import DataError, shown

    if role not in ("viewer", "editor", "approver"):
        raise DataError(f"--role is viewer, editor or approver, not '{shown(role)}'")
    try:
        from theodolite.mcp import serve
    except ModuleNotFoundError:
        raise DataError("this needs the extra: pip install 'theodolite[mcp]'") from None
    serve(workspace, role, by)  # type: ignore[arg-type]  # one of the three, see above


@app.command()
def doctor(
    workspace: Workspace = HERE,
    head: Annotated[
        str | None, typer.Option(metavar="HASH", help="The store's hash that a report printed: is it still there?")
    ] = None,
    json: AsJson = False,
) -> None:
    """Check the installation and, in a workspace, its store: every event, every artifact, every test."""
    from theodolite.cli import output
    from theodolite.doctor import examine

    findings = examine(workspace, head)
    if json:
        output.as_json(
            {
                "ok": all(f.ok for f in findings),
                "checks": [{"name": f.name, "ok": f.ok, "detail": f.detail} for f in findings],
            }
        )
    else:
        for finding in findings:
            output.say(
                f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.detail}",
                None if finding.ok else "bold red",
            )
    raise typer.Exit(0 if all(f.ok for f in findings) else 1)
