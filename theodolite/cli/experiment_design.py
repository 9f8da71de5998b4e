"""theodolite experiments design, and power for markets that are given."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from theodolite.cli.experiment_analyse import Kpis, Page, named
from theodolite.cli.options import HERE, AsJson, Quiet, Seed, Workspace, open_study

if TYPE_CHECKING:
    from theodolite.registry import Registry
    from theodolite.report.experiment import About, Dossier

Many = list[str] | None

Channel = Annotated[Many, typer.Option(metavar="NAMES", help="Channel that the test moves; several with commas.")]
Duration = Annotated[
    str | None, typer.Option(metavar="LENGTHS", help="Lengths to compare, in periods of the data: 21,28.")
]
Outcome = Annotated[str | None, typer.Option(metavar="TABLE", help="Outcome table, instead of a workspace.")]
Media = Annotated[
    str | None, typer.Option(metavar="TABLE", help="Media table, so that cost is known (with --outcome).")
]
Currency = Annotated[str, typer.Option(metavar="CODE", help="Currency of all money (with --outcome).")]
KpiValue = Annotated[float, typer.Option(metavar="NUMBER", help="Money per unit of the KPI (with --outcome).")]
Direction = Annotated[str, typer.Option(metavar="NAME", help="go_dark, heavy_up, holdout or scale.")]
Change = Annotated[
    str | None,
    typer.Option(metavar="NUMBER", help="Change of spend in the treated geos as a share: -1 stops it, 0.5 adds half."),
]
Cooldown = Annotated[str | None, typer.Option(metavar="PERIODS", help="Periods read out after the spend is back.")]
Budget = Annotated[str | None, typer.Option(metavar="MONEY", help="Most money: extra spend, or what a cut may lose.")]
Iroas = Annotated[str | None, typer.Option(metavar="NUMBER", help="Expected incremental money per unit of money.")]
Icpa = Annotated[
    str | None,
    typer.Option(metavar="MONEY", help="Expected money per incremental unit of the KPI; in place of --iroas."),
]
Exclude = Annotated[Many, typer.Option(metavar="NAMES", help="Geos that are not treated (they may be controls).")]
Busy = Annotated[Many, typer.Option(metavar="NAMES", help="Geos in a running test: neither treated nor controls.")]
Alpha = Annotated[str | None, typer.Option(metavar="NUMBER", help="Error rate of the analysis; 0.1 where left out.")]
Power = Annotated[
    str | None, typer.Option(metavar="NUMBER", help="Wanted chance to find the effect; 0.8 where left out.")
]
Save = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the chosen design as a record, ready for analyse.")
]
Pick = Annotated[int, typer.Option(min=1, help="Rank of the design to save and to report.")]
Start = Annotated[
    str | None, typer.Option(metavar="DAY", help="First day of the test, YYYY-MM-DD; the day after the data otherwise.")
]
Name = Annotated[str | None, typer.Option("--id", metavar="NAME", help="Name of the test in its record.")]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the data lie: bare tables, or a workspace."""

    workspace: Path
    outcome: str | None
    media: str | None
    currency: str
    kpi_value: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to do with the designs."""

    report: Path | None
    save: Path | None
    pick: int
    start: str | None
    name: str | None
    json: bool
    quiet: bool


def design(
    channel: Channel = None,
    duration: Duration = None,
    geos: Annotated[str | None, typer.Option(metavar="2:8", help="Fewest and most treated geos: 2:8.")] = None,
    direction: Direction = "go_dark",
    workspace: Workspace = HERE,
    outcome: Outcome = None,
    media: Media = None,
    kpi: Kpis = None,
    spend_change: Change = None,
    cooldown: Cooldown = None,
    budget: Budget = None,
    iroas: Iroas = None,
    icpa: Icpa = None,
    must_include: Annotated[Many, typer.Option(metavar="NAMES", help="Geos that are treated.")] = None,
    exclude: Exclude = None,
    busy: Busy = None,
    cluster: Annotated[
        Many, typer.Option(metavar="NAMES", help="Geos that stay together: A,B,C. Once per cluster.")
    ] = None,
    adjacent: Annotated[
        Many,
        typer.Option(
            metavar="A,B", help="Neighbours that spill over, never one treated and one control: A,B. Once per pair."
        ),
    ] = None,
    strata: Annotated[
        str | None, typer.Option(metavar="FILE|COLUMN", help="Stratum of each geo: csv of geo,stratum, or a column.")
    ] = None,
    quota: Annotated[
        Many, typer.Option(metavar="NAME=1:3", help="Fewest and most treated geos of a stratum: east=1:3.")
    ] = None,
    share: Annotated[
        str | None, typer.Option(metavar=".05:.2", help="Share of the KPI in the treated geos: .05:.2.")
    ] = None,
    cells: Annotated[str | None, typer.Option(metavar="NUMBER", help="Number of cells with a shared control.")] = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="geo, switchback or on_off; for users see design-users.")
    ] = "geo",
    block: Annotated[
        str | None, typer.Option(metavar="LENGTHS", help="Switchback: lengths of a block to compare, 7,14.")
    ] = None,
    burn_in: Annotated[int, typer.Option(min=0, help="Switchback: periods dropped after each switch.")] = 0,
    per_geo: Annotated[bool, typer.Option("--per-geo", help="Switchback: each geo by a draw of its own.")] = False,
    alpha: Alpha = None,
    power: Power = None,
    seed: Seed = 0,
    pick: Pick = 1,
    start: Start = None,
    name: Name = None,
    report: Page = None,
    save: Save = None,
    currency: Currency = "EUR",
    kpi_value: KpiValue = 1.0,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Find markets, length and cost of a test that can answer its question; the draw among near-best sets is random."""
    asked = {
        "durations": duration, "geos": geos, "direction": direction, "spend_change": spend_change,
        "cooldown": cooldown, "budget": budget, "iroas": iroas, "icpa": icpa, "must_include": named(must_include),
        "exclude": named(exclude), "busy": named(busy), "clusters": cluster, "adjacent": adjacent, "strata": strata,
        "quotas": quota, "share": share, "cells": cells, "alpha": alpha, "power": power, "seed": seed,
    }  # fmt: skip
    if method in ("switchback", "on_off") and geos is None:
        asked["geos"] = "1"  # a schedule has no number of geos to choose
    files = Files(workspace, outcome, media, currency, kpi_value)
    wanted = Wanted(report, save, pick, start, name, json, quiet)
    _planned(files, channel, kpi, asked, wanted, (method, block, burn_in, per_geo))


