"""Analysis of a test: data and design in, `Result` out, by the method that the record names."""

from experiments.geo.analysis import analyse_geo
from experiments.records import Experiment
from experiments.records.schedules import SCHEDULED
from experiments.result import Result
from experiments.switchback.analysis import analyse_switchback
from measurement.panel import Panel


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
