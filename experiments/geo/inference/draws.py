"""Reference sets: the sets of geos that the draw of a test could have treated in place of the treated ones.

The rule is the record's (`Assignment`), or any set of as many geos where the record holds none. A draw that had too few
outcomes for a test at the wanted level (three pairs have eight) is stood in for by any set of as many geos; that is a
claim that geos are alike, not a fact about the draw, and is said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, comb

import numpy as np

from experiments.geo.case import Case
from experiments.records import Experiment
from measurement.errors import Problem, did_you_mean, refuse, shown
from measurement.typing import Bools, Ints

FEWEST_SETS = 40
MOST_SETS = 400


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """The sets that a test's draw could have treated.

    Attributes:
        members: Geos of each set other than the treated one, distinct, shape (sets, geos).
        recorded: Whether these are draws of the assignment on record: then the inference is exact.
        words: What they are, for readers.
        paired: Whether they are flips within matched pairs.
    """

    members: Bools
    recorded: bool
    words: str
    paired: bool = False


def needed_sets(alpha: float) -> int:
    """Distinct sets wanted for tests at ``alpha``, the treated one among them: 40 for .10, in proportion for less."""
    return max(FEWEST_SETS, ceil(FEWEST_SETS * 0.1 / alpha))


def draw_sets(case: Case, design: Experiment, alpha: float, seed: int, most: int = MOST_SETS) -> Draws:
    """Draw the reference sets of a test: all where there are few, evenly and without repeats where there are many.

    Args:
        case: The test laid over the panel.
        design: Its record.
        alpha: One minus the level of the intervals; few alternatives to the drawn set are stood in for.
        seed: Seed of the draw.
        most: At most so many sets besides the treated one.

    Returns:
        The sets; none where even any set of as many geos is one of fewer than `needed_sets`.

    Raises:
        DataError: Where the assignment on record does not fit the treated and control geos.
    """
    rng = np.random.default_rng(seed)
    needed = needed_sets(alpha)
    most = max(most, needed - 1)
    rule = _rule(design)
    note = ""
    if rule == "pairs":
        pairs = _pairs(case, design)
        if 2 ** len(pairs) >= needed:
            return Draws(
                _flips(case, pairs, most, rng), True, f"flips within the test's {len(pairs)} pairs", paired=True
            )
        note = f" ({len(pairs)} pairs have only {2 ** len(pairs)} draws, so any set stands in)"
    elif rule == "near_best":
        members, elsewhere = _candidates(case, design)
        left = f", {elsewhere} with geos that take no part here left out" if elsewhere else ""
        if len(members) + 1 >= needed:
            chosen = members if len(members) <= most else members[rng.choice(len(members), most, replace=False)]
            return Draws(chosen, True, f"the {len(members) + 1} sets that the test's draw was made from{left}")
        note = f" (the draw was made from only {len(members) + 1} sets{left}, so any set stands in)"
    size, count = len(case.treated), len(case.units)
    if rule == "uniform":
        named = _eligible(case, design)
        if comb(len(named), size) >= needed:
            return Draws(_any(case, named, most, rng), True, f"sets of {size} of the {len(named)} geos of the draw")
        note = f" (the draw had only {comb(len(named), size)} outcomes, so any set stands in)"
    if comb(count, size) < needed:
        return Draws(np.zeros((0, len(case.geos)), dtype=np.bool_), False, f"{comb(count, size)} sets{note}")
    return Draws(_any(case, case.units, most, rng), False, f"sets of {size} of the {count} geos{note}")


def _rule(design: Experiment) -> str:
    if design.assignment is not None:
        return design.assignment.rule
    return "pairs" if design.pairs else "any"


def _any(case: Case, eligible: Ints, most: int, rng: np.random.Generator) -> Bools:
    """Any set of as many of the eligible geos."""
    from itertools import combinations

    size, own = len(case.treated), frozenset(case.treated.tolist())
    if comb(len(eligible), size) - 1 <= most:
        sets: Iterable[Sequence[int]] = combinations(eligible.tolist(), size)
        return _members(case, [each for each in sets if frozenset(each) != own])
    found: dict[frozenset[int], None] = {}
    while len(found) < most:
        drawn = frozenset(rng.choice(eligible, size, replace=False).tolist())
        if drawn != own:
            found[drawn] = None
    return _members(case, [sorted(each) for each in found])


def _flips(case: Case, pairs: Ints, most: int, rng: np.random.Generator) -> Bools:
    """One geo of every pair, shape (sets, geos)."""
    count = len(pairs)
    own = np.isin(pairs[:, 1], case.treated).astype(np.int64)
    if 2**count - 1 <= most:
        sides = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        sides = sides[(sides != own).any(axis=1)]
    else:
        found: dict[tuple[int, ...], None] = {}
        while len(found) < most:
            drawn = rng.integers(0, 2, count)
            if (drawn != own).any():
                found[tuple(drawn.tolist())] = None
        sides = np.array(list(found))
    return _members(case, pairs[np.arange(count), sides].tolist())


def _members(case: Case, sets: Iterable[Sequence[int]]) -> Bools:
    rows = list(sets)
    members = np.zeros((len(rows), len(case.geos)), dtype=np.bool_)
    for row, geos in enumerate(rows):
        members[row, list(geos)] = True
    return members


def _pairs(case: Case, design: Experiment) -> Ints:
    """The pairs' rows, shape (pairs, 2); one of each is treated, and no other geo is."""
    refuse(_unknown(case, (geo for pair in design.pairs for geo in pair), "pairs"))
    rows = {name: row for row, name in enumerate(case.geos)}
    pairs = np.array([[rows[one], rows[two]] for one, two in design.pairs], dtype=np.int64)
    treated, part = np.isin(pairs, case.treated), np.isin(pairs, case.units)
    problems = [
        Problem(
            f"the pair '{shown(one)}' and '{shown(two)}' {'lies outside the test' if not whole else wrong}: one geo of "
            "each pair is treated, the other is a control",
            column="pairs",
            code="pairs",
        )
        for (one, two), count, whole in zip(design.pairs, treated.sum(axis=1), part.all(axis=1), strict=True)
        if count != 1 or not whole
        for wrong in ["has no treated geo" if count == 0 else "is treated whole"]
    ]
    lone = [case.geos[row] for row in case.treated if row not in pairs]
    problems += [Problem(f"treated geo '{shown(geo)}' is in no pair", column="pairs", code="pairs") for geo in lone]
    refuse(problems)
    return pairs