def power_of(
    channel: Channel = None,
    duration: Duration = None,
    markets: Annotated[Many, typer.Option(metavar="NAMES", help="Your own treated geos, with commas.")] = None,
    direction: Direction = "go_dark",
    workspace: Workspace = HERE,
    outcome: Outcome = None,
    media: Media = None,
    kpi: Kpis = None,
    spend_change: Change = None,
    cooldown: Cooldown = None,
    budget: Budget = None,
    iroas: Iroas = None,
    icpa: Icpa = None,
    exclude: Exclude = None,
    busy: Busy = None,
    alpha: Alpha = None,
    power: Power = None,
    seed: Seed = 0,
    pick: Pick = 1,
    start: Start = None,
    name: Name = None,
    report: Page = None,
    save: Save = None,
    currency: Currency = "EUR",
    kpi_value: KpiValue = 1.0,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Say what a test of markets that you have chosen yourself can find, length by length."""
    from theodolite.cli.output import refused

    chosen = named(markets)
    if not chosen:
        raise refused("name the markets: --markets A,B (or let `theodolite experiments design` find them)")
    asked = {
        "durations": duration, "geos": (len(chosen), len(chosen)), "treatment_geos": chosen, "direction": direction,
        "spend_change": spend_change, "cooldown": cooldown, "budget": budget, "iroas": iroas, "icpa": icpa,
        "exclude": named(exclude), "busy": named(busy), "alpha": alpha, "power": power, "seed": seed,
    }  # fmt: skip
    files = Files(workspace, outcome, media, currency, kpi_value)
    _planned(files, channel, kpi, asked, Wanted(report, save, pick, start, name, json, quiet))


type Kind = tuple[str, str | None, int, bool]  # method, block lengths, burn-in, each geo by itself


def _planned(
    files: Files,
    channel: Many,
    kpi: Many,
    asked: dict[str, Any],
    wanted: Wanted,
    kind: Kind = ("geo", None, 0, False),
) -> None:
    """Search, then print, save and report."""
    from theodolite import record_files

    record_files.refuse_existing(wanted.save)
    kpis = named(kpi)
    given = asked | {"channel": named(channel) or None, "kpi": kpis[0] if kpis else None}
    with in_options():
        found = _dossier(files, given, kpis, wanted, kind)
    deliver(found, wanted)


def deliver(found: "Dossier", wanted: Wanted) -> None:
    """Write what was asked for, and print."""
    from theodolite import record_files
    from theodolite.cli import design_tables, output

    if wanted.save is not None:
        record_files.save(list(found.records), wanted.save)
    if wanted.report is not None:
        from theodolite.report.experiment import write

        write(found, wanted.report)
    if wanted.json:
        choices, _ = found.planned
        others = {kpi: each.source.to_dict() for kpi, each in found.other_kpis.items()}
        output.as_json(choices.source.to_dict() | ({"other_kpis": others} if others else {}))
        return
    design_tables.planned(found, wanted.save is not None)
    output.written({"record": wanted.save, "page": wanted.report})


def _dossier(files: Files, given: dict[str, Any], kpis: tuple[str, ...], wanted: Wanted, kind: Kind) -> "Dossier":
    from experiments.planning.goal_text import whole_list
    from measurement.errors import DataError
    from theodolite import planning
    from theodolite.analysis import read_panel
    from theodolite.cli import output

    method, block, burn_in, per_geo = kind
    try:
        how = planning.How(method, whole_list(block) if block else (), burn_in, per_geo)
    except ValueError as wrong:
        raise DataError(f"--block: {wrong}") from None
    about: About | None = None
    registry: Registry | None = None
    aliases: Mapping[str, str] = {}
    if files.outcome is None:
        study = open_study(files.workspace)
        panel, aliases, outcome, about = study.panel, study.config.aliases, study.outcome_file, study.about
        registry = study.registry
    else:
        outcome = files.outcome
        panel = read_panel(outcome, files.media, kpis, currency=files.currency, kpi_value=files.kpi_value)
    if given.get("strata"):
        given = given | {"strata": planning.strata_of(given["strata"], outcome)}
    goal = planning.goal_of({key: value for key, value in given.items() if value not in (None, ())}, aliases)
    pick = planning.Pick(wanted.pick, wanted.start, wanted.name)
    with output.progress(wanted.quiet or wanted.json) as show:
        show_steps = steps(show, "searching")
        return planning.dossier(panel, goal, how, pick, kpis=kpis, about=about, registry=registry, progress=show_steps)


@dataclass(frozen=True, slots=True)
class _Step:
    phase: str
    done: int
    total: int
    seconds_left: float | None


def steps(show: Callable[[Any], None], doing: str) -> Callable[[int, int, str], None]:
    """Progress in steps as the console shows it, with the time that is left."""
    began = time.monotonic()

    def stepped(done: int, total: int, what: str) -> None:
        left = (time.monotonic() - began) / done * (total - done) if done else None
        show(_Step(f"{doing}: {what}", done, total, left))

    return stepped


OPTIONS = {
    "durations": "duration",
    "clusters": "cluster",
    "quotas": "quota",
    "treatment_geos": "markets",
    "block_lengths": "block",
}


@contextmanager
def in_options() -> Iterator[None]:
    """Speak of options where a goal speaks of fields."""
    from experiments.planning.goal import Goal
    from measurement.errors import DataError, Problem

    try:
        yield
    except DataError as error:
        fields = {*Goal.__dataclass_fields__, *OPTIONS}
        raise DataError(
            [
                Problem(f"--{OPTIONS.get(p.column, p.column).replace('_', '-')}: {p.message}", code=p.code)
                if p.column in fields and p.file is None
                else p
                for p in error.problems
            ]
        ) from None
