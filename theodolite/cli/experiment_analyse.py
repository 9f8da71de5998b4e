"""theodolite experiments analyse."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theodolite.cli.options import HERE, LOCAL, AsJson, By, Reason, Seed, Workspace, open_study

if TYPE_CHECKING:
    from experiments import Experiment
    from theodolite.analysis import Asked
    from theodolite.registry import Registry
    from theodolite.report.experiment import Dossier

Outcome = Annotated[str | None, typer.Option(metavar="TABLE", help="Outcome table, instead of a workspace.")]
Media = Annotated[str | None, typer.Option(metavar="TABLE", help="Media table, to find what was spent.")]
Users = Annotated[str | None, typer.Option(metavar="TABLE", help="Table of users, for a test on users.")]
Kpis = Annotated[
    list[str] | None,
    typer.Option(
        "--kpi", metavar="NAMES", help="KPI column of the outcome table; several with commas, the first decides."
    ),
]
Page = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a page to hand on (html).")]


def analyse(
    experiment_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A test of the study; or use --experiment.")
    ] = None,
    workspace: Workspace = HERE,
    outcome: Outcome = None,
    experiment: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A test record without its results (json).")
    ] = None,
    media: Media = None,
    users: Users = None,
    denominator: Annotated[
        str | None, typer.Option(help="Column that the KPI is divided by per user (sessions); with --users.")
    ] = None,
    kpi: Kpis = None,
    estimator: Annotated[
        str | None, typer.Option(help="default, the name of an estimator, or all; the plan's where there is one.")
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.5, help="Error rate: the interval holds 1 - alpha; the plan's, or 0.1."),
    ] = None,
    seed: Seed = 0,
    report: Page = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the record with its result, ready for import.")
    ] = None,
    by: By = LOCAL,
    reason: Reason = "",
    json: AsJson = False,
) -> None:
    """Analyse a test: effect, interval and p-value that agree, what it says of iROAS, how far to trust it.

    The result of a registered test is kept as a new version; its estimator and error rate are the approved plan's.
    """
    from theodolite import record_files
    from theodolite.analysis import Asked, read_plans
    from theodolite.cli import experiment_tables, output
    from theodolite.cli.output import refused

    record_files.refuse_existing(save)
    asked = Asked(named(kpi), estimator or "default", alpha or 0.1, seed, users, denominator)
    registry: Registry | None = None
    if experiment is not None:
        tests = read_plans(experiment)
        if len(tests) > 1:
            _cells(tests, outcome, media, asked, report=report, save=save, json=json)
            return
        dossier = _of_record(tests[0], workspace, outcome, media, asked)
    elif experiment_id is not None:
        if outcome or media:
            raise refused("a test of the study is analysed on the study's own tables: leave --outcome and --media out")
        study = open_study(workspace)
        registry, plan = study.registry, study.registry.planned(experiment_id)
        if plan is not None:
            asked = replace(asked, estimator=estimator or plan.estimator, alpha=alpha or plan.alpha)
        dossier = study.dossier(experiment_id, asked)
        registry = registry if plan is not None else None
    else:
        raise refused("name a test of the study, or give --experiment with --outcome")
    found, kept = dossier.results, None
    if registry is not None and experiment_id is not None:
        kept = registry.keep(found[0], estimator=asked.estimator, seed=seed, by=by, reason=reason)
        dossier = replace(dossier, standing=study.standing(experiment_id))
    if save is not None:
        record_files.save([found[0].to_record()], save)
    if report is not None:
        from theodolite.report.experiment import write

        write(dossier, report)
    if json:
        output.as_json(found[0].to_dict() if len(found) == 1 else {"results": [each.to_dict() for each in found]})
        return
    experiment_tables.analysed(dossier)
    output.written({"record": save, "page": report})
    if registry is not None and kept is not None:
        from theodolite.cli import registry_tables

        output.say(f"Kept as version {kept.number} of its result.")
        registry_tables.moved(registry.get(found[0].experiment.experiment_id), registry)


def _of_record(
    test: "Experiment", workspace: Path, outcome: str | None, media: str | None, asked: "Asked"
) -> "Dossier":
    """Analyse a record on the tables that are given, or on those of the workspace."""
    from theodolite.analysis import bare_dossier
    from theodolite.cli.output import refused
    from theodolite.config import FILE_NAME

    if outcome is not None and asked.users is not None:
        raise refused("--outcome is the KPI by date and geo, --users a table of users: give one of them")
    if outcome is not None or asked.users is not None:
        return bare_dossier(test, outcome, media, asked)
    if not (workspace / FILE_NAME).exists():
        raise refused("--experiment needs --outcome, the KPI by date and geo, or --users, or a --workspace")
    return open_study(workspace).dossier(test, asked)


def _cells(
    tests: "list[Experiment]",
    outcome: str | None,
    media: str | None,
    asked: "Asked",
    *,
    report: Path | None,
    save: Path | None,
    json: bool,
) -> None:
    """Analyse the cells of one test together."""
    from theodolite import record_files
    from theodolite.analysis import bare_cells
    from theodolite.cli import experiment_tables, output

    if outcome is None:
        raise output.refused("a test of several cells is analysed on --outcome, the KPI by date and geo")
    if report is not None:
        raise output.refused("--report tells one test at a time: give a record with one of the cells alone")
    found = bare_cells(tests, outcome, media, asked)
    if save is not None:
        record_files.save([each.to_record() for each in found.results], save)
    if json:
        output.as_json(found.to_dict())
        return
    experiment_tables.cells(found)
    output.written({"records": save})


def named(options: list[str] | None) -> tuple[str, ...]:
    """Names from an option that may stand several times, each time with several names.

    Raises:
        DataError: Where an empty name stands in one.
    """
    from experiments.planning.goal_text import names
    from measurement.errors import DataError

    try:
        return tuple(dict.fromkeys(name for text in options or () for name in names(text)))
    except ValueError as wrong:
        raise DataError(str(wrong)) from None
