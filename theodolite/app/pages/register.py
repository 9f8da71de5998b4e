"""Register: a test that is planned by hand, before it runs; and the result of one that was run elsewhere."""

from collections.abc import Mapping

from experiments.registry import plan
from theodolite.app.blocks import Block, Drawer, Empty, Form, Part, View
from theodolite.app.blocks import Field as Entry
from theodolite.app.checked import Wrong, filled
from theodolite.app.pages.ask import Ask
from theodolite.app.pages.entries import plan_fields, result_fields
from theodolite.plan_texts import texts_of

EXAMPLE = (
    '[{"experiment_id": "tv-dark-2026", "channel": "tv", "method": "go_dark",\n'
    '  "treatment_geos": ["north"], "control_geos": ["south"],\n'
    '  "start_date": "2026-03-02", "end_date": "2026-03-29",\n'
    '  "estimand": "incremental_outcome", "estimate": 41000, "std_error": 9000, "spend_delta": -30000}]'
)
ONLY_READS = Empty("Only for those who may", "This needs the role editor or a higher one.")


def register(ask: Ask) -> View:
    """The empty form of a plan, or that of a test whose plan can still be changed."""
    name = ask.query.get("id", "")
    if not name or not ask.edits:
        return plan_view(ask, {})
    test = ask.reading.study.registry.get(name)
    return plan_view(ask, texts_of(plan.fields(test.plan)), revise=True)


def plan_view(ask: Ask, given: Mapping[str, str], wrong: Wrong | None = None, *, revise: bool = False) -> View:
    """The form of a plan, with what was entered and what is wrong about it."""
    title = "Change the plan" if revise else "Register a test"
    subtitle = "Before it runs, so that nobody can say later that the question was another one"
    if not ask.edits:
        return View(title, subtitle, (Part("start", blocks=(ONLY_READS,)),))
    main, more = plan_fields(ask.reading.panel)
    entries = filled(main, given, wrong)
    if revise:
        name = Entry("experiment_id", "", "hidden", given.get("experiment_id", ""))
        entries = (Entry("revise", "", "hidden", "yes"), name, *entries[1:])
        subtitle = given.get("experiment_id", "")
    form = Form(
        "/experiments/register",
        entries,
        "Write the plan anew" if revise else "Register it as a draft",
        check="/experiments/register/check",
        more=filled(more, given, wrong),
        open=_told(more, given, wrong),
        key="plan",
    )
    lead = "It becomes a draft: you hand it in, somebody else approves it, and from then on the plan is locked."
    return View(title, subtitle, (Part("plan", "", lead, _refused(wrong, (*main, *more), form)),))


def record(ask: Ask) -> View:
    """The empty form of a result."""
    return result_view(ask, {})


def result_view(ask: Ask, given: Mapping[str, str], wrong: Wrong | None = None) -> View:
    """The form of a result, with what was entered and what is wrong about it; and the field for whole files."""
    title, subtitle = "Record a result", "Of a test that a platform, an agency or another team has run and read out"
    if not ask.edits:
        return View(title, subtitle, (Part("start", blocks=(ONLY_READS,)),))
    main, more = result_fields(ask.reading.panel)
    form = Form(
        "/experiments/record",
        filled(main, given, wrong),
        "Record this result",
        check="/experiments/record/check",
        more=filled(more, given, wrong),
        open=_told(more, given, wrong),
        key="result",
    )
    fields = (Entry("records", "Records", "textarea", "", f"A JSON list, for example\n{EXAMPLE}", required=True),)
    several = Form("/experiments/import", fields, "Record these tests", check="/experiments/import/check", key="import")
    parts = (
        Part("result", "", "It counts as evidence from the next fit on.", _refused(wrong, (*main, *more), form)),
        Part(
            "several", "Several at once", blocks=(Drawer("Paste records as JSON: all are taken, or none", (several,)),)
        ),
    )
    return View(title, subtitle, parts)


def _told(entries: tuple[Entry, ...], given: Mapping[str, str], wrong: Wrong | None) -> bool:
    """Whether something stands in fields that are folded away."""
    faults = wrong.fields if wrong else {}
    return any(given.get(entry.name) or entry.name in faults for entry in entries)


def _refused(wrong: Wrong | None, entries: tuple[Entry, ...], form: Form) -> tuple[Block, ...]:
    return (form,) if wrong is None else (*wrong.blocks(entries)[1:], form)
