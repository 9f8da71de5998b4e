"""Lift reports of platforms: one row per study, under the headings that their exports use.

Nothing of the raw data comes with them, so the grade is D unless the caller says better. The spend is what was shown to
the exposed, against nothing; the result what it brought.
"""

import re
from collections.abc import Sequence

from calibration.exchange.rows import Numbers, Row, as_number, text
from measurement.errors import Problem

NAME = "platform-lift"
ABOUT = "lift reports of platforms (csv or json)"
HEADINGS = {
    "experiment_id": ("experiment_id", "study_name", "study", "name", "test_name"),
    "channel": ("channel", "platform", "publisher"),
    "start_date": ("start_date", "start", "study_start_date", "start_time"),
    "end_date": ("end_date", "end", "study_end_date", "end_time"),
    "estimate": ("incremental_value", "incremental_sales", "incremental_revenue", "incremental_conversions", "lift"),
    "std_error": ("std_error", "standard_error"),
    "ci_lower": ("ci_lower", "lower_bound", "incremental_lower", "lower"),
    "ci_upper": ("ci_upper", "upper_bound", "incremental_upper", "upper"),
    "ci_level": ("ci_level", "confidence_level", "interval_level"),
    "spend_delta": ("spend", "amount_spent", "cost", "spend_delta"),
    "kpi": ("kpi", "metric", "objective"),
}
NUMBERS = ("estimate", "std_error", "ci_lower", "ci_upper", "ci_level", "spend_delta")
NEEDED = ("experiment_id", "channel", "start_date", "end_date", "estimate", "spend_delta")


def read(rows: Sequence[Row]) -> list[Row]:
    """A record per study.

    Raises:
        DataError: Where a study has no such field, or a number is none.
    """
    numbers, found = Numbers(), []
    for at, raw in enumerate(rows, 1):
        row = {re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"): value for name, value in raw.items()}
        record: Row = {"method": "conversion_lift", "estimand": "incremental_outcome", "grade": "D", "source": NAME}
        for field, names in HEADINGS.items():
            value = text(row, *names)
            if value is None:
                continue
            record[field] = _number(value, at, field, numbers) if field in NUMBERS else value
        for field in ("start_date", "end_date"):
            if field in record:
                record[field] = str(record[field])[:10]
        for field in NEEDED:
            if field not in record:
                words = f"row {at}: {field} is missing; its headings are {', '.join(HEADINGS[field])}"
                numbers.problems.append(Problem(words, column=field, code="missing-field"))
        found.append(record)
    numbers.refuse()
    return found


def _number(value: str, at: int, field: str, numbers: Numbers) -> float | None:
    share = value.endswith("%") and field == "ci_level"
    number = as_number(value.removesuffix("%"))
    if number is None:
        words = f"row {at}: {field}: found '{value[:40]}'; a number is needed"
        numbers.problems.append(Problem(words, column=field, code="field"))
        return None
    return number / 100 if share or (field == "ci_level" and number > 1) else number
