"""From theodolite.toml to the data it points at: tables, panel, model specification, journeys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from theodolite.config import FILE_NAME, Config

if TYPE_CHECKING:
    import pandas as pd

    from experiments import Experiment
    from measurement import Panel
    from measurement.mmm import Spec
    from measurement.reading.source import Table


@dataclass(frozen=True, eq=False)
class Loaded:
    """The panel of a study and what was odd about its tables.

    Attributes:
        panel: Media and outcome.
        problems: Warnings and notes of reading.
    """

    panel: "Panel"
    problems: tuple[Problem, ...]


def located(folder: Path, name: str) -> str:
    """A path of theodolite.toml, seen from where the user stands."""
    return str(folder / name) if not Path(name).is_absolute() else name


def panel(folder: Path, config: Config) -> Loaded:
    """Read media and outcome.

    Raises:
        DataError: With every problem of both tables.
    """
    from measurement import tables
    from measurement.panel import Panel

    study = config.study
    exposures = {name: c.seen for name, c in config.channels.items() if c.seen is not None}
    pairs = {name: seen for name, seen in exposures.items() if not isinstance(seen, str)}
    columns = [column for seen in exposures.values() for column in ([seen] if isinstance(seen, str) else seen)]
    media, wrong_media = _read(
        lambda file: tables.read_media(file, columns, period=study.period),
        located(folder, config.data.media),
    )
    outcome, wrong_outcome = _read(
        lambda file: tables.read_outcome(
            file, [study.kpi], controls=config.controls, population=study.population, period=study.period
        ),
        located(folder, config.data.outcome),
    )
    if media is None or outcome is None:
        raise DataError([*wrong_media, *wrong_outcome])
    made = Panel.from_frames(
        outcome.frame,
        media.frame,
        kpi=study.kpi,
        exposures=exposures,
        population=study.population,
        controls=config.controls,
        period=study.period,
        currency=study.currency,
        kpi_value=study.kpi_value,
    )
    strangers = [
        Problem(
            f"the media table has no channel '{shown(name)}'{did_you_mean(name, made.channels)}",
            file=str(folder / FILE_NAME),
            column=f"channels.{name}",
            code="unknown-channel",
        )
        for name in config.channels
        if name not in made.channels
    ]
    refuse([*strangers, *_holidays(folder, made, config)])
    odd = [problem for name, pair in pairs.items() for problem in tables.odd_frequencies(media.frame, name, *pair)]
    return Loaded(made, (*media.problems, *odd, *outcome.problems))


def _holidays(folder: Path, panel: "Panel", config: Config) -> list[Problem]:
    """What is wrong with the study's holidays; the package of calendars is loaded only where there are any."""
    if not config.study.holidays:
        return []
    from measurement.mmm.calendar import check_holidays

    found = check_holidays(config.study.holidays, panel.geos)
    return [replace(problem, file=str(folder / FILE_NAME), column="study.holidays") for problem in found]


def _read(reader: "Callable[[str], Table]", file: str) -> "tuple[Table | None, tuple[Problem, ...]]":
    try:
        return reader(file), ()
    except DataError as error:
        return None, error.problems


def platform(folder: Path, config: Config) -> "pd.DataFrame | None":
    """What the platforms report, with channel names of the study; ``None`` where the study has no such table."""
    if config.data.platform is None:
        return None
    from measurement import tables

    frame = tables.read_platform(located(folder, config.data.platform)).frame
    return frame.assign(channel=frame["channel"].map(lambda name: config.aliases.get(name, name)))


def experiments(folder: Path, config: Config) -> "list[Experiment]":
    """The tests of the file that theodolite.toml names; none where it names none."""
    if config.data.experiments is None:
        return []
    from experiments import records

    return records.read(located(folder, config.data.experiments))


def spec(panel: "Panel", config: Config) -> "Spec":
    """The default model of the panel, and what theodolite.toml says of it and of the channels."""
    from measurement.mmm import Spec

    channels = {name: channel.model for name, channel in config.channels.items()}
    fields = config.model.model_dump(exclude_none=True)
    fields["treatments"] = {name: lever.model_dump() for name, lever in config.treatments.items()}
    return Spec.default(panel, channels=channels, holidays=config.study.holidays, **fields)


def window_spend(
    panel: "Panel", window: tuple[Any, Any] | None, geos: Sequence[str] | None = None
) -> Mapping[str, float]:
    """Money per channel over a window of days, or over the whole panel; of some geos, or of all."""
    part = panel.window(*window) if window else slice(None)
    money = panel.spend if geos is None else panel.spend[panel.geo_index(geos)]
    return dict(zip(panel.channels, money[:, part].sum(axis=(0, 1)).tolist(), strict=True))
