"""Meridian: arguments of ``CalibrationBuilder.with_incrementality_experiment_result``, one object per channel.

The point estimate is a ROI (revenue per money), the total spend what the channel usually spends while the test lasts,
in its place. Meridian turns them into a prior on the ROI, so a test of several channels and one that is significantly
negative (its 95 % interval below 0) have no place there.
"""

from collections.abc import Sequence
from typing import Any

from calibration.estimand import said
from calibration.evidence import Evidence
from calibration.exchange.rows import Numbers, Row
from measurement.errors import DataError, Problem
from measurement.panel import Panel

NAME = "meridian"
ABOUT = "Meridian's CalibrationBuilder arguments (json)"
LISTS = (
    "point_estimates",
    "standard_errors",
    "experiment_kpi_types",
    "experiment_total_spends",
    "experiment_start_dates",
    "experiment_end_dates",
)
Z95 = 1.96


def write(evidence: Sequence[Evidence], panel: Panel) -> tuple[list[Row], list[Problem]]:
    """One object of arguments per channel, its tests in lists.

    Args:
        evidence: The tests; the standard error is the widened one.
        panel: The study's panel.

    Returns:
        The objects, and a note for each test that Meridian does not take.
    """
    found: dict[str, Row] = {}
    notes = []
    for item in evidence:
        reason = _unfit(item)
        if reason or item.iroas is None:
            notes.append(said(item.experiment, "result", f"is left out: {reason}", "note", "left-out"))
            continue
        row = found.setdefault(
            item.lift.channels[0], {"channel_name": item.lift.channels[0]} | {name: [] for name in LISTS}
        )
        usual = float(item.lift.part * item.lift.counterfactual_spend.sum())
        values = (item.iroas.median, item.iroas.sd, "revenue", usual, str(item.lift.start), str(item.lift.end))
        for name, value in zip(LISTS, values, strict=True):
            row[name].append(value)
    return list(found.values()), notes


def read(rows: Sequence[Row]) -> list[Row]:
    """Each test as a return on all that the channel spent while it lasted, against nothing.

    Args:
        rows: The objects; a field may hold one value or a list.

    Raises:
        DataError: Where lists have different lengths, or a number is none.
    """
    numbers, found = Numbers(), []
    for at, row in enumerate(rows, 1):
        columns = {name: _listed(row.get(name)) for name in LISTS}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1 or "channel_name" not in row:
            words = "needs channel_name and lists of one length: " + ", ".join(LISTS)
            raise DataError([Problem(f"row {at}: {words}", code="field")])
        for i in range(lengths.pop()):
            single = {name: values[i] for name, values in columns.items()}
            kind = single["experiment_kpi_types"]
            spend = numbers.need(single, at, "experiment_total_spends")
            found.append(
                {
                    "experiment_id": row.get("experiment_id", f"{row['channel_name']}-{i + 1}"),
                    "channel": row["channel_name"],
                    "method": "conversion_lift",
                    "start_date": str(single["experiment_start_dates"])[:10],
                    "end_date": str(single["experiment_end_dates"])[:10],
                    "spend_delta": spend,
                    **_result(single, at, spend, kind, numbers),
                    "source": NAME,
                }
            )
    numbers.refuse()
    return found


def _result(single: Row, at: int, spend: float, kind: Any, numbers: Numbers) -> Row:
    estimate, error = (numbers.need(single, at, name) for name in ("point_estimates", "standard_errors"))
    if kind == "non-revenue":  # incremental KPI per money
        return {"estimand": "incremental_outcome", "estimate": estimate * spend, "std_error": error * spend}
    return {"estimand": "iroas", "estimate": estimate, "std_error": error}


def _unfit(item: Evidence) -> str:
    if len(item.lift.channels) > 1:
        return "Meridian takes one channel per test"
    if item.iroas is None:
        return "it moved no money"
    if item.lift.counterfactual_spend.sum() <= 0:
        return "nothing would have been spent without it, and Meridian needs the usual spend"
    if item.iroas.median + Z95 * item.iroas.sd < 0:
        return "Meridian refuses a significantly negative result"
    return ""


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
