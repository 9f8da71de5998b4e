"""One definition each of the ratios that everybody quotes. All work on scalars and on arrays of draws alike.

Revenue means money: incremental KPI × money per unit of KPI.
"""

from measurement.typing import Floats

type Number = float | Floats


def roas(attributed_revenue: Number, spend: Number) -> Number:
    """Attributed revenue / spend. Always name its model and window beside it."""
    return attributed_revenue / spend


def iroas(incremental_revenue: Number, spend: Number) -> Number:
    """Incremental revenue / spend over a window, carry-over included."""
    return incremental_revenue / spend


def mroas(extra_revenue: Number, extra_spend: Number) -> Number:
    """Extra incremental revenue / extra spend, for a small step of spend."""
    return extra_revenue / extra_spend


def icpa(spend: Number, incremental_conversions: Number) -> Number:
    """Spend / incremental conversions; quote its median."""
    return spend / incremental_conversions


def contribution_share(contribution: Number, outcome: Number) -> Number:
    """A channel's contribution / the whole outcome."""
    return contribution / outcome


def incrementality_factor(incremental: Number, attributed: Number) -> Number:
    """Incremental / attributed: what a credited unit was really worth."""
    return incremental / attributed


def lift(incremental: Number, counterfactual: Number) -> Number:
    """Incremental / counterfactual outcome."""
    return incremental / counterfactual


def profit_roi(incremental_revenue: Number, spend: Number, margin: float) -> Number:
    """(Incremental revenue × margin - spend) / spend."""
    return (incremental_revenue * margin - spend) / spend


def break_even_iroas(margin: float) -> float:
    """The iROAS at which the margin just pays for the spend: 1 / margin."""
    return 1.0 / margin
