"""Credit against cost: what a conversion cost, and what the money brought, by each model's account."""

import numpy as np
import pandas as pd

from attribution.credit import Attribution
from measurement.estimate import LEVEL
from measurement.typing import Floats


def returns(attribution: Attribution) -> pd.DataFrame:
    """ROAS and cost per conversion of every channel with spend, by model.

    Spend is that of the journeys' window. The rows are channels, or campaigns where the paths (and the spend) are by
    campaign.

    Returns:
        ``model, channel, spend, conversions, value, roas, roas_low, roas_high, cpa, cpa_low, cpa_high``. A channel
        without credit has no ``cpa``, one whose credit may be 0 no upper end of it; ``roas`` is NaN without value.
    """
    rows = []
    for name, credit in attribution.credits.items():
        for i, channel in enumerate(attribution.channels):
            spend = attribution.spend.get(channel)
            if not spend:
                continue
            worth = np.nan if credit.value is None else float(credit.value[i])
            draws = credit.value_draws
            roas_low, roas_high = _ends(np.zeros(0) if draws is None else draws[:, i] / spend)
            low, high = _ends(credit.conversions_draws[:, i])
            won = float(credit.conversions[i])
            row = {"model": name, "channel": channel, "spend": spend, "conversions": won, "value": worth}
            row |= {"roas": worth / spend, "roas_low": roas_low, "roas_high": roas_high}
            cpa, cpa_low, cpa_high = (spend / each if each > 0 else np.nan for each in (won, high, low))
            rows.append(row | {"cpa": cpa, "cpa_low": cpa_low, "cpa_high": cpa_high})
    columns = ["model", "channel", "spend", "conversions", "value"]
    columns += [f"{name}{end}" for name in ("roas", "cpa") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=columns)


def _ends(draws: Floats) -> tuple[float, float]:
    if not draws.size:
        return np.nan, np.nan
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
