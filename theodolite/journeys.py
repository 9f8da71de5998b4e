"""Journeys from files or from a study: to paths, to credit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError
from measurement.typing import Json

if TYPE_CHECKING:
    from attribution import Attribution, Paths
    from measurement import Panel


def read_journeys(
    source: str, spec: Path | None = None, aliases: Mapping[str, str] | None = None, identities: str | None = None
) -> "Paths":
    """A log of journeys, or a table of aggregated paths, as distinct paths."""
    from attribution import PathSpec, read_paths

    return read_paths(source, PathSpec.read(spec) if spec else None, aliases or {}, identities=identities)


def overview(paths: "Paths", top: int) -> Json:
    """The plain values that ``theodolite attribution paths --json`` prints: counts, findings, the commonest paths."""
    frame = paths.to_frame(top)
    if "value" not in frame:
        frame = frame.assign(value=None)
    return paths.to_dict() | {"paths": frame[["path", "conversions", "value", "nulls"]].to_dict("records")}


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
    touchpoints: str | None, paths: str | None, models: Sequence[str] | None, spec: Path | None, *, seed: int = 0
) -> "Attribution":
    """Credit for a bare file: a log of journeys or a table of aggregated paths, not both.

    Raises:
        DataError: Where none or both are given, or something in the file is wrong.
    """
    if (touchpoints is None) == (paths is None):
        raise DataError("give either --touchpoints or --paths")
    return credit(read_journeys(touchpoints or paths or "", spec), models, seed=seed)
