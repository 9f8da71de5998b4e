"""Analysis of a test: data and design in, `Result` out, by the method that the record names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from experiments.geo.analysis import analyse_geo
from experiments.geo.cells import CellResults, analyse_geo_cells
from experiments.records import Experiment
from experiments.records.schedules import SCHEDULED
from experiments.result import Result
from experiments.switchback.analysis import analyse_switchback
from experiments.user_level.several import holm
from measurement.errors import DataError
from measurement.panel import Panel

__all__ = ["CellResults", "analyse", "analyse_cells", "analyse_kpis", "holm"]


def analyse(
    panel: Panel, design: Experiment, *, estimator: str = "default", alpha: float = 0.1, seed: int = 0
) -> Result:
    """Analyse one test.

    Args:
        panel: KPI by geo and period; media too where iROAS is wanted and the record has no ``spend_delta``.
        design: The test. Without ``control_geos`` every other geo is a control.
        estimator: A name of the method's estimators, or ``default`` (``all`` is the same: the others always stand
            under ``alternates``).
        alpha: One minus the level of the intervals, between .01 and .5.
        seed: Seed of the draw of reference sets.

    Returns:
        The result; p-value and interval agree, and the standard error gives the 90 % interval.

    Raises:
        DataError: Where the design does not fit the data: every problem found.
        DesignError: Where the test cannot be analysed: too few geos, too little history, no way to infer.
    """
    if design.method in SCHEDULED:
        return analyse_switchback(panel, design, estimator=estimator, alpha=alpha, seed=seed)
    return analyse_geo(panel, design, estimator=estimator, alpha=alpha, seed=seed)


def analyse_kpis(
    panel: Panel,
    design: Experiment,
    kpis: Sequence[str] = (),
    *,
    estimator: str = "default",
    alpha: float = 0.1,
    seed: int = 0,
) -> Mapping[str, Result]:
    """Analyse one test on several KPIs.

    Each result stands alone, with its own interval and p-value. Whoever picks the best of them has looked several
    times: ``diagnostics["multiplicity"]`` holds the p-value after Holm (1979), below ``alpha`` for any of them with a
    probability of ``alpha`` at most where the test moved none.

    Args:
        panel: As for `analyse`.
        design: The test; its own ``kpi`` is one among the others here.
        kpis: Names of KPIs of the panel; all of them where none are named.
        estimator: As for `analyse`.
        alpha: As for `analyse`.
        seed: As for `analyse`.

    Raises:
        DataError: As `analyse`; and where a KPI is named twice.
        DesignError: As `analyse`.
    """
    names = tuple(kpis) or tuple(panel.kpis)
    if len(set(names)) < len(names):
        raise DataError(f"a KPI is named twice among {', '.join(names)}")
    found = {
        name: analyse(panel, design.model_copy(update={"kpi": name}), estimator=estimator, alpha=alpha, seed=seed)
        for name in names
    }
    adjusted = holm([result.p_value for result in found.values()])
    words = f"one of {len(names)} KPIs; whoever picks the best of them should read the adjusted p-value"
    return {
        name: replace(
            result,
            diagnostics={**result.diagnostics, "multiplicity": {"kpis": list(names), "holm_p": p, "note": words}},
        )
        for (name, result), p in zip(found.items(), adjusted, strict=True)
    }


def analyse_cells(
    panel: Panel, designs: Sequence[Experiment], *, estimator: str = "default", alpha: float = 0.1, seed: int = 0
) -> CellResults:
    """Analyse the cells of one test together: see `experiments.geo.cells.analyse_geo_cells`."""
    return analyse_geo_cells(panel, designs, estimator=estimator, alpha=alpha, seed=seed)
