"""GeoLift: what its ``GeoLift()`` returns in R (``$inference``, ``$incremental``, the locations) as a table.

``ATT`` is the effect per location and period, and so are the ends of its interval; ``incremental`` is the effect over
all of them, so that their ratio is the number of locations times periods. GeoLift knows time as a count: dates, the
channel and the change of spend are the caller's to give.
"""

import math
import re
from collections.abc import Sequence

from calibration.exchange.rows import Numbers, Row, as_number, kept, text
from measurement.errors import Problem

NAME = "geolift"
ABOUT = "GeoLift's inference (csv or json)"
NAMES = {
    "att": "ATT",
    "incremental": "incremental",
    "lower_conf_int": "Lower.Conf.Int",
    "upper_conf_int": "Upper.Conf.Int",
    "locations": "locations",
    "pvalue": "pvalue",
}
RECORD = (
    "experiment_id",
    "channel",
    "method",
    "start_date",
    "end_date",
    "cooldown_end_date",
    "spend_delta",
    "ci_level",
)


def read(rows: Sequence[Row]) -> list[Row]:
    """A record per row; without an interval the standard error is what the two-sided p-value implies.

    Raises:
        DataError: Where a number is none.
    """
    numbers, found = Numbers(), []
    for at, raw in enumerate(rows, 1):
        row = {re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"): value for name, value in raw.items()}
        att, total = numbers.need(row, at, "att"), numbers.need(row, at, "incremental")
        cells = total / att if att else math.nan
        if not cells > 0:
            words = f"row {at}: incremental is {total:g} and ATT {att:g}; both have one sign and are not 0"
            numbers.problems.append(Problem(words, column="incremental", code="field"))
        record: Row = {"experiment_id": f"geolift-{at}", "method": "scale", "source": NAME} | kept(row, RECORD)
        record |= {"estimand": "outcome_change", "estimate": total} | _error(row, at, total, cells, numbers)
        places = row.get("locations")
        if places:
            named = places if isinstance(places, list) else re.split(r"\s*[,;]\s*", str(places))
            record["treatment_geos"] = [str(name).strip() for name in named]
        if not text(record, "channel"):
            numbers.lack(record, at, "channel")
        found.append(record)
    numbers.refuse()
    return found


def _error(row: Row, at: int, total: float, cells: float, numbers: Numbers) -> Row:
    low, high, p = (as_number(row.get(name)) for name in ("lower_conf_int", "upper_conf_int", "pvalue"))
    if low is not None and high is not None:
        return {"ci_lower": low * cells, "ci_upper": high * cells}
    if p is not None and 0 < p < 1:
        from scipy import stats

        return {"std_error": abs(total) / float(stats.norm.isf(p / 2))}
    numbers.lack(row, at, "lower_conf_int")
    return {}
