"""Design: what a test is to find out and within which bounds, before a search proposes markets, length and cost."""

from collections.abc import Mapping

from measurement import Panel
from theodolite.app.blocks import Field as Entry
from theodolite.app.blocks import Form, Part, View
from theodolite.app.checked import Wrong, filled
from theodolite.app.pages.ask import Ask
from theodolite.app.pages.entries import options
from theodolite.app.pages.register import ONLY_READS

DIRECTIONS = (
    ("go_dark", "stop the channel"),
    ("heavy_up", "spend more"),
    ("holdout", "keep the ads out"),
    ("scale", "change it by a share"),
)
KINDS = (
    ("geo", "markets beside each other"),
    ("switchback", "on and off, block by block"),
    ("on_off", "on and off, everywhere"),
)


def view(ask: Ask) -> View:
    """The form; what stands in the address stands in it."""
    return filled_view(ask, dict(ask.query))


def filled_view(ask: Ask, given: Mapping[str, str], wrong: Wrong | None = None) -> View:
    """The form with what was entered and what is wrong about it."""
    title, subtitle = "Design a test", "Which markets, how long, what it can find and what it costs"
    if not ask.edits:
        return View(title, subtitle, (Part("start", blocks=(ONLY_READS,)),))
    panel = ask.reading.panel
    usual = {entry.name: entry.value for entry in entries(panel) if entry.value}
    main, more = _main(panel), _more(panel)
    entered = usual | dict(given)
    form = Form(
        "/experiments/design",
        filled(main, entered, wrong),
        "Search for designs",
        check="/experiments/design/check",
        more=filled(more, entered, wrong),
        open=any(given.get(entry.name) for entry in more),
        key="design",
    )
    lead = (
        "The search rehearses every length on sets of markets in the study's own history, and shows for each what it "
        "can find and what it costs. It runs as a job: you may go on reading meanwhile."
    )
    refused = () if wrong is None else wrong.blocks(entries(panel))[1:]
    return View(title, subtitle, (Part("design", "", lead, (*refused, form)),))


def entries(panel: Panel) -> tuple[Entry, ...]:
    """Every field of the form."""
    return (*_main(panel), *_more(panel))


def _main(panel: Panel) -> tuple[Entry, ...]:
    period, several = f"{panel.period}s", len(panel.geos) > 1
    return (
        Entry("channel", "Channel", "choices", options=options(panel.channels)),
        Entry("direction", "What is done", "select", "go_dark", options=DIRECTIONS),
        Entry("method", "Kind of test", "select", "geo" if several else "on_off", options=KINDS),
        Entry("durations", "Lengths to compare", "text", "4,6,8", "with commas between", period, required=True),
        Entry(
            "geos", "Treated markets", "text", "1:3" if several else "1", "fewest and most, as in 2:6", required=True
        ),
        Entry("budget", "Most money", "number", "", "extra spend, or what a cut may lose", panel.currency),
        Entry("iroas", "Expected iROAS", "number", "", "what the power is stated for; break-even where empty"),
    )


def _more(panel: Panel) -> tuple[Entry, ...]:
    geos = options(panel.geos)
    markets = (
        Entry("treatment_geos", "These markets and no others", "choices", help="no search, only power", options=geos),
        Entry("must_include", "Treated for sure", "choices", options=geos),
        Entry("exclude", "Never treated", "choices", help="they may be controls", options=geos),
    )
    return (
        Entry("cooldown", "Cool-down", "number", "", "read out after the spend is back", f"{panel.period}s"),
        Entry("spend_change", "Change of spend", "number", "", "as a share: -1 stops it, 0.5 adds half"),
        Entry("power", "Wanted power", "number", "", "0.8 where empty"),
        Entry("alpha", "Error rate", "number", "", "0.1 where empty"),
        Entry("start", "First day", "date", "", "the day after the data where empty"),
        Entry("name", "Name of the test"),
        *(markets if len(panel.geos) > 1 else ()),
    )
