"""Warming: working out beforehand what the first reader of a page would otherwise wait for."""

from contextlib import suppress

from measurement.errors import TheodoliteError
from theodolite.app.desk import Desk
from theodolite.app.pages import attribution, channel, experiments, model, overview, plan
from theodolite.app.pages.ask import Ask
from theodolite.app.who import OWNER


def warm(desk: Desk) -> None:
    """Load the study, and draw its pages as they first stand; what is missing or wrong is left."""
    desk.warm()
    try:
        ask = Ask(desk.reading(), OWNER, {})
        channels = ask.reading.panel.channels
    except TheodoliteError:
        return
    pages = (overview.view, plan.view, model.view, attribution.view, experiments.view)
    asked = [(view, ask) for view in pages] + [(channel.view, Ask(ask.reading, OWNER, {"name": c})) for c in channels]
    with suppress(TheodoliteError):
        for piece in plan.pieces(ask).values():
            piece.made(ask, patience=None)
    for view, each in asked:
        with suppress(TheodoliteError):
            view(each)
