"""Held-back windows: stretches of the panel's own history in which a test is rehearsed, with nothing happening in them.

The earlier ones choose the sets of geos, the later ones say what the chosen sets can find: a set that looked good by
luck in the windows that chose it shows its true face in the others. No read-out is in both.
"""

from dataclasses import dataclass

from experiments.geo.case import FEWEST_PRE_PERIODS, WEEK

MOST_PLANNING, MOST_SELECTION = 10, 5
FEWEST_PLANNING = 2
ENOUGH_PLANNING = 3
"""Where so many remain, planning windows have at least half of the panel before them: with a short history synthetic
controls overfit, and a test after the whole panel finds more than such windows say (a tenth of the effect on 40 geos
and 50 periods in place of 100)."""
FOR_SELECTION = 0.3
"""Share of the rehearsable history that chooses the sets."""
LEAST_HISTORY = 0.25
"""Share of the panel that comes before the first window."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Onsets of held-back windows, in order of time.

    Attributes:
        selection: Windows that choose the sets; every read-out ends before the first planning window.
        planning: Windows that say what the chosen sets can find, by length of the read-out.
    """

    selection: tuple[int, ...]
    planning: dict[int, tuple[int, ...]]


def held_back(periods: int, lengths: tuple[int, ...]) -> Windows:
    """Lay windows over a history for designs that are searched.

    Args:
        periods: Periods of the panel.
        lengths: Lengths of the read-outs. Those that leave too few planning windows get none.
    """
    lengths = tuple(sorted(lengths))
    for most in reversed(lengths):
        first = _first(periods, most)
        border = first + max(most, round(FOR_SELECTION * (periods - first)))
        border = max(border, _late(periods, most))
        if len(_disjoint(border, periods, most)) >= FEWEST_PLANNING:
            break
    planning = {length: spread(border, periods, length) if length <= most else () for length in lengths}
    border = min((onsets[0] for onsets in planning.values() if onsets), default=border)
    stride = max(most // 2, 1)
    return Windows(tuple(range(border - most, first - 1, -stride))[:MOST_SELECTION][::-1], planning)


def spread(border: int, periods: int, length: int) -> tuple[int, ...]:
    """Planning windows from ``border`` to the end, half overlapping, the latest ten; none where two do not fit."""
    if len(_disjoint(border, periods, length)) < FEWEST_PLANNING:
        return ()
    whole = [onset for end in _disjoint(border, periods, length) for onset in (end, end - length // 2)]
    return tuple(sorted({onset for onset in whole if onset >= border})[-MOST_PLANNING:])


def all_planning(periods: int, length: int) -> tuple[int, ...]:
    """Windows for markets that were given: nothing is chosen, so all of them say what can be found."""
    return spread(max(_first(periods, length), _late(periods, length)), periods, length)


def effective(onsets: tuple[int, ...], length: int) -> float:
    """How many windows that do not overlap the given ones are worth."""
    return (onsets[-1] - onsets[0]) / length + 1 if onsets else 0.0


def start_of(onset: int, weekly: bool) -> int:
    """First period of the history, which holds whole weeks where the KPI has a weekly pattern."""
    return onset % WEEK if weekly else 0


def _first(periods: int, length: int) -> int:
    return max(FEWEST_PRE_PERIODS, length, int(LEAST_HISTORY * periods))


def _late(periods: int, length: int) -> int:
    return min(periods // 2, periods - ENOUGH_PLANNING * length)


def _disjoint(border: int, periods: int, length: int) -> range:
    return range(periods - length, border - 1, -length)
