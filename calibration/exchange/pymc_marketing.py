"""PyMC-Marketing: rows ``channel, x, delta_x, delta_y, sigma`` of ``MMM.add_lift_test_measurements``.

Its model compares saturation(x + delta_x) - saturation(x) with delta_y, carry-over aside. So all are averages per
period of the data: x the business-as-usual spend, delta_x the change of spend, delta_y the change of the KPI over the
whole read-out by the periods of changed spend, sigma its standard error. On a national panel x and the changes are the
whole market's. On a panel with geos there is a row per treated geo (column ``geo``, for a model with ``dims=("geo",)``)
with its share of the change: the shares of delta_y are those of delta_x, and the variances add up to the test's.

``experiment_id, start_date, end_date, cooldown_end_date, method`` go along; PyMC-Marketing ignores them.
"""

import math
from collections.abc import Sequence

import numpy as np

from calibration.estimand import said
from calibration.evidence import Evidence
from calibration.exchange.rows import Numbers, Row, kept, text
from measurement.errors import Problem
from measurement.panel import Panel
from measurement.typing import Floats

NAME = "pymc-marketing"
ABOUT = "PyMC-Marketing's lift test rows (csv)"
ALONG = ("experiment_id", "method", "start_date", "end_date", "cooldown_end_date")


def write(evidence: Sequence[Evidence], panel: Panel) -> tuple[list[Row], list[Problem]]:
    """A row per test, or per test and treated geo.

    Args:
        evidence: The tests; sigma is the widened standard error.
        panel: The study's panel.

    Returns:
        The rows, and a note for each test that has no place there.
    """
    rows: list[Row] = []
    notes = []
    for item in evidence:
        lift, national = item.lift, len(panel.geos) == 1
        if len(lift.channels) > 1 or (lift.off_panel and not national):
            why = "a row has one channel" if len(lift.channels) > 1 else "it took place in no geo of the panel"
            notes.append(said(item.experiment, "result", f"is left out: {why}", "note", "left-out"))
            continue
        usual, delta = _by_market(item, panel)
        shares = np.abs(delta) / np.abs(delta).sum()
        periods = lift.counterfactual_spend.shape[1]
        size = lift.market_share if lift.off_panel else 1.0
        per_period = 1.0 / (periods * size)
        for place, share in enumerate(shares):
            if share == 0:
                continue
            row: Row = {"channel": lift.channels[0]} | ({} if national else {"geo": lift.geos[place]})
            row |= {"x": float(usual[place] * per_period), "delta_x": float(delta[place] * per_period)}
            row |= {"delta_y": float(lift.outcome_change * share * per_period)}
            row |= {"sigma": float(item.steps[-1].std_error * math.sqrt(share) * per_period)}
            record = item.experiment.model_dump(mode="json")
            rows.append(row | {name: record[name] for name in ALONG})
    return rows, notes


def _by_market(item: Evidence, panel: Panel) -> tuple[Floats, Floats]:
    """Usual spend and its change over the test, by treated geo, each of shape (geos,)."""
    lift = item.lift
    usual = lift.counterfactual_spend.sum(axis=(1, 2))
    if lift.actual_spend is not None:
        return usual, lift.actual_spend.sum(axis=(1, 2)) - usual
    window, channels = panel.window(lift.start, lift.end), panel.channel_index(lift.channels)
    actual = panel.spend[panel.geo_index(lift.geos)][:, window][:, :, channels].sum(axis=(1, 2))
    return usual, actual - usual


def read(rows: Sequence[Row]) -> list[Row]:
    """A record per test: rows with one ``experiment_id`` are the geos of one test.

    Without ``end_date`` the caller says how long it lasted; per-period averages become totals by its whole weeks
    (``period_days`` of a row says how long a period is, 7 where it does not).

    Raises:
        DataError: Where a number is none.
    """
    numbers = Numbers()
    tests: dict[str, list[tuple[int, Row]]] = {}
    for at, row in enumerate(rows, 1):
        tests.setdefault(text(row, "experiment_id") or f"{text(row, 'channel')}-{at}", []).append((at, row))
    found = []
    for name, group in tests.items():
        first = group[0][1]
        columns = {c: [numbers.need(row, at, c) for at, row in group] for c in ("x", "delta_x", "delta_y", "sigma")}
        periods = _periods(first, group[0][0], numbers)
        geos = [str(row["geo"]) for _, row in group if row.get("geo")]
        record: Row = {"method": "scale" if geos else "conversion_lift"} | kept(first, ALONG)
        record |= {"experiment_id": name, "channel": text(first, "channel"), "treatment_geos": geos}
        record |= {"estimand": "outcome_change", "estimate": periods * sum(columns["delta_y"])}
        record |= {"std_error": periods * math.hypot(*columns["sigma"]), "source": NAME}
        record |= {"spend_delta": periods * sum(columns["delta_x"])}
        found.append(record | ({"counterfactual_spend": periods * sum(columns["x"])} if geos else {}))
    numbers.refuse()
    return found


def _periods(row: Row, at: int, numbers: Numbers) -> float:
    start, end = row.get("start_date"), row.get("end_date")
    for name, value in (("start_date", start), ("end_date", end)):
        if not value:
            numbers.lack(row, at, name)
    try:
        days = (np.datetime64(str(end)) - np.datetime64(str(start))).astype("timedelta64[D]").astype(int) + 1
    except ValueError:
        return math.nan  # the record says what is wrong with the date
    return float(days) / float(row.get("period_days") or 7)
