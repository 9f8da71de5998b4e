"""Journeys from files or from a study: to paths, to credit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError
from measurement.typing import Json

if TYPE_CHECKING:
    from datetime import date

    from attribution import Attribution, Audit, Paths
    from measurement import Panel


def read_journeys(
    source: str, spec: Path | None = None, aliases: Mapping[str, str] | None = None, identities: str | None = None
) -> "Paths":
    """A log of journeys, or a table of aggregated paths, as distinct paths."""
    from attribution import PathSpec, read_paths

    return read_paths(source, PathSpec.read(spec) if spec else None, aliases or {}, identities=identities)


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
    from attribution import PathSpec, audit, read_paths

    log = one_of(touchpoints, paths)
    choices = PathSpec.read(spec) if spec else None
    money = read_spend(spend, read_paths(log, choices).window) if spend else None
    return audit(log, choices, spend=money, seed=seed)


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
