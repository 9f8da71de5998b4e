"""A plan of record: what it spends and promises, where it stands, what may be done with it, and what came of it."""

from typing import TYPE_CHECKING

from measurement.errors import DataError, did_you_mean, shown
from theodolite.app.blocks import Actions, Block, Button, Drawer, Form, Part, View
from theodolite.app.blocks import Field as Entry
from theodolite.app.pages import plan_against
from theodolite.app.pages.ask import Ask, channel_link, link, linked
from theodolite.app.plan_steps import plan_steps
from theodolite.keys import may
from theodolite.report.page import Cell, Column, Fact, Facts, Name, TableBlock, Tone
from theodolite.report.words import chance, count, money, number, span

if TYPE_CHECKING:
    from theodolite.plan_records import PlanOfRecord
    from theodolite.plan_states import PlanState

STATES = {
    "draft": "Recorded and frozen. Hand it in, so that somebody else approves it.",
    "submitted": "Handed in: somebody else than who drafted it approves it.",
    "approved": "Approved. Commit to it, and it is the plan that is spent by.",
    "committed": "This is the plan that is spent by; no other may be committed for its days.",
    "withdrawn": "Withdrawn; it stays on record.",
}

STEPS = {
    "record": "drafted",
    "submit": "handed in",
    "approve": "approved",
    "commit": "committed to",
    "withdraw": "withdrawn",
}


def view(ask: Ask) -> View:
    """The page of one plan.

    Raises:
        DataError: Where there is none of the name that is asked for.
    """
    name = ask.query.get("name", "")
    known = {plan.name: plan for plan in ask.reading.plans()}
    if name not in known:
        raise DataError(f"there is no plan of record '{shown(name)}'{did_you_mean(name, known)}")
    plan, state = known[name], ask.reading.plan_states()[name]
    told = plan.told
    parts = (
        _stand(plan, state),
        *_steps(ask, plan, state),
        *plan_against.parts(ask, plan),
        _money(plan),
        _history(state),
    )
    many = count(int(told["periods"]), ask.reading.panel.period)
    of = "A scenario" if told["of"] == "scenario" else "A forecast"
    notice = "" if told["converged"] else "The fit behind this plan had not converged: its promise is provisional."
    return View((Name(name),), f"{of} of {many} from {told['from']} to {told['to']}", parts, notice)


# -- where it stands --------------------------------------------------------------------------------------------------


def _stand(plan: "PlanOfRecord", state: "PlanState") -> Part:
    told = plan.told
    promised, currency = told["promised"], str(told["currency"])
    total = promised["total"]
    facts = [
        Fact("Where it stands", state.state, STATES[state.state], _fact_tone(state.state)),
        Fact("Spends", money(sum(told["spend"].values()), currency), f"{told['from']} to {told['to']}"),
        Fact(f"Promises {told['kpi']}", number(total["median"]), span(total["low"], total["high"], number)),
    ]
    if "profit_change" in promised:
        change = promised["profit_change"]
        ends = span(change["low"], change["high"], lambda x: money(x, currency))
        likely = f"{ends}; more with a chance of {chance(promised['probability_better'])}"
        facts.append(Fact("Profit against as usual", _signed(change["median"], currency), likely))
    return Part("state", blocks=(Facts(tuple(facts)),))


def _fact_tone(state: str) -> Tone:
    found = plan_against.TONES.get(state, "plain")
    return "plain" if found == "muted" else found


def _signed(value: float, currency: str) -> str:
    return f"{'+' if value > 0 else ''}{money(value, currency)}"


def _steps(ask: Ask, plan: "PlanOfRecord", state: "PlanState") -> tuple[Part, ...]:
    """What may be done with it next, by those who may."""
    drawers: list[Block] = []
    allowed = {key: step for key, step in plan_steps(state.state).items() if may(ask.who.role, step.role)}
    for key, step in allowed.items():
        fields = [Entry("name", "", "hidden", plan.name), Entry("step", "", "hidden", key)]
        if key == "approve":
            own = f"{plan.actor} drafted it; the record will say so"
            fields.append(Entry("self_approve", "I drafted it myself", "checkbox", "", own))
        fields.append(Entry("reason", "Why", "text", "", required=step.needs_reason))
        form = Form("/plan/step", tuple(fields), step.label, key=key)
        drawers.append(Drawer(step.label, (form,), open=len(allowed) == 1 and key != "withdraw"))
    if state.state in ("approved", "committed") and ask.edits:
        drawers.append(Actions((Button("Record the decision", _decision(plan)),)))
    return (Part("next", "What to do next", blocks=tuple(drawers)),) if drawers else ()


def _decision(plan: "PlanOfRecord") -> str:
    """The form of a decision, filled in with what the plan promises."""
    told, promised = plan.told, plan.told["promised"]
    scenario = "profit_change" in promised
    found = promised["profit_change"] if scenario else promised["total"]
    days = f"{told['from']} to {told['to']}"
    metric = f"profit against business as usual, {told['currency']}" if scenario else str(told["kpi"])
    ends = {name: f"{found[key]:.0f}" for name, key in (("expected", "median"), ("low", "low"), ("high", "high"))}
    what = f"Spend by the plan {plan.name}"
    return link("/decisions", what=what, metric=f"{metric}, {days}", plan=plan.name, **ends) + "#record"


# -- what it is -------------------------------------------------------------------------------------------------------


def _money(plan: "PlanOfRecord") -> Part:
    columns = (Column("Channel"), Column("Spend", str(plan.told["currency"]), True))
    rows = tuple((Cell(name), Cell(number(spent), value=spent)) for name, spent in plan.told["spend"].items())
    table = linked(TableBlock(columns, rows, "", "plan.csv"), {n: channel_link(n) for n in plan.told["spend"]})
    lead = f"Frozen on {plan.at[:10]} by {plan.actor}, event {plan.hash[:12]}: nothing of it can be changed."
    return Part("money", "What it spends", lead, (table,))


def _history(state: "PlanState") -> Part:
    columns = (Column("When", "UTC"), Column("What"), Column("Who"), Column("Why", wide=True))
    rows = tuple(
        (
            Cell(str(step["at"])[:16].replace("T", " ")),
            Cell(STEPS[str(step["action"])], detail="self-approved" if step["self_approved"] else ""),
            Cell(str(step["by"])),
            Cell(str(step["reason"] or "")),
        )
        for step in state.history
    )
    return Part("history", "History", blocks=(TableBlock(columns, rows, "", "history.csv"),))
