"""Attribution: the models side by side, against the model and the unified view, and what journeys are like."""

from theodolite.app.blocks import Empty, Part, View
from theodolite.app.pages.ask import Ask, channel_link, linked, not_yet, notice, state_of, work
from theodolite.report import compare, journeys


def view(ask: Ask) -> View:
    """The page."""
    reading = ask.reading
    if reading.config.data.touchpoints is None:
        words = (
            "The study names no user journeys. Under [data] of theodolite.toml, touchpoints names a table of them: "
            "user_id, timestamp, channel and event."
        )
        return View("Attribution", parts=(Part("start", blocks=(Empty("No journeys", words),)),))
    if reading.attribution() is None:
        words = "Journeys are there and were not credited to channels yet."
        found = Empty("Credit the journeys", words, work(ask, ("Credit journeys by each model", "attribution")))
        return View("Attribution", parts=(Part("start", blocks=(found,)),))
    state = state_of(reading)
    if state != "ready":
        return View("Attribution", parts=(Part("start", blocks=(not_yet(ask, state),)),))
    m = reading.material(with_journeys=True)
    to = {channel.channel: channel_link(channel.channel) for channel in m.view.channels}
    against = Part.of(compare.attribution_section(m))
    blocks = tuple(linked(block, to) for block in against.blocks)
    return View(
        "Attribution",
        f"Journeys of {m.credit_window}" if m.credit_window else "",
        (
            Part(against.id, against.title, against.lead, blocks),
            *(Part.of(section) for section in journeys.sections(m.journeys)),
            *(Part.of(section) for section in journeys.checks(m.journeys)),
        ),
        notice(m),
        work(ask, ("Credit journeys again", "attribution"), strong=False),
    )
