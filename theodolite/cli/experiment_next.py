"""theodolite experiments next."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theodolite.cli.experiment_analyse import Page, named
from theodolite.cli.experiment_design import Duration, in_options, steps
from theodolite.cli.options import HERE, AsJson, Quiet, Seed, Workspace, open_study
from theodolite.cli.plan import Bounds

if TYPE_CHECKING:
    from calibration.next_test.result import NextTests

Many = list[str] | None


def next_test(
    channel: Annotated[Many, typer.Option(metavar="NAMES", help="Channels to compare; all otherwise.")] = None,
    direction: Annotated[
        Many, typer.Option(metavar="NAMES", help="go_dark, heavy_up, holdout; the first two otherwise.")
    ] = None,
    duration: Duration = None,
    geos: Annotated[str | None, typer.Option(metavar="2:8", help="Fewest and most treated geos: 2:8.")] = None,
    cooldown: Annotated[
        int | None, typer.Option(min=0, metavar="PERIODS", help="Periods read out after the spend is back.")
    ] = None,
    heavy_up: Annotated[float, typer.Option(metavar="SHARE", help="A heavy-up test adds this share of spend.")] = 1.0,
    exclude: Annotated[Many, typer.Option(metavar="NAMES", help="Geos that are not treated.")] = None,
    busy: Annotated[Many, typer.Option(metavar="NAMES", help="Geos that take no part.")] = None,
    total: Annotated[
        float | None, typer.Option(help="Budget that the result is to improve; business as usual otherwise.")
    ] = None,
    at_most: Annotated[bool, typer.Option("--at-most", help="The total is the most that may be spent.")] = False,
    bound: Bounds = None,
    fix: Annotated[Many, typer.Option(metavar="CHANNEL", help="A channel that stays as it is.")] = None,
    others: Annotated[
        str, typer.Option(metavar="LOW:HIGH", help="How far every channel without a bound of its own may move.")
    ] = "0.5:1.5",
    horizon: Annotated[
        int | None, typer.Option(min=1, metavar="PERIODS", help="How long the budget decision lasts; a year otherwise.")
    ] = None,
    margin: Annotated[float | None, typer.Option(metavar="SHARE", help="Margin, in place of the study's own.")] = None,
    per_test: Annotated[float, typer.Option(metavar="MONEY", help="What a test costs whatever it finds.")] = 0.0,
    per_market: Annotated[float, typer.Option(metavar="MONEY", help="The same for each treated market.")] = 0.0,
    money: Annotated[
        float | None, typer.Option(metavar="MONEY", help="Most money for all tests: added spend and the two above.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Most tests in the portfolio.")] = 3,
    seed: Seed = 0,
    workspace: Workspace = HERE,
    pick: Annotated[int, typer.Option(min=1, help="Rank of the test to save.")] = 1,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the picked test as a record, ready to be registered.")
    ] = None,
    report: Page = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the ranking to a new .png, .svg or .html file.")
    ] = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Say which test is worth most next: what its result would earn the budget, less what the test costs."""
    from theodolite import charting, plans, record_files
    from theodolite.cli import output
    from theodolite.next_tests import Asked

    charting.refuse(chart)
    record_files.refuse_existing(save)
    study, (lengths, sizes) = open_study(workspace), _ranges(duration, geos)
    asked = Asked(
        channels=named(channel),
        directions=named(direction),
        durations=lengths,
        geos=sizes,
        cooldown=cooldown,
        heavy_up=heavy_up,
        exclude=named(exclude),
        busy=named(busy),
        total=total,
        at_most=at_most,
        bounds=plans.bounds_of(bound or (), fix or (), (), study.config.study.currency),
        others=others,
        horizon=horizon,
        margin=margin,
        per_test=per_test,
        per_market=per_market,
        money=money,
        most=most,
        seed=seed,
    )
    with in_options(), output.progress(quiet or json) as show:
        found = study.next_test.rank(asked, progress=steps(show, "valuing tests"))
    _deliver(found, study.config.study.name, pick, save, report)
    charting.save(found.chart, chart)
    _print(found, json, {"record": save, "page": report, "chart": chart})
    raise typer.Exit(0 if found.converged else 1)


def _ranges(duration: str | None, geos: str | None) -> tuple[tuple[int, ...], tuple[int, int] | None]:
    from experiments.planning.goal_text import whole_list, whole_range
    from measurement.errors import DataError, Problem

    problems: list[Problem] = []
    lengths: tuple[int, ...] = ()
    sizes = None
    try:
        lengths = whole_list(duration) if duration else ()
    except ValueError as wrong:
        problems.append(Problem(str(wrong), column="durations", code="not-readable"))
    try:
        sizes = whole_range(geos) if geos else None
    except ValueError as wrong:
        problems.append(Problem(str(wrong), column="geos", code="not-readable"))
    with in_options():
        if problems:
            raise DataError(problems)
    return lengths, sizes


def _deliver(found: "NextTests", study: str, pick: int, save: Path | None, report: Path | None) -> None:
    """Write what was asked for."""
    from measurement.errors import DataError
    from theodolite import record_files

    if save is not None:
        if pick > len(found.tests):
            raise DataError(f"--pick: found {pick}; there are {len(found.tests)} ranked tests")
        record_files.save([found.tests[pick - 1].record], save)
    if report is not None:
        from theodolite.report.next_test import write

        write(found, study, report)


def _print(found: "NextTests", json: bool, files: "dict[str, Path | None]") -> None:
    from theodolite.cli import next_test_tables, output

    if json:
        output.as_json(found.to_dict())
    else:
        next_test_tables.ranking(found)
        output.written(files)
