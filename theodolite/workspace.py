"""Make a workspace: a commented theodolite.toml for tables that are there, or for one wide table that is split."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from measurement.errors import DataError, shown
from measurement.typing import Json
from theodolite import template
from theodolite.checking import guess_kpi, guess_period
from theodolite.config import FILE_NAME


@dataclass(frozen=True)
class Made:
    """What `initialise` wrote.

    Attributes:
        folder: The workspace.
        files: Every file that was written.
        channels: Channels of the media table.
        kpi: The KPI column.
        period: Cadence of the data.
        remarks: What was decided on the way, in words.
    """

    folder: Path
    files: tuple[Path, ...]
    channels: tuple[str, ...]
    kpi: str
    period: str
    remarks: tuple[str, ...] = field(default=())

    def to_dict(self) -> Json:
        """As ``theodolite init --json`` prints it."""
        return {
            "workspace": str(self.folder),
            "files": [str(file) for file in self.files],
            "channels": list(self.channels),
            "kpi": self.kpi,
            "period": self.period,
            "remarks": list(self.remarks),
        }

    def lines(self) -> list[str]:
        """As ``theodolite init`` prints it."""
        made = [f"Wrote {file}" for file in self.files]
        found = f"Channels: {', '.join(self.channels)}. KPI: {self.kpi}. One row per {self.period}."
        return [*made, *self.remarks, found, f"Next: theodolite check --workspace {self.folder}"]


@dataclass(frozen=True)
class Settings:
    """What the user said about the study; ``None`` where nothing was said."""

    name: str | None = None
    kpi: str | None = None
    kpi_value: float | None = None
    margin: float | None = None
    currency: str = "EUR"


def initialise(
    folder: Path,
    media: str | None,
    outcome: str | None,
    wide: Path | None,
    others: Mapping[str, str | None],
    settings: Settings,
) -> Made:
    """Make a workspace.

    Args:
        folder: Its folder; made if absent.
        media: The media table; with ``outcome``, unless ``wide`` is given.
        outcome: The outcome table.
        wide: One wide table, to be split into media.csv and outcome.csv in the workspace.
        others: Files by name: experiments, touchpoints, platform.
        settings: What the user said.

    Raises:
        DataError: Where tables are missing or wrong, or the folder already is a workspace. Then nothing was written.
    """
    if (folder / FILE_NAME).exists():
        raise DataError(f"{shown(folder / FILE_NAME)} is there already; nothing was changed")
    missing = [name for name, file in others.items() if file is not None and not Path(file).exists()]
    if missing:
        raise DataError(f"there is no file {shown(others[missing[0]])} (--{missing[0]})")
    if wide is not None and (media or outcome):
        raise DataError("give either --wide, or --media and --outcome")
    if wide is not None:
        return _from_wide(folder, wide, others, settings)
    if media is None or outcome is None:
        raise DataError("give --media and --outcome, the two tables of a study, or --wide with one wide table")
    return _from_tidy(folder, media, outcome, others, settings)


def _from_tidy(folder: Path, media: str, outcome: str, others: Mapping[str, str | None], settings: Settings) -> Made:
    from measurement import tables

    sales = tables.read_outcome(outcome, [settings.kpi] if settings.kpi else []).frame
    spent = tables.read_media(media).frame
    data = {"media": media, "outcome": outcome} | {name: file for name, file in others.items() if file}
    located = {name: relative(Path(file), folder) for name, file in data.items()}
    kpi = guess_kpi(sales, settings.kpi)
    channels = tuple(sorted(spent["channel"].unique()))
    period = guess_period(sales)
    population = "population" if "population" in sales.columns else None
    left = [name for name in sales.columns if name not in ("date", "geo", kpi, population)]
    text = template.template(
        name=settings.name or folder.resolve().name,
        data=located,
        channels=channels,
        kpi=kpi,
        kpi_value=settings.kpi_value or 1.0,
        margin=settings.margin,
        currency=settings.currency,
        period=period,
        population=population,
    )
    remarks = [f"Not used yet (name them as controls if they move sales): {', '.join(left)}."] if left else []
    return Made(folder, (write_new(folder, text),), channels, kpi, period, tuple(remarks))


def _from_wide(folder: Path, table: Path, others: Mapping[str, str | None], settings: Settings) -> Made:
    from measurement import wide

    plan = wide.plan(table, kpi=settings.kpi)
    split = wide.split(table, plan)
    further = {name: relative(Path(file), folder) for name, file in others.items() if file}
    text = template.template(
        name=settings.name or folder.resolve().name,
        data={"media": "media.csv", "outcome": "outcome.csv"} | further,
        channels=tuple(plan.spend),
        kpi=plan.kpi,
        kpi_value=settings.kpi_value or 1.0,
        margin=settings.margin,
        currency=settings.currency,
        period=split.period,
        population=plan.population,
        controls=plan.controls,
        exposures={channel: tuple(columns) for channel, columns in plan.exposures.items()},
    )
    written = wide.write(split, folder)
    target = write_new(folder, text)
    return Made(folder, (*written, target), tuple(plan.spend), plan.kpi, split.period, tuple(plan.lines()))


def relative(path: Path, folder: Path) -> str:
    """``path`` as a theodolite.toml in ``folder`` should name it: relative where it can be, with forward slashes."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()


def write_new(folder: Path, text: str) -> Path:
    """Write the theodolite.toml of a new workspace; an existing one is never overwritten.

    Raises:
        DataError: Where the folder already is a workspace or cannot be written.
    """
    target = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise DataError(f"{shown(target)} is there already; nothing was changed") from None
    except OSError as error:
        raise DataError(f"{shown(target)} cannot be written: {error.strerror}") from None
    return target
