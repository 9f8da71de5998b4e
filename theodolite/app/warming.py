"""Warming: working out beforehand what the first reader of a page would otherwise wait for."""

from measurement.errors import TheodoliteError
from theodolite.app.desk import Desk
from theodolite.app.pages import plan_against, plan_ahead, plan_budget
from theodolite.app.pages.ask import Ask
from theodolite.app.who import OWNER


def warm(desk: Desk) -> None:
    """Load the study, and work out the plan page as it first stands; what is missing or wrong is left."""
    desk.warm()
    try:
        ask = Ask(desk.reading(), OWNER, {})
        for plan in ask.reading.plans():
            plan_against.came_of(ask, plan)
        periods = plan_ahead.periods_of(ask)
        plan_ahead.forecast_of(ask, periods)
        plan_budget.advised(ask, periods)
    except TheodoliteError:
        return
