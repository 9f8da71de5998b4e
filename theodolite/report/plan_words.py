"""Plans in sentences, for the command line and for pages."""

from typing import TYPE_CHECKING

from theodolite.report.words import percent

if TYPE_CHECKING:
    from measurement.plan.budget import Budget, Move, Target

NO_MARGIN = "theodolite.toml gives no margin: profit is counted as revenue less spend (margin 1)."
UNCONVERGED = "The fit has NOT converged: do not decide on these numbers."
SURE = 0.9
OFF = 0.05


def targeted(found: "Budget", target: "Target") -> str:
    """Up to which return money is spent, and what keeps the plan from it."""
    money, per = found.currency, f"{target.least:g} {found.currency} per {found.currency}"
    if target.of == "iroas":
        kept = float(found.revenue.mean / found.total) if found.total > 0 else 0.0
        said = f"Money is spent as long as the whole plan returns {per} or more in expectation; it returns {kept:.2f}."
    else:
        said = f"Money is spent as long as the next money of a channel returns {per} or more in expectation."
    if found.total >= target.most * (1 - 1e-6):
        return f"{said} More would still return enough: {target.most:,.0f} {money} is the most that may be spent."
    if target.of == "iroas":
        return said
    names = {
        more: [
            _named(m) for m in found.moves if m.held is None and more * (m.mroas_advised.mean / target.least - 1) > OFF
        ]
        for more in (1, -1)
    }
    if names[1]:
        said += f" Your limits stop {', '.join(names[1])}, where the next money would return more."
    if names[-1]:
        said += f" Your limits hold {', '.join(names[-1])} where the next money returns less."
    return said


def _named(move: "Move") -> str:
    return move.channel if move.geo is None else f"{move.channel} in {move.geo}"


def proof(found: "Budget") -> str:
    """How far from the best the plan can be, in words."""
    if found.gap < 1e-3:
        return "No other split within the limits is better by as much as a thousandth, if the model's curves hold."
    gap = percent(found.gap, 1)
    return f"A split within the limits might be better by up to {gap}: the search was stopped before its end."


def cautions(found: "Budget", with_margin: bool) -> list[str]:
    """What to know before acting on it."""
    said = [f"{name} stays as it is: {why}. Resolve that first." for name, why in _held(found).items()]
    beyond = list(dict.fromkeys(move.channel for move in found.moves if move.extrapolates))
    if beyond:
        said.append(
            f"Beyond what was ever spent in a period: {', '.join(beyond)}. There the curve is the model's guess; go in "
            "steps, or test."
        )
    unsure = [m.channel for m in found.moves if m.sign_holds is not None and m.sign_holds < SURE]
    if unsure:
        said.append(f"Not sure of the direction (below {percent(SURE)}): {', '.join(dict.fromkeys(unsure))}.")
    if not with_margin:
        said.append(NO_MARGIN)
    return said


def _held(found: "Budget") -> dict[str, str]:
    return {move.channel: move.held for move in found.moves if move.held is not None}
