"""Model: whether the fit can be trusted, what it says of curves and contributions, and how it stands to the tests."""

from collections.abc import Iterator

from measurement.typing import Json
from theodolite.app.blocks import Block, Drawer, Form, Part, View
from theodolite.app.blocks import Field as Entry
from theodolite.app.pages.ask import Ask, kept_parts, linked, not_yet, notice, state_of, test_link, work
from theodolite.report import backtested, check, compare, understand, verdict
from theodolite.report.material import Material
from theodolite.report.page import Prose

EXTENTS = (
    ("quick", "quick: two other models"),
    ("usual", "usual: one change at a time"),
    ("full", "full: every combination"),
)

REFITS = "Each time the model is fitted anew to what came before: it takes as long as that many fits."
OTHERS = "Every other model is fitted once; none of these fits is kept. What came of it stands on the page of the job."
EXTENT = (
    "Quick: one other carry-over and one other saturation. Usual: one change at a time, and the two largest channels "
    "alone. Full: every combination, the best backtested too."
)
SEED = Entry("seed", "Seed", "number", "0", "same seed, same answer", limits=("0", "2147483647", "1"))


def view(ask: Ask) -> View:
    """The page."""
    state = state_of(ask.reading)
    if state != "ready":
        parts = (Part("start", blocks=(not_yet(ask, state),)), *_work(ask, fitted=state == "no view"))
        return View("Model", parts=parts)
    m = ask.reading.material()
    *told, made = kept_parts(ask, "model", ask.reading.numbers, lambda: _told(m, ask.reading.backtest()))
    judged = Part.of(verdict.section(m))
    if m.validation is None:
        judged = Part(judged.id, judged.title, "Nobody has judged this fit yet: see below.")
    return View(
        "Model",
        "What the fit says, and whether it can be trusted",
        (
            judged,
            *told,
            *_work(ask, fitted=True),
            made,
        ),
        notice(m),
        work(ask, ("Fit again", "fit"), strong=False),
    )


def _told(m: Material, predicted: Json | None) -> Iterator[Part]:
    yield Part.of(check.fit_section(m))
    yield Part.of(check.convergence_section(m))
    yield Part.of(backtested.section(predicted))
    tests = compare.tests_section(m)
    to = {test.experiment_id: test_link(test.experiment_id) for test in m.tests}
    yield Part(tests.id, tests.title, tests.lead, tuple(linked(block, to) for block in tests.blocks))
    yield Part.of(understand.curves_section(m))
    yield Part.of(understand.where_section(m))
    yield Part.of(check.provenance_section(m))


def _work(ask: Ask, *, fitted: bool) -> tuple[Part, ...]:
    """What can be asked of the model; each runs as a job."""
    if not ask.edits:
        return ()
    drawers: list[Block] = [Drawer("Fit with other settings", (_fit(),))]
    if fitted:
        drawers.insert(0, Drawer("Judge the fit: predictions, errors, what the data taught, a verdict", (_validate(),)))
    drawers += [
        Drawer("Predict the past from what came before it", (Prose((REFITS,), "muted"), _backtest(ask))),
        Drawer("Compare with other models", (Prose((OTHERS,), "muted"), _compare())),
    ]
    lead = "Each runs in a process of its own: these pages go on working, and it can be cancelled at any time."
    return (Part("again", "Ask more of the model", lead, tuple(drawers)),)


def _hidden(kind: str, back: str = "/model") -> tuple[Entry, ...]:
    return Entry("kind", "", "hidden", kind), Entry("back", "", "hidden", back)


def _fit() -> Form:
    draws = "per chain; more where the fit did not settle"
    fields = (
        *_hidden("fit"),
        Entry("chains", "Chains", "number", "4", "independent runs that must agree", limits=("1", "16", "1")),
        Entry("warmup", "Warm-up", "number", "300", "draws per chain that are thrown away", limits=("50", "5000", "1")),
        Entry("draws", "Draws", "number", "500", draws, limits=("100", "20000", "1")),
        SEED,
        Entry("reconcile", "Bring the sources together afterwards", "checkbox", "yes"),
    )
    return Form("/jobs", fields, "Fit", key="fit")


def _validate() -> Form:
    ahead, again = "how many of the last periods are predicted from those before", "0 only weights the draws anew"
    fields = (
        *_hidden("validate"),
        Entry("origins", "Periods ahead", "number", "26", ahead, limits=("1", "1000", "1")),
        Entry("refits", "Fits of the past", "number", "0", again, limits=("0", "1000", "1")),
        SEED,
    )
    return Form("/jobs", fields, "Judge the fit", key="validate")


def _backtest(ask: Ask) -> Form:
    period = f"{ask.reading.config.study.period}s"
    fields = (
        *_hidden("backtest"),
        Entry("horizon", "Predicted each time", "number", "", "a quarter of a year where empty", period),
        Entry("folds", "How often", "number", "", "as often as the history allows, six times at most, where empty"),
        Entry("every", "Periods between them", "number", "", "as many as are predicted where empty", period),
        SEED,
    )
    return Form("/jobs", fields, "Predict the past", key="backtest")


def _compare() -> Form:
    fields = (
        *_hidden("compare", "/job"),
        Entry("extent", "How many", "select", "quick", EXTENT, options=EXTENTS),
        SEED,
    )
    return Form("/jobs", fields, "Compare models", key="compare")
