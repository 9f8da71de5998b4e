"""What is wrong with the data of a study, or of bare files, and what a model will find hard. Nothing is written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError, Problem, TheodoliteError
from theodolite import sources
from theodolite.config import Config, DataSection, StudySection

if TYPE_CHECKING:
    import pandas as pd

    from experiments import Experiment
    from measurement import Panel
    from measurement.periods import Period

type Tests = Callable[[], tuple[list[Experiment], list[Problem]]]


def check_study(folder: Path, config: Config, tests: Tests) -> list[Problem]:
    """Check everything that a study's theodolite.toml points at, and its tests."""
    found, panel = check_tables(folder, config)
    return [*found, *check_tests(tests, panel, config.aliases)]


def check_tables(folder: Path, config: Config) -> "tuple[list[Problem], Panel | None]":
    """Check the tables of a study; also returns its panel, where they make one."""
    found: list[Problem] = []
    panel = _panel(folder, config, found)
    named = config.data
    if named.platform is not None:
        _try(found, lambda: sources.platform(folder, config))
    if panel is not None:
        found += _model(panel, config)
    if named.touchpoints is not None:
        known = panel.channels if panel is not None else ()
        identities = None if named.identities is None else sources.located(folder, named.identities)
        log = sources.located(folder, named.touchpoints)
        spec = None if named.path_spec is None else Path(sources.located(folder, named.path_spec))
        found += _journeys(log, config.aliases, known, identities, folder, spec)
    return found, panel


def check_tests(tests: Tests, panel: "Panel | None", aliases: Mapping[str, str]) -> list[Problem]:
    """Check the tests of a study against its panel, where there is one."""
    records, problems = tests()
    return problems if panel is None else [*problems, *_placed(records, panel, aliases)]


def check_files(files: Mapping[str, str], *, kpi: str | None = None) -> list[Problem]:
    """Check bare files, by table name (media, outcome, touchpoints, experiments, platform); any of them alone too."""
    from experiments import records
    from measurement import tables

    found: list[Problem] = []
    panel: Panel | None = None
    if "media" in files and "outcome" in files:
        study = _try(found, lambda: _inferred(files["outcome"], kpi))
        if study is not None:
            data = DataSection(media=files["media"], outcome=files["outcome"])
            panel = _panel(Path(), Config(study=study, data=data), found)
        else:
            _try(found, lambda: tables.read_media(files["media"]))
    else:
        if "media" in files:
            _kept(found, _try(found, lambda: tables.read_media(files["media"])))
        if "outcome" in files:
            wanted = [kpi] if kpi else []
            _kept(found, _try(found, lambda: tables.read_outcome(files["outcome"], wanted)))
    if "platform" in files:
        _kept(found, _try(found, lambda: tables.read_platform(files["platform"])))
    if "experiments" in files:
        tests = _try(found, lambda: records.read(files["experiments"]))
        if tests is not None and panel is not None:
            found += _placed(tests, panel, {})
    if "touchpoints" in files:
        found += _journeys(files["touchpoints"], {}, panel.channels if panel is not None else ())
    return found


def guess_kpi(frame: "pd.DataFrame", kpi: str | None) -> str:
    """The KPI column: the one asked for, ``outcome``, or the only one there is.

    Raises:
        DataError: Where several could be meant.
    """
    columns = [name for name in frame.columns if name not in ("date", "geo", "population")]
    if kpi is not None:
        return kpi
    if "outcome" in columns or len(columns) == 1:
        return "outcome" if "outcome" in columns else columns[0]
    raise DataError(
        f"the outcome table has several columns that may be the KPI ({', '.join(columns)}): name it (--kpi)"
    )


def guess_period(frame: "pd.DataFrame") -> "Period":
    """The cadence of a table's dates; weeks where they keep none (which is then an error of its own)."""
    from measurement.periods import period_of

    return period_of(frame["date"].to_numpy().astype("datetime64[D]")) or "week"


def _inferred(outcome: str, kpi: str | None) -> StudySection:
    from measurement import tables

    frame = tables.read_outcome(outcome, [kpi] if kpi else []).frame
    return StudySection(name="check", kpi=guess_kpi(frame, kpi), period=guess_period(frame))


def _panel(folder: Path, config: Config, found: list[Problem]) -> "Panel | None":
    loaded = _try(found, lambda: sources.panel(folder, config))
    if loaded is None:
        return None
    from measurement.checks import data_checks

    found += loaded.problems
    found += data_checks(loaded.panel)
    return loaded.panel


def _model(panel: "Panel", config: Config) -> list[Problem]:
    """What keeps the study's model from being fitted to the panel."""
    from measurement.mmm.spec import check_spec

    found: list[Problem] = []
    spec = _try(found, lambda: sources.spec(panel, config))
    return found if spec is None else [*found, *check_spec(spec, panel)]


def _placed(tests: "list[Experiment]", panel: "Panel", aliases: Mapping[str, str]) -> list[Problem]:
    from calibration import evidence

    try:
        return list(evidence.gather(tests, panel, aliases)[1])
    except DataError as error:
        return list(error.problems)


def _journeys(
    source: str,
    aliases: Mapping[str, str],
    channels: tuple[str, ...],
    identities: str | None = None,
    spill: Path | None = None,
    spec: Path | None = None,
) -> list[Problem]:
    from theodolite.journeys import read_journeys

    found: list[Problem] = []
    paths = _try(found, lambda: read_journeys(source, spec, aliases, identities, channels=channels, spill=spill))
    return found + (list(paths.findings) if paths is not None else [])


def _try[T](found: list[Problem], work: Callable[[], T]) -> T | None:
    try:
        return work()
    except DataError as error:
        found += error.problems
    except TheodoliteError as error:
        found.append(Problem(str(error)))
    return None


def _kept(found: list[Problem], table: object) -> None:
    found += getattr(table, "problems", ())
