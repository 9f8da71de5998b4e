"""Analysis of a test on users: sums and design in, `Result` out."""

from experiments.records import Experiment
from experiments.result import Result
from experiments.user_level.users import Users


def analyse_users(
    users: Users,
    design: Experiment,
    *,
    kpi: str | None = None,
    estimator: str = "default",
    alpha: float = 0.1,
    seed: int = 0,
    kpi_value: float | None = None,
    currency: str = "EUR",
) -> Result:
    """Analyse one test on users.

    Args:
        users: From `read_users`.
        design: The test: method ``conversion_lift``, ``ghost_ads`` or ``psa``.
        kpi: The KPI; the record's where ``None``, or the only one of the table.
        estimator: ``welch``, ``cuped``, ``ratio``, ``score``, ``treatment_on_treated``, or ``default``.
        alpha: One minus the level of the intervals, between .01 and .5.
        seed: Taken as every analysis takes one; nothing here is random.
        kpi_value: Money per unit of KPI; ``None`` is 1, or no money at all for a KPI of 0 and 1.
        currency: Of all money.

    Raises:
        DataError: Where the design does not fit the data.
        DesignError: Where the test cannot be analysed.
    """
    raise NotImplementedError
