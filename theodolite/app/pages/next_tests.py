"""Next tests: which test is worth its cost, what its result would change, and the way to register it."""

from typing import TYPE_CHECKING

from theodolite.app.blocks import Actions, Block, Button, Drawer, Empty, Form, Part, View
from theodolite.app.blocks import Field as Entry
from theodolite.app.desk import Reading
from theodolite.app.pages.ask import Ask, linked, not_yet, state_of, test_link
from theodolite.app.pages.entries import options
from theodolite.next_test_texts import asked_of
from theodolite.report import next_test
from theodolite.report.page import Cell, Column, TableBlock
from theodolite.report.plan_words import UNCONVERGED
from theodolite.report.words import count, listed, money, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calibration.next_test.result import NextTests

TITLE = "What to test next"
DIRECTIONS = (("go_dark", "stop the channel"), ("heavy_up", "spend more"), ("holdout", "keep the ads out"))


def view(ask: Ask) -> View:
    """The page."""
    state, found = state_of(ask.reading), ask.reading.next_tests_kept()
    if state in ("no fit", "data changed"):
        return View(TITLE, parts=(Part("start", blocks=(not_yet(ask, state),)),))
    if missing := _cannot(ask.reading):
        return View(TITLE, parts=(Part("start", blocks=(Empty("Tests cannot be ranked here", missing),)),))
    if found is None:
        start = Part("start", blocks=(Empty("No ranking of this fit yet", _EMPTY),))
        return View(TITLE, parts=(start, *_form(ask, begun=True)))
    section = next_test.section(found)
    ranking = Part("ranking", _heading(found), section.lead, section.blocks)
    return View(
        TITLE,
        f"For the budget of {count(found.horizon, found.period)} from {found.first} · {found.currency}",
        (ranking, *_register(ask, found), *_form(ask, begun=False)),
        "" if found.converged else UNCONVERGED,
    )


_EMPTY = (
    "Of all tests that could be run, which is worth its cost, and what would its result change? Each is run in the "
    "model before it is run in the market: its results are simulated with the error that its markets have shown, and "
    "the budget is decided again with each. It takes a minute or so, and you may go on reading."
)


def _cannot(reading: Reading) -> str:
    """Why tests cannot be ranked in this study; empty where they can."""
    if len(reading.panel.geos) < 2:
        return (
            "The tables hold one market, and the tests that are compared treat some markets and leave others alone. "
            "Give the tables a geo column, or plan an on-off test of the whole country under Experiments."
        )
    if reading.config.study.margin is None:
        words = "theodolite.toml states no margin: without it a sale has no value to weigh against spend."
        return f"{words} Set margin under [study]."
    return ""


def _heading(found: "NextTests") -> str:
    return "The test to run" if found.best is not None else "No test is worth its cost now"


def short(ask: Ask) -> Part:
    """The part of the plan page: the answer, and where the ranking stands."""
    if missing := _cannot(ask.reading):
        return Part("next-tests", TITLE, missing)
    found = ask.reading.next_tests_kept()
    if found is None:
        buttons = (Button("Rank the tests", "/next-tests/rank", {}, strong=False),) if ask.edits else ()
        return Part("next-tests", TITLE, blocks=(Empty("No ranking of this fit yet", _EMPTY, buttons),))
    more = Actions((Button("See the ranking and its reasons", "/next-tests"),))
    return Part("next-tests", TITLE, next_test.lead(found), (more,))


# -- registering ------------------------------------------------------------------------------------------------------


def _register(ask: Ask, found: "NextTests") -> tuple[Part, ...]:
    """Every worthwhile test with its markets, and the way into the registry."""
    known = {str(row["experiment_id"]) for row in ask.reading.tests()}
    columns = (
        Column("Test"),
        Column("Markets", wide=True),
        Column("From"),
        Column("Until", "read-out included"),
        Column("Left", found.currency, True),
    )
    rows, buttons = [], []
    for test in found.worthwhile:
        name = test.record.experiment_id
        rows.append(
            (
                Cell(name, detail=f"{test.channel}, {next_test.VERBS[test.direction]}"),
                Cell(listed(list(test.record.treatment_geos))),
                Cell(str(test.record.start_date)),
                Cell(str(test.record.read_out_end)),
                Cell(number(test.net.value), value=test.net.value),
            )
        )
        if name not in known:
            strong = found.best is not None and test is found.best
            buttons.append(Button(f"Register {name}", "/next-tests/register", {"id": name}, strong))
    if not rows:
        return ()
    table = linked(TableBlock(columns, tuple(rows), "", "plans.csv"), {name: test_link(name) for name in known})
    blocks: list[Block] = [table]
    if ask.edits and buttons:
        blocks.append(Actions(tuple(buttons)))
    lead = "Each is planned in full. Registered, it is a draft: hand it in, and let somebody else approve it."
    return (Part("register", "Into the registry", lead, tuple(blocks)),)


# -- asking -----------------------------------------------------------------------------------------------------------


def problems_of(reading: Reading, form: "Mapping[str, str]") -> str:
    """What would be ranked, in a sentence.

    Raises:
        DataError: With everything that is wrong about it.
    """
    asked = asked_of(form)
    reading.study.next_test.refuse(asked)
    which = listed(list(asked.channels)) or "all channels"
    limit = "" if asked.money is None else f", for at most {money(asked.money, reading.panel.currency)} together"
    return f"Tests of {which}, up to {count(asked.most, 'test')} together{limit}."


def entries(reading: Reading) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The fields of what a ranking is asked for, and those that few need."""
    panel = reading.panel
    currency, periods = panel.currency, f"{panel.period}s"
    main = (
        Entry(
            "channels",
            "Channels to compare",
            "choices",
            help="all where none is ticked",
            options=options(panel.channels),
        ),
        Entry("directions", "What a test may do", "choices", help="the first two where none is", options=DIRECTIONS),
        Entry("horizon", "The decision lasts", help="a year where left empty", unit=periods),
        Entry("total", "Budget to improve", "number", help="that of business as usual where left empty", unit=currency),
        Entry("money", "Most money for all tests", "number", help="no limit where left empty", unit=currency),
    )
    more = (
        Entry("durations", "Lengths", help="with commas between, as in 4,6,8", unit=periods),
        Entry("geos", "Treated markets", help="fewest and most, as in 2:6"),
        Entry("cooldown", "Read out longer", help="after the spend is back", unit=periods),
        Entry("heavy_up", "A raise adds", "number", help="as a share: 1 doubles the spend; so where left empty"),
        Entry("others", "Channels may move", help="0.5:1.5 times as usual where left empty"),
        Entry("per_test", "A test costs besides", "number", help="whatever it finds: people, set-up", unit=currency),
        Entry("per_market", "A treated market costs", "number", help="besides, too", unit=currency),
        Entry("most", "Tests together", help="3 at most where left empty"),
        Entry("exclude", "Never treated", "choices", help="they may be controls", options=options(panel.geos)),
        Entry("busy", "Left alone", "choices", help="they take no part", options=options(panel.geos)),
    )
    return main, more


def _form(ask: Ask, *, begun: bool) -> tuple[Part, ...]:
    if not ask.edits:
        return ()
    main, more = entries(ask.reading)
    label = "Rank the tests" if begun else "Rank them again"
    form = Form("/next-tests/rank", main, label, check="/next-tests/check", more=more, key="rank")
    if begun:
        return (Part("ask", "Which tests to compare", blocks=(form,)),)
    return (Part("ask", "Ask again", blocks=(Drawer("Compare other tests, or for another budget", (form,)),)),)
