"""Clash: whether any set of geos meets all rules, and if none does, which rules cannot hold together.

Both are decided by an integer program (HiGHS through `scipy.optimize.milp`), not by search. The clash is found by the
deletion filter (Chinneck and Dravnieks 1991): every rule that the others do without is dropped, until none can be.
"""

from collections.abc import Sequence

import numpy as np

from experiments.planning.rules import Rule
from measurement.errors import DesignError
from measurement.typing import Bools, Floats

LONGEST = 20.0
"""Seconds for one integer program; those here take milliseconds."""
SHOWN_ALIKE = 3

_INFEASIBLE = 2


def find(rules: Sequence[Rule], geos: int, objective: Floats | None = None) -> Bools | None:
    """A set of geos that meets all rules.

    Args:
        rules: The rules.
        geos: How many geos there are.
        objective: Weights of the variables, of which the sum is made least, shape (3 * geos + 1,).

    Returns:
        Treated geos, shape (geos,), or ``None`` where no set meets the rules.

    Raises:
        DesignError: Where that is not decided in `LONGEST` seconds.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix, low, high = _structure(geos)
    matrix = np.vstack([matrix, *(rule.matrix for rule in rules)])
    low, high = (np.concatenate([end, *(getattr(rule, side) for rule in rules)]) for end, side in _sides(low, high))
    whole = np.ones(3 * geos + 1, dtype=np.int64)
    whole[geos : 2 * geos] = 0  # given who is treated, the most controls are a vertex of whole numbers
    solution = milp(
        np.zeros(3 * geos + 1) if objective is None else objective,
        integrality=whole,
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix, low, high),
        options={"time_limit": LONGEST},
    )
    if solution.status == _INFEASIBLE:
        return None
    if solution.x is None:
        raise DesignError("whether any set of geos meets all that is asked was not decided in time: ask for less")
    return np.asarray(solution.x[:geos] > 0.5)


def clash(rules: Sequence[Rule], geos: int) -> list[Rule]:
    """Of rules that cannot hold together, a subset that cannot either, and could without any one of it."""
    kept = list(rules)
    for field in dict.fromkeys(rule.field for rule in rules):
        without = [rule for rule in kept if rule.field != field]
        if find(without, geos) is None:
            kept = without
    for rule in list(kept):
        without = [each for each in kept if each is not rule]
        if find(without, geos) is None:
            kept = without
    return kept


def explained(rules: Sequence[Rule], geos: int) -> str:
    """Which rules clash, with numbers, and what would make all of them hold."""
    core = clash(rules, geos)
    lines = []
    for alike in _alike(core):
        words = "; ".join(rule.words for rule in alike[:SHOWN_ALIKE])
        rest = f"; and {len(alike) - SHOWN_ALIKE} more of this kind" if len(alike) > SHOWN_ALIKE else ""
        lines.append(f"  {alike[0].field}: {words}{rest}" if alike[0].field else f"  {words}{rest}")
    advice = _advice(rules, core, geos)
    if advice:
        lines.append(f"{'any of these' if len(advice) > 1 else 'this'} would help: {'; '.join(advice)}")
    what = "this cannot hold" if len(core) == 1 else "these cannot hold together"
    return "\n".join([f"no set of geos meets all that is asked; {what}:", *lines])


def relaxed(rules: Sequence[Rule], geos: int) -> list[str]:
    """What to ask instead so that rules that cannot hold together would; nothing where no one change is enough."""
    return list(dict.fromkeys(filter(None, (_instead(rule, rules, geos) for rule in clash(rules, geos)))))


def _alike(core: Sequence[Rule]) -> list[list[Rule]]:
    """Rules about names by field, a rule about a quantity alone."""
    groups: dict[object, list[Rule]] = {}
    for rule in core:
        groups.setdefault(rule.field if rule.measured is None else rule, []).append(rule)
    return list(groups.values())


def _advice(rules: Sequence[Rule], core: Sequence[Rule], geos: int) -> list[str]:
    """What would make all rules hold: another bound, a name less, or else fewer names in one field.

    Where nothing of that is enough, what would make the clash go away, though not all that is wrong.
    """
    found = list(dict.fromkeys(filter(None, (_instead(rule, rules, geos) for rule in core))))
    if len(found) > 2 * SHOWN_ALIKE or not found:
        fields = dict.fromkeys(rule.field for rule in core if rule.field and rule.measured is None)
        without = {field: [rule for rule in rules if rule.field != field] for field in fields}
        found = [f"name fewer geos in {field}" for field in fields if find(without[field], geos) is not None] or found
    if not found:
        found = list(dict.fromkeys(filter(None, (_instead(rule, core, geos) for rule in core))))[:SHOWN_ALIKE]
        found = [f"{each} (and more is wrong besides)" for each in found]
    return found


def _instead(rule: Rule, rules: Sequence[Rule], geos: int) -> str | None:
    """What to ask in place of one rule, so that all others hold; ``None`` where nothing would do."""
    if rule.advice is None:
        return None
    objective = None
    if rule.measured is not None:
        objective = rule.measured if rule.bounded_above else -rule.measured
    treated = find([each for each in rules if each is not rule], geos, objective)
    if treated is None:
        return None
    return rule.advice(0.0 if rule.measured is None else float(rule.measured[:geos] @ treated))


def _structure(geos: int) -> tuple[Floats, Floats, Floats]:
    """What holds without being asked: one arm at most for each geo, one geo treated at least, one size."""
    one, none, count = np.eye(geos), np.zeros(geos), np.arange(geos + 1.0)
    rows = [
        np.hstack([one, one, np.zeros((geos, geos + 1))]),
        np.hstack([np.ones(geos), none, np.zeros(geos + 1)])[None],
        np.hstack([np.ones(geos), none, -count])[None],
        np.hstack([none, none, np.ones(geos + 1)])[None],
    ]
    low = np.concatenate([np.full(geos, -np.inf), [1.0, 0.0, 1.0]])
    high = np.concatenate([np.ones(geos), [geos, 0.0, 1.0]])
    return np.vstack(rows), low, high


def _sides(low: Floats, high: Floats) -> tuple[tuple[Floats, str], tuple[Floats, str]]:
    return (low, "low"), (high, "high")
