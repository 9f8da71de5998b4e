"""Plan: the best split of a budget, a scenario by sliders, the forecast, plans of record, what to test next."""

from measurement.plan.horizon import business_as_usual
from theodolite.app.blocks import Block, Part, View, Working
from theodolite.app.pages import next_tests, plan_against, plan_ahead, plan_budget
from theodolite.app.pages.ask import Ask, not_yet, state_of
from theodolite.app.pages.pieces import Piece
from theodolite.report.plan_words import UNCONVERGED


def view(ask: Ask) -> View:
    """The page."""
    reading, state = ask.reading, state_of(ask.reading)
    if state in ("no fit", "data changed"):
        plans = (plan_against.held_against(ask),) if reading.plans() else ()
        return View("Plan", parts=(Part("start", blocks=(not_yet(ask, state),)), *plans))
    periods = plan_ahead.periods_of(ask)
    days = business_as_usual(reading.panel, periods).dates
    return View(
        "Plan",
        f"{periods} {reading.panel.period}s from {days[0]} to {days[-1]} · {reading.panel.currency}",
        (
            *(piece.shown(ask) if isinstance(piece, Piece) else piece for piece in _asked(ask)),
            plan_against.held_against(ask),
            next_tests.short(ask),
        ),
        "" if reading.fitted().best.converged else UNCONVERGED,
    )


def _asked(ask: Ask) -> tuple[Piece | Part, ...]:
    periods = plan_ahead.periods_of(ask)
    return (
        plan_budget.piece(ask, periods),
        plan_ahead.scenario(ask, periods),
        plan_ahead.forecast(ask, periods),
    )


def pieces(ask: Ask) -> dict[str, Piece]:
    """What is worked out for the page as it is asked for, by the part's anchor."""
    return {piece.part.id: piece for piece in _asked(ask) if isinstance(piece, Piece)}


def now(ask: Ask) -> tuple[Block, ...]:
    """What stands in the place of a piece now; the page is to be read again where it is no longer what it was."""
    found = pieces(ask).get(ask.query.get("piece", "")) if state_of(ask.reading) in ("no view", "ready") else None
    return (Working("The study has changed", "", reload=True),) if found is None else found.now(ask)
