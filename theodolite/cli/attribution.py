"""theodolite attribution: run, paths."""

from pathlib import Path
from typing import Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Seed, Workspace, open_study

app = typer.Typer(help="Attribution: user journeys to paths, paths to credit.", no_args_is_help=True)
Models = Annotated[
    str | None,
    typer.Option(
        help="Models, separated by commas: first, last, last_non_direct, linear, position, time_decay, markov:1 to "
        "markov:4, markov:auto, shapley, shapley:unanimity, shapley:ordered, hazard."
    ),
]
Touchpoints = Annotated[str | None, typer.Option(help="A log of journeys (csv or parquet), instead of a workspace's.")]
PathTable = Annotated[str | None, typer.Option("--paths", help="Aggregated paths: path, conversions, value, nulls.")]
SpecFile = Annotated[Path | None, typer.Option("--spec", help="A path specification (toml or json).")]


@app.command()
def run(
    workspace: Workspace = HERE,
    touchpoints: Touchpoints = None,
    paths: PathTable = None,
    models: Models = None,
    spec: SpecFile = None,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """Credit conversions and value to channels by each model."""
    from theodolite.cli import output, tables

    names = [name.strip() for name in models.split(",")] if models else None
    if touchpoints or paths:
        from theodolite.journeys import attribute_files

        credit = attribute_files(touchpoints, paths, names, spec, seed=seed)
    else:
        credit = open_study(workspace).attribute(models=names, spec=spec, seed=seed)
    if json:
        output.as_json(credit.to_dict())
    else:
        tables.credit(credit.to_dict())


@app.command()
def paths(
    workspace: Workspace = HERE,
    touchpoints: Touchpoints = None,
    spec: SpecFile = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many paths to show.")] = 20,
    json: AsJson = False,
) -> None:
    """Show the commonest paths, and what was found while building them."""
    from theodolite.cli import output, tables
    from theodolite.journeys import overview, read_journeys

    built = read_journeys(touchpoints, spec) if touchpoints else open_study(workspace).paths(spec)
    if json:
        output.as_json(overview(built, top))
    else:
        tables.paths(overview(built, top))
