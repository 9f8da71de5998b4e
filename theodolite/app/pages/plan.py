"""Plan: the best split of a budget, a scenario by sliders, the forecast, plans of record, what to test next."""

from theodolite.app.blocks import Part, View
from theodolite.app.pages import next_tests, plan_against, plan_ahead, plan_budget
from theodolite.app.pages.ask import Ask, not_yet, state_of
from theodolite.report.plan_words import UNCONVERGED


def view(ask: Ask) -> View:
    """The page."""
    reading, state = ask.reading, state_of(ask.reading)
    if state in ("no fit", "data changed"):
        plans = (plan_against.held_against(ask),) if reading.plans() else ()
        return View("Plan", parts=(Part("start", blocks=(not_yet(ask, state),)), *plans))
    periods = plan_ahead.periods_of(ask)
    made, ahead = plan_budget.advised(ask, periods), plan_ahead.forecast_of(ask, periods)
    first, last = ahead.horizon.dates[0], ahead.horizon.dates[-1]
    return View(
        "Plan",
        f"{periods} {reading.panel.period}s from {first} to {last} · {reading.panel.currency}",
        (
            plan_budget.part(ask, made, periods),
            plan_ahead.scenario(ask, periods),
            plan_ahead.outlook(ask, ahead),
            plan_against.held_against(ask),
            next_tests.short(ask),
        ),
        "" if made.converged else UNCONVERGED,
    )
