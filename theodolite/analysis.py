"""Analysis of tests: what is asked, on a study's panel or on bare files, and the dossier that answers it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError, Problem
from theodolite.checking import guess_kpi, guess_period

if TYPE_CHECKING:
    from experiments import Experiment, Result
    from experiments.geo.cells import CellResults
    from measurement import Panel
    from theodolite.report.experiment import Dossier


Z90 = 1.6448536269514722


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


def read_plans(file: Path | str) -> "list[Experiment]":
    """The test that a file holds, with or without its results; or all cells of one test.

    Raises:
        DataError: Where a record is wrong, or the file holds several tests that are not cells of one.
    """
    from experiments import records

    tests = records.read(str(file), results=False)
    cells = {test.cell_of for test in tests}
    if len(tests) != 1 and (len(cells) > 1 or None in cells):
        words = f"holds {len(tests)} tests; one is analysed at a time, or the cells of one test (with one cell_of)"
        raise DataError([Problem(words, str(file))])
    return tests


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


def bare_dossier(test: "Experiment", outcome: str | None, media: str | None, asked: Asked) -> "Dossier":
    """Analyse a test on bare tables.

    Raises:
        DataError: Where a file is wrong, or record and data do not fit each other.
        DesignError: Where the test cannot be analysed.
    """
    from theodolite.report.experiment import Dossier

    own = (test.kpi,) if test.kpi else ()
    panel = read_panel(outcome, media, asked.kpis or own) if outcome else None
    return Dossier(test, panel, results=results(test, panel, asked))


def bare_cells(tests: "list[Experiment]", outcome: str, media: str | None, asked: Asked) -> "CellResults":
    """Analyse the cells of one test together on bare tables, on one KPI.

    Raises:
        DataError: Where a file is wrong, or records and data do not fit each other.
        DesignError: Where a cell cannot be analysed.
    """
    from experiments.analysis import analyse_cells

    own = asked.kpis[:1] or ((tests[0].kpi,) if tests[0].kpi else ())
    panel = read_panel(outcome, media, own)
    named = [test.model_copy(update={"kpi": panel.kpi}) for test in tests]
    return analyse_cells(panel, named, estimator=asked.estimator, alpha=asked.alpha, seed=asked.seed)


def differences(found: "CellResults") -> list[tuple[str, float, float, float]]:
    """Each pair of cells: name, difference of their relative changes, and its 90 % interval.

    The controls are shared, so the cells' errors hang together: their correlation goes into the interval (Normal).
    """
    made = []
    for i, one in enumerate(found.results):
        for j, other in enumerate(found.results[:i]):
            errors = one.relative_lift.std_error, other.relative_lift.std_error
            variance = errors[0] ** 2 + errors[1] ** 2 - 2 * float(found.correlation[i, j]) * errors[0] * errors[1]
            half = Z90 * math.sqrt(max(variance, 0.0))
            gap = one.relative_lift.estimate - other.relative_lift.estimate
            name = f"{one.experiment.experiment_id} minus {other.experiment.experiment_id}"
            made.append((name, gap, gap - half, gap + half))
    return made
