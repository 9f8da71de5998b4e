"""Analysis of a geo test from bare files."""

from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError, Problem
from theodolite.checking import guess_kpi, guess_period

if TYPE_CHECKING:
    from experiments import Result


def analyse_files(
    outcome: str,
    experiment: Path,
    media: str | None = None,
    kpi: str | None = None,
    *,
    estimator: str = "default",
    alpha: float = 0.1,
    seed: int = 0,
) -> "Result":
    """Analyse one geo test: an outcome table, a record without its results, and the media table where there is one.

    Raises:
        DataError: Where a file is wrong, or the record is not one test.
        DesignError: Where the test cannot be analysed.
    """
    from experiments import analyse, records
    from measurement import tables
    from measurement.panel import Panel

    tests = records.read(str(experiment), results=False)
    if len(tests) != 1:
        raise DataError([Problem(f"holds {len(tests)} tests, exactly one is analysed at a time", str(experiment))])
    test = tests[0].model_copy(update={"kpi": kpi}) if kpi else tests[0]
    frame = tables.read_outcome(outcome, [test.kpi] if test.kpi else []).frame
    spent = tables.read_media(media).frame if media else None
    panel = Panel.from_frames(frame, spent, kpi=guess_kpi(frame, test.kpi), period=guess_period(frame))
    return analyse(panel, test, estimator=estimator, alpha=alpha, seed=seed)
