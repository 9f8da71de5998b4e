"""Robyn: ``calibration_input``, one row per test.

Robyn sets what its model says a channel brought between two dates, in the whole market, against ``liftAbs``. So liftAbs
is the test's return times all that the channels spent there between these dates, in units of the KPI; ``spend`` is that
money, ``confidence`` one less the test's p-value (the error does not go along otherwise), several channels are joined
by ``+``, and the scope is ``total``: our read-outs hold the carry-over.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from calibration.estimand import said
from calibration.evidence import Evidence
from calibration.exchange.rows import Numbers, Row, text
from measurement.errors import Problem
from measurement.panel import Panel

NAME = "robyn"
ABOUT = "Robyn's calibration_input (csv)"
SUREST = 1 - 1e-9
"""A confidence of 1 would say that there is no error at all."""


def write(evidence: Sequence[Evidence], panel: Panel) -> tuple[list[Row], list[Problem]]:
    """A row per test within the panel.

    Args:
        evidence: The tests.
        panel: The study's panel; its KPI is the ``metric``.

    Returns:
        The rows, and a note for each test that has no place there.
    """
    rows: list[Row] = []
    notes = []
    for item in evidence:
        lift, moved = item.lift, float(item.spend_delta.sum())
        if lift.off_panel or moved == 0:
            why = "its dates or market are not the panel's" if lift.off_panel else "it moved no money"
            notes.append(said(item.experiment, "result", f"is left out: {why}", "note", "left-out"))
            continue
        window = panel.window(lift.start, lift.end)
        spend = float(panel.spend[:, window][:, :, panel.channel_index(lift.channels)].sum())
        z = lift.outcome_change / item.steps[-1].std_error
        rows.append(
            {
                "channel": "+".join(lift.channels),
                "liftStartDate": str(lift.start),
                "liftEndDate": str(lift.end),
                "liftAbs": lift.outcome_change / moved * spend,
                "spend": spend,
                "confidence": min(float(1 - 2 * stats.norm.sf(abs(z))), SUREST),
                "metric": panel.kpi,
                "calibration_scope": "total",
            }
        )
    return rows, notes


def read(rows: Sequence[Row]) -> list[Row]:
    """A record per row: what all of the money brought, against nothing.

    The standard error follows from the confidence: liftAbs over the Normal quantile that a two-sided test at it needs.

    Raises:
        DataError: Where a number is none, or a confidence says nothing of the error.
    """
    numbers, found = Numbers(), []
    for at, row in enumerate(rows, 1):
        lift, spend, sure = (numbers.need(row, at, name) for name in ("liftAbs", "spend", "confidence"))
        if not 0 < sure < 1 and not math.isnan(sure):
            words = f"row {at}: confidence: found {sure:g}; it lies between 0 and 1, as 1 less the p-value"
            numbers.problems.append(Problem(words, column="confidence", code="field"))
            sure = np.nan
        channel = text(row, "channel") or ""
        if not channel:
            numbers.lack(row, at, "channel")
        start = text(row, "liftStartDate")
        record: Row = {
            "experiment_id": text(row, "experiment_id") or f"{channel}-{start}",
            "channel": channel.split("+"),
            "method": "conversion_lift",
            "start_date": start,
            "end_date": text(row, "liftEndDate"),
            "estimand": "incremental_outcome",
            "estimate": lift,
            "std_error": abs(lift) / float(stats.norm.ppf((1 + sure) / 2)),
            "spend_delta": spend,
            "kpi": text(row, "metric"),
            "source": NAME,
        }
        found.append({name: value for name, value in record.items() if value is not None})
    numbers.refuse()
    return found
