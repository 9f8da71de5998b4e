"""theodolite attribution: run, summary, paths, add, audit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Seed, Workspace, open_study

if TYPE_CHECKING:
    from attribution import Attribution
    from measurement.typing import Json

app = typer.Typer(help="Attribution: user journeys to paths, paths to credit.", no_args_is_help=True)
Models = Annotated[
    str | None,
    typer.Option(
        help="Models, separated by commas: first, last, last_non_direct, linear, position, time_decay, markov:1 to "
        "markov:4, markov:auto, shapley, shapley:unanimity, shapley:ordered, hazard, hazard:baseline."
    ),
]
Touchpoints = Annotated[
    str | None,
    typer.Option(
        help="A log of journeys (csv, parquet, FILE::TABLE of DuckDB) or a path store (.npz), instead of a workspace's."
    ),
]
PathTable = Annotated[str | None, typer.Option("--paths", help="Aggregated paths: path, conversions, value, nulls.")]
SpecFile = Annotated[Path | None, typer.Option("--spec", help="A path specification (toml or json).")]
SpendFile = Annotated[
    str | None,
    typer.Option("--spend", help="Money for a bare file (csv or parquet): channel, spend and, where known, date."),
]
Chart = Annotated[Path | None, typer.Option("--chart", help="Draw it to a file (.png, .svg, .html).")]

Calibrated = Annotated[
    bool, typer.Option("--calibrated", help="Scale the credit by the workspace's lift tests; the rest is baseline.")
]


@app.command()
def run(
    workspace: Workspace = HERE,
    touchpoints: Touchpoints = None,
    paths: PathTable = None,
    models: Models = None,
    spec: SpecFile = None,
    spend: SpendFile = None,
    calibrated: Calibrated = False,
    chart: Chart = None,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """Credit conversions and value to channels by each model."""
    from theodolite import charting
    from theodolite.cli import output

    charting.refuse(chart)
    names = [name.strip() for name in models.split(",")] if models else None
    unit, more = "", None
    if touchpoints or paths:
        from theodolite.journeys import attribute_files

        if calibrated:
            raise output.refused("--calibrated needs a workspace with lift tests")
        credit = attribute_files(touchpoints, paths, names, spec, spend=spend, seed=seed)
    else:
        _only_bare(spend)
        study = open_study(workspace)
        credit, unit = study.attribute(models=names, spec=spec, seed=seed), study.config.study.currency
        more = study.calibrated_credit(spec=spec, seed=seed).to_dict() if calibrated else None
    _tell(credit, unit, chart, json, more)


@app.command()
def summary(
    workspace: Workspace = HERE,
    spec: SpecFile = None,
    calibrated: Calibrated = False,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Show the last run of a workspace again, as it was kept."""
    from measurement.errors import StoreError
    from theodolite import charting

    charting.refuse(chart)
    study = open_study(workspace)
    credit = study.attribution()
    if credit is None:
        raise StoreError("there is no attribution yet: run `theodolite attribution run` first")
    seed = credit.provenance.seed or 0
    more = study.calibrated_credit(spec=spec, seed=seed).to_dict() if calibrated else None
    _tell(credit, study.config.study.currency, chart, json, more)


@app.command()
def paths(
    workspace: Workspace = HERE,
    touchpoints: Touchpoints = None,
    table: PathTable = None,
    spec: SpecFile = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many paths to show.")] = 20,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Show the commonest paths, their lengths and time lags, and what was found while building them."""
    from theodolite import charting
    from theodolite.cli import attribution_tables, output
    from theodolite.journeys import one_of, overview, read_journeys

    charting.refuse(chart)
    bare = touchpoints or table
    built = read_journeys(one_of(touchpoints, table), spec) if bare else open_study(workspace).paths(spec)

    def drawn() -> object:
        from attribution.charts import of_paths

        return of_paths(built, min(top, 20))

    charting.save(drawn, chart)
    found = overview(built, top)
    if json:
        output.as_json(found)
    else:
        attribution_tables.paths(found)
        output.written({"chart": chart})


@app.command()
def add(
    logs: Annotated[list[str], typer.Argument(help="Logs of new events, in order of time (csv or parquet).")],
    workspace: Workspace = HERE,
    store: Annotated[
        Path | None, typer.Option(help="The path store (.npz), instead of the one that is a workspace's touchpoints.")
    ] = None,
    spec: SpecFile = None,
    json: AsJson = False,
) -> None:
    """Add days of events to a path store: only they are read, and the paths are those of all logs at once."""
    from theodolite.cli import attribution_tables, output
    from theodolite.journeys import add_days

    study = None if store is not None else open_study(workspace)
    file = str(store) if study is None else study.touchpoints_file
    choices = (spec, None) if study is None else (study.path_spec(spec), study.config.aliases)
    found = add_days(file, logs, *choices).to_dict()
    if json:
        output.as_json({"store": file} | found)
    else:
        attribution_tables.added(file, found)


@app.command()
def audit(
    workspace: Workspace = HERE,
    touchpoints: Touchpoints = None,
    paths: PathTable = None,
    spec: SpecFile = None,
    spend: SpendFile = None,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """Say what could be wrong with the journeys, and how much of the credit hangs on choices."""
    from theodolite.cli import attribution_tables, output

    if touchpoints or paths:
        from theodolite.journeys import audit_files

        found = audit_files(touchpoints, paths, spec, spend=spend, seed=seed)
    else:
        _only_bare(spend)
        found = open_study(workspace).audit_journeys(spec=spec, seed=seed)
    if json:
        output.as_json(found.to_dict())
    else:
        attribution_tables.audit(found.to_dict())


def _only_bare(spend: str | None) -> None:
    from measurement.errors import DataError

    if spend is not None:
        raise DataError("--spend goes with --touchpoints or --paths; a workspace has its media table")


def _tell(credit: "Attribution", unit: str, chart: Path | None, json: bool, calibrated: "Json | None") -> None:
    from theodolite import charting
    from theodolite.cli import attribution_tables, output

    def drawn() -> object:
        from attribution.charts import of_credit

        return of_credit(credit, unit)

    charting.save(drawn, chart)
    if json:
        output.as_json(credit.to_dict() | ({"calibrated": calibrated} if calibrated else {}))
    else:
        attribution_tables.credit(credit.to_dict())
        if calibrated:
            attribution_tables.calibrated(calibrated)
        output.written({"chart": chart})
