"""References where the draw itself gives none: any sets of as many geos, or the test's own history."""

from dataclasses import replace
from math import comb

import numpy as np

from experiments.geo.case import Case
from experiments.geo.estimators import DEFAULT, ESTIMATORS
from experiments.geo.inference import infer
from experiments.geo.inference.draws import MOST_SETS, Draws, needed_sets
from experiments.geo.inference.self_calibration import self_calibrate
from experiments.planning.power import Rehearsal, Stage, rehearse
from measurement.panel import Panel
from measurement.typing import Bools


def stood_in(
    panel: Panel, stage: Stage, draws: Bools, units: Bools, onsets: tuple[int, ...], length: int, seed: int
) -> tuple[Rehearsal, str]:
    """Rehearse sets whose draw was made from too few sets, or was none.

    The analysis takes any set of as many of the geos that take part as a reference; where even those are too few, it
    looks along time.

    Args:
        panel: The panel, for its dates and names.
        stage: Where to rehearse.
        draws: Sets that may be treated, all of one size, shape (draws, geos).
        units: Geos that take part, shape (geos,).
        onsets: First periods of the windows.
        length: Periods of the read-out.
        seed: Seed of the draw of references.

    Returns:
        The rehearsal, and how the test will be analysed.
    """
    size, count = int(draws[0].sum()), int(units.sum())
    if comb(count, size) < needed_sets(stage.alpha):
        words = f"over time, because {count} geos have only {comb(count, size)} sets of {size}"
        return _over_time(panel, stage, draws, units, onsets, length), words
    known = {each.tobytes() for each in draws}
    found: dict[bytes, Bools] = {}
    rng, rows = np.random.default_rng(seed), np.flatnonzero(units)
    most = min(MOST_SETS, comb(count, size) - len(draws))
    while len(found) < most:
        drawn = np.zeros(len(units), dtype=np.bool_)
        drawn[rng.choice(rows, size, replace=False)] = True
        if drawn.tobytes() not in known:
            found[drawn.tobytes()] = drawn
    sets = np.vstack([draws, *found.values()])
    beside = np.arange(len(sets)) >= len(draws)
    words = f"randomisation test beside any set of {size} of the {count} geos, as if the treated ones had been drawn so"
    inflation = _inflation(panel, stage, sets, units, length) if len(draws) == 1 else 1.0
    if inflation > 1.0:
        words += f"; intervals are {inflation:.2f} times as wide, because these geos moved on their own in the past"
    return rehearse(replace(stage, inflation=inflation), sets, units, beside, onsets, length), words


def _inflation(panel: Panel, stage: Stage, sets: Bools, units: Bools, length: int) -> float:
    """What the analysis' self-calibration will ask of a test of the first set that begins after the panel."""
    periods = stage.outcome.shape[1]
    case = _case(panel, stage, sets[0], units, periods, length)
    return self_calibrate(case, sets[1:], ESTIMATORS[DEFAULT], inflate=True).inflation


def _over_time(
    panel: Panel, stage: Stage, draws: Bools, units: Bools, onsets: tuple[int, ...], length: int
) -> Rehearsal:
    """The analysis' own inference over time, in every window; its interval without an effect gives the thresholds."""
    nobody = Draws(np.zeros((0, len(units)), dtype=np.bool_), False, "no sets")
    table = np.zeros((4, len(onsets), len(draws)))
    for row, onset in enumerate(onsets):
        for column, drawn in enumerate(draws):
            case = _case(panel, stage, drawn, units, onset, length)
            found = infer(case, nobody, ESTIMATORS[DEFAULT], stage.alpha, thorough=False)
            low, high = found.total.interval(stage.alpha)
            usual = float(np.abs(found.fit.observed[found.fit.pre_length :].mean()))
            table[:, row, column] = max(-low, 0.0), max(high, 0.0), found.fit.effect, found.fit.pre_error
            table[:, row, column] /= usual
    up, down, gaps, errors = table
    ahead, back = (up, down) if stage.sign > 0 else (down, up)
    return Rehearsal(ahead, back, gaps, errors, onsets, length)


def _case(panel: Panel, stage: Stage, treated: Bools, units: Bools, onset: int, length: int) -> Case:
    """A test of the treated geos against all other units as the analysis sees it."""
    end = onset + length
    return Case(
        outcome=stage.outcome,
        dates=panel.dates,
        geos=panel.geos,
        treated=np.flatnonzero(treated),
        controls=np.flatnonzero(units & ~treated),
        onset=onset,
        cooldown=end,
        end=end,
        weekly=stage.weekly,
        notes=(),
    )
