"""Model: whether the fit can be trusted, what it says of curves and contributions, and how it stands to the tests."""

from theodolite.app.blocks import Field as Entry
from theodolite.app.blocks import Form, Part, View
from theodolite.app.pages.ask import Ask, linked, not_yet, notice, state_of, test_link, work
from theodolite.report import check, compare, understand


def view(ask: Ask) -> View:
    """The page."""
    state = state_of(ask.reading)
    if state != "ready":
        parts = (Part("start", blocks=(not_yet(ask, state),)), *_again(ask))
        return View("Model", parts=parts)
    m = ask.reading.material()
    tests = Part.of(compare.tests_section(m))
    to = {test.experiment_id: test_link(test.experiment_id) for test in m.tests}
    blocks = tuple(linked(block, to) for block in tests.blocks)
    return View(
        "Model",
        "What the fit says, and whether it can be trusted",
        (
            Part.of(check.fit_section(m)),
            Part.of(check.convergence_section(m)),
            Part(tests.id, tests.title, tests.lead, blocks),
            Part.of(understand.curves_section(m)),
            Part.of(understand.where_section(m)),
            *_again(ask),
            Part.of(check.provenance_section(m)),
        ),
        notice(m),
        work(ask, ("Fit again", "fit"), strong=False),
    )


def _again(ask: Ask) -> tuple[Part, ...]:
    if not ask.edits:
        return ()
    fields = (
        Entry("kind", "", "hidden", "fit"),
        Entry("chains", "Chains", "number", "4", "independent runs that must agree", limits=("1", "16", "1")),
        Entry("warmup", "Warm-up", "number", "300", "draws per chain that are thrown away", limits=("50", "5000", "1")),
        Entry(
            "draws",
            "Draws",
            "number",
            "500",
            "per chain; more where the fit did not settle",
            limits=("100", "20000", "1"),
        ),
        Entry("seed", "Seed", "number", "0", "same seed, same answer", limits=("0", "2147483647", "1")),
        Entry("reconcile", "Bring the sources together afterwards", "checkbox", "yes"),
    )
    lead = "The fit runs in a process of its own: these pages go on working, and it can be cancelled at any time."
    return (Part("again", "Fit with other settings", lead, (Form("/jobs", fields, "Fit"),)),)
