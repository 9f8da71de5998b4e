"""Calendar: which geos are taken when, so that no two tests meet on them.

Two tests disturb each other where a treated geo of one is a treated or control geo of the other at the same time. The
controls of a registered test are settled; those of a test that is only planned give up a geo that another one treats.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.records import Experiment
from measurement.panel import Panel
from measurement.plan.horizon import following
from measurement.typing import Dates


@dataclass(frozen=True, slots=True)
class Stretch:
    """Geos that are taken for some periods.

    Attributes:
        name: The test.
        geos: Geos that nobody else may treat meanwhile.
        treated: Those that are treated themselves.
        first: First period, 0 being the one after the panel.
        after: First period that is free again.
    """

    name: str
    geos: frozenset[str]
    treated: frozenset[str]
    first: int
    after: int


def registered(tests: Sequence[Experiment], panel: Panel) -> tuple[Stretch, ...]:
    """Tests without a result that run, or are planned, after the panel's end.

    Args:
        tests: Records.
        panel: The data.
    """
    ahead = following(panel, 1)[0].astype("datetime64[D]")
    found = []
    for test in tests:
        last = np.datetime64(test.read_out_end, "D")
        if test.has_result or test.off_panel or last < ahead:
            continue
        dates = _periods_until(panel, last)
        first = int(np.searchsorted(dates, np.datetime64(test.start_date, "D"), side="right")) - 1
        treated = frozenset(test.treatment_geos or tuple(pair[0] for pair in test.pairs) or panel.geos)
        controls = frozenset((*test.control_geos, *(pair[1] for pair in test.pairs)))
        found.append(Stretch(test.experiment_id, treated | controls, treated, max(first, 0), len(dates)))
    return tuple(found)


def free_from(treated: Sequence[str], length: int, taken: Sequence[Stretch]) -> int:
    """The first period from which some geos can be treated for so many periods without meeting another test."""
    geos = frozenset(treated)
    clashes = [stretch for stretch in taken if geos & stretch.geos]
    starts = sorted({0, *(stretch.after for stretch in clashes)})
    return next(
        start
        for start in starts
        if all(start + length <= stretch.first or start >= stretch.after for stretch in clashes)
    )


def _periods_until(panel: Panel, last: np.datetime64) -> Dates:
    """First days of the periods after the panel up to a day."""
    count = 1
    while following(panel, count)[-1].astype("datetime64[D]") < last and count < 10_000:
        count *= 2
    dates = following(panel, count).astype("datetime64[D]")
    return dates[dates <= last]
