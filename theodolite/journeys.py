"""Journeys from files or from a study: to paths, to credit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError, shown
from measurement.typing import Json

if TYPE_CHECKING:
    from datetime import date

    from attribution import Attribution, Audit, Paths, PathSpec
    from measurement import Panel


STORE = ".npz"
"""How the name of a path store ends."""


def read_journeys(
    source: str,
    spec: Path | None = None,
    aliases: Mapping[str, str] | None = None,
    identities: str | None = None,
    *,
    channels: Sequence[str] = (),
    spill: Path | None = None,
) -> "Paths":
    """A log of journeys, a table of aggregated paths, or a path store, as distinct paths.

    Args:
        source: The file; a path store is one whose name ends with ``.npz``.
        spec: A path specification; that of a store is the one it was made with.
        aliases: Other names of channels.
        identities: Which users are one person.
        channels: Names that are known; others are reported.
        spill: Folder for what does not fit into memory.

    Raises:
        DataError: Where something in a file is wrong, or an identity map is given for a store.
    """
    from attribution import PathStore, read_paths

    choices = choices_of(spec, aliases)
    if not source.endswith(STORE):
        return read_paths(source, choices, channels=channels, identities=identities, spill=spill)
    if identities is not None:
        raise DataError("a path store knows users by their hash alone, so an identity map cannot be applied to it")
    return PathStore(source, choices).paths(channels)


def choices_of(spec: Path | None, aliases: Mapping[str, str] | None = None) -> "PathSpec":
    """A path specification, or the defaults, with further aliases."""
    from attribution import PathSpec

    return (PathSpec.read(spec) if spec else PathSpec()).with_aliases(aliases or {})


def add_days(
    store: Path | str, logs: Sequence[str], spec: Path | None = None, aliases: Mapping[str, str] | None = None
) -> "Paths":
    """Add logs to a path store, in the order given, each kept as soon as it is added.

    Returns:
        The paths of all that is in it now.

    Raises:
        DataError: Where a log is wrong or not later than what is there; those before it have been added.
    """
    from attribution import PathStore

    if not str(store).endswith(STORE):
        words = "name one with --store, or as touchpoints in theodolite.toml"
        raise DataError(f"{shown(store)} is no path store, whose name ends with {STORE}: {words}")
    grown = PathStore(store, choices_of(spec, aliases))
    for log in logs:
        grown.extend(log)
    return grown.paths()


def overview(paths: "Paths", top: int) -> Json:
    """What ``theodolite attribution paths --json`` prints: counts, findings, commonest paths, lengths, lags."""
    from attribution import views

    frame = paths.to_frame(top)
    if "value" not in frame:
        frame = frame.assign(value=None)
    lags = None if paths.users is None else views.time_lags(paths).to_dict("records")
    return paths.to_dict() | {
        "paths": frame[["path", "conversions", "value", "nulls"]].to_dict("records"),
        "lengths": views.path_lengths(paths).to_dict("records"),
        "lags": lags,
    }


def credit(
    paths: "Paths", models: Sequence[str] | None = None, *, seed: int = 0, panel: "Panel | None" = None
) -> "Attribution":
    """Credit by each model; with a panel, ROAS over the journeys' own window."""
    from attribution import attribute
    from theodolite.sources import window_spend

    spend = None
    if panel is not None:
        whole = window_spend(panel, paths.window)
        spend = {name: money for name, money in whole.items() if name in paths.channels}
    return attribute(paths, models, seed=seed, spend=spend)


def attribute_files(
    touchpoints: str | None,
    paths: str | None,
    models: Sequence[str] | None,
    spec: Path | None,
    *,
    spend: str | None = None,
    seed: int = 0,
) -> "Attribution":
    """Credit for a bare file: a log of journeys or a table of aggregated paths, not both.

    Raises:
        DataError: Where none or both are given, or something in a file is wrong.
    """
    from attribution import attribute

    built = read_journeys(one_of(touchpoints, paths), spec)
    money = read_spend(spend, built.window) if spend else None
    return attribute(built, models, seed=seed, spend=money)


def audit_files(
    touchpoints: str | None, paths: str | None, spec: Path | None, *, spend: str | None = None, seed: int = 0
) -> "Audit":
    """Audit of a bare file; arguments as in `attribute_files`."""
    log = one_of(touchpoints, paths)
    money = read_spend(spend, read_journeys(log, spec).window) if spend else None
    return audit_log(log, choices_of(spec), spend=money, seed=seed)


def audit_log(
    log: str,
    choices: "PathSpec",
    *,
    spend: Mapping[str, float] | None = None,
    identities: str | None = None,
    seed: int = 0,
    spill: Path | None = None,
) -> "Audit":
    """Audit of a log.

    Raises:
        DataError: Where something in it is wrong, or it is a path store.
    """
    from attribution import audit

    if log.endswith(STORE):
        raise DataError(f"{shown(log)} keeps no events of finished journeys, so it cannot be audited: audit the logs")
    return audit(log, choices, spend=spend, identities=identities, seed=seed, spill=spill)


def one_of(touchpoints: str | None, paths: str | None) -> str:
    """The one of two files that is given.

    Raises:
        DataError: Where none or both are.
    """
    if (touchpoints is None) == (paths is None):
        raise DataError("give either --touchpoints or --paths")
    return touchpoints or paths or ""


def read_spend(file: str, window: "tuple[date, date] | None") -> dict[str, float]:
    """Money per channel (or campaign, where the paths are by campaign) within a window of days.

    Args:
        file: Csv or parquet: ``channel, spend``; with ``date``, only days within the window count.
        window: First and last day; ``None`` for everything.

    Raises:
        DataError: With everything in the file that breaks this.
    """
    from measurement.reading import source
    from measurement.reading.source import Column, Contract

    columns = (
        Column("date", "date", required=False),
        Column("channel", "text"),
        Column("spend", "number", minimum=0.0),
    )
    frame = source.read(Contract("spend", columns), file).frame
    if window is not None and "date" in frame:
        day = frame["date"].dt.date
        frame = frame[(day >= window[0]) & (day <= window[1])]
    return {str(name): float(money) for name, money in frame.groupby("channel")["spend"].sum().items()}
