"""Analysis of tests: what is asked, on a study's panel or on bare files, and the dossier that answers it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError, Problem
from theodolite.checking import guess_kpi, guess_period

if TYPE_CHECKING:
    from experiments import Experiment, Result
    from measurement import Panel
    from theodolite.report.experiment import Dossier


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an analysis.

    Attributes:
        kpis: The KPIs, the one that decides first; the record's own, or the panel's, where none is named.
        estimator: Name of the estimator, or ``default``.
        alpha: One minus the level of the intervals.
        seed: Seed of everything random.
        users: Table of users, for a test on users.
        denominator: Its column that a ratio divides by.
    """

    kpis: tuple[str, ...] = ()
    estimator: str = "default"
    alpha: float = 0.1
    seed: int = 0
    users: str | None = None
    denominator: str | None = None


def read_plan(file: Path | str) -> "Experiment":
    """The one test that a file holds, with or without its results.

    Raises:
        DataError: Where the record is wrong, or the file does not hold exactly one.
    """
    from experiments import records

    tests = records.read(str(file), results=False)
    if len(tests) != 1:
        raise DataError([Problem(f"holds {len(tests)} tests, exactly one is taken at a time", str(file))])
    return tests[0]


def read_panel(
    outcome: str, media: str | None = None, kpis: Sequence[str] = (), *, currency: str = "EUR", kpi_value: float = 1.0
) -> "Panel":
    """The panel of an outcome table, and of a media table where there is one; the first KPI is the panel's own.

    Raises:
        DataError: Where a table is wrong, or it is not clear which column is the KPI.
    """
    from measurement import tables
    from measurement.panel import Panel

    frame = tables.read_outcome(outcome, kpis).frame
    spent = tables.read_media(media).frame if media else None
    kpi = guess_kpi(frame, kpis[0] if kpis else None)
    return Panel.from_frames(frame, spent, kpi=kpi, period=guess_period(frame), currency=currency, kpi_value=kpi_value)


def results(test: "Experiment", panel: "Panel | None", asked: Asked, currency: str = "EUR") -> "tuple[Result, ...]":
    """Analyse one test, by each KPI that is asked for.

    Raises:
        DataError: Where data and record do not fit each other.
        DesignError: Where the test cannot be analysed.
    """
    how, alpha, seed = asked.estimator, asked.alpha, asked.seed
    if asked.users is not None:
        from experiments.user_level import analyse_users, read_users

        users = read_users(asked.users, asked.kpis, denominator=asked.denominator)
        return tuple(
            analyse_users(users, test, kpi=kpi, estimator=how, alpha=alpha, seed=seed, currency=currency)
            for kpi in asked.kpis or (None,)
        )
    if panel is None:
        raise DataError("an outcome table is needed: the KPI by date and geo")
    from experiments.analysis import analyse, analyse_kpis

    if len(asked.kpis) > 1:
        return tuple(analyse_kpis(panel, test, asked.kpis, estimator=how, alpha=alpha, seed=seed).values())
    named = test.model_copy(update={"kpi": asked.kpis[0]}) if asked.kpis else test
    return (analyse(panel, named, estimator=how, alpha=alpha, seed=seed),)


def bare_dossier(experiment: Path, outcome: str | None, media: str | None, asked: Asked) -> "Dossier":
    """Analyse the test of a record on bare tables.

    Raises:
        DataError: Where a file is wrong, or the record is not one test.
        DesignError: Where the test cannot be analysed.
    """
    from theodolite.report.experiment import Dossier

    test = read_plan(experiment)
    own = (test.kpi,) if test.kpi else ()
    panel = read_panel(outcome, media, asked.kpis or own) if outcome else None
    return Dossier(test, panel, results=results(test, panel, asked))
