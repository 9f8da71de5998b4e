"""Attribution: the models side by side, against the model and the unified view, and what journeys are like."""

from theodolite.app.blocks import Empty, Part, View
from theodolite.app.pages.ask import Ask, channel_link, kept_parts, linked, not_yet, notice, state_of, work
from theodolite.report import compare, journeys
from theodolite.report.material import Material
from theodolite.report.page import Fold

SIDE_BY_SIDE = "What each model would have you believe. Where they differ much, the credit hangs on a convention."
CORRECTED = "Credit times what a credited unit really brought, by tests alone; the model has no say here."
CHANGED = "The journeys have changed since they were credited: credit them again to see what they are like."


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
    return View(
        "Attribution",
        f"Journeys of {m.credit_window}" if m.credit_window else "",
        kept_parts(ask, "attribution", reading.numbers, lambda: _parts(m)),
        " ".join(words for words in (str(notice(m)), "" if m.journeys else CHANGED) if words),
        work(ask, ("Credit journeys again", "attribution"), ("Audit the journeys", "audit"), strong=False),
    )


def _parts(m: Material) -> list[Part]:
    to = {channel.channel: channel_link(channel.channel) for channel in m.view.channels}
    against, calibrated = compare.attribution_section(m), journeys.calibrated_table(m.journeys)
    blocks = tuple(b for b in against.blocks if not isinstance(b, Fold) and b not in calibrated)
    folded = tuple(inner for b in against.blocks if isinstance(b, Fold) for inner in b.blocks)
    parts = [
        Part(against.id, against.title, against.lead, tuple(linked(block, to) for block in blocks)),
        Part("models", "The models side by side", SIDE_BY_SIDE, tuple(linked(block, to) for block in folded)),
    ]
    if calibrated:
        parts.append(Part("calibrated", "Credit corrected by tests", CORRECTED, calibrated))
    return [*parts, *(Part.of(each) for each in (*journeys.sections(m.journeys), *journeys.checks(m.journeys)))]