def _candidates(case: Case, design: Experiment) -> tuple[Bools, int]:
    """Distinct candidates but the treated set whose geos all take part, shape (sets, geos); how many others."""
    named = design.assignment.candidates if design.assignment else ()
    refuse(_unknown(case, (geo for each in named for geo in each), "assignment"))
    rows = {name: row for row, name in enumerate(case.geos)}
    part = set(case.units.tolist())
    sets = dict.fromkeys(frozenset(rows[geo] for geo in each) for each in named)
    own = frozenset(case.treated.tolist())
    if own not in sets:
        words = "the treated geos are none of its candidates"
        refuse([Problem(words, column="assignment", code="assignment")])
    kept = [sorted(each) for each in sets if each != own and each <= part]
    return _members(case, kept), len(sets) - 1 - len(kept)


def _eligible(case: Case, design: Experiment) -> Ints:
    """Rows that the draw was made from and that take part in this test."""
    named = design.assignment.eligible if design.assignment else ()
    if not named:
        return case.units
    refuse(_unknown(case, named, "assignment"))
    rows = {name: row for row, name in enumerate(case.geos)}
    eligible = np.intersect1d([rows[geo] for geo in named], case.units)
    strangers = [case.geos[row] for row in np.setdiff1d(case.treated, eligible)]
    refuse(
        [
            Problem(
                f"treated geo '{shown(geo)}' is not among its eligible geos", column="assignment", code="assignment"
            )
            for geo in strangers
        ]
    )
    return eligible


def _unknown(case: Case, names: Iterable[str], field: str) -> list[Problem]:
    return [
        Problem(f"unknown geo '{shown(geo)}'{did_you_mean(geo, case.geos)}", column=field, code="unknown-geo")
        for geo in dict.fromkeys(names)
        if geo not in case.geos
    ]
