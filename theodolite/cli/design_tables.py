"""Planned tests as text for people: the recommendation, the ranked choices, the map, what to mind."""

from typing import TYPE_CHECKING

from theodolite.cli import output

if TYPE_CHECKING:
    from theodolite.report.choice import Choice, Choices
    from theodolite.report.experiment import Dossier

MOST = 8
LONGEST = 60


def planned(dossier: "Dossier", saved: bool) -> None:
    """What to do, the choices beside each other, and the chosen one in full."""
    from theodolite.report import design_words as say

    found, chosen = dossier.planned
    output.say(found.recommendation, "bold")
    _ranked(found)
    sized = all(each.controls and not each.cells for each in found.options)
    if sized and len(found.options) > 2:
        _map(found)
    for note in found.notes:
        output.say(f"Not possible: {note}.")
    output.say(f"Choice {found.options.index(chosen) + 1}: {dossier.name}", "bold")
    _who(chosen)
    if chosen.design is not None and chosen.design.goal.busy:
        output.say(f"  Left out, since they are in another test then: {', '.join(chosen.design.goal.busy)}")
    test = dossier.test
    cooldown = f", cool-down to {test.cooldown_end_date}" if test.cooldown_end_date else ""
    output.say(f"  Calendar: {test.start_date} to {test.end_date}{cooldown}")
    output.say(f"  {say.finds(chosen)}")
    output.say(f"  Cost: {chosen.cost.sentence}.")
    output.say(f"  {chosen.drawn}")
    for caveat in say.caveats(chosen):
        output.say(f"  Mind: {caveat}")
    _other_kpis(dossier)
    if not saved:
        output.say("Add --save FILE to keep this plan as a record, --report FILE for a page to hand on.")


def _who(chosen: "Choice") -> None:
    from theodolite.report.words import percent

    for name, geos, mde in chosen.cells:
        output.say(f"  Treated in {name}: {', '.join(geos)}; finds {percent(mde, 1)}")
    if chosen.treated and not chosen.cells:
        verb = "Treated" if chosen.controls else "Switching"
        output.say(f"  {verb}: {', '.join(chosen.treated)}")
    if chosen.controls:
        output.say(f"  Controls: {chosen.controls} geos")


def _ranked(found: "Choices") -> None:
    from theodolite.report import design_words as say

    best = found.options[0]
    money = any(each.cost.spend_delta is not None for each in found.options)
    stake = any(say.at_stake(each) != "–" for each in found.options)
    rehearsed = any(each.false_positives is not None for each in found.options)
    columns = ["rank, choice", "length", "finds", *(["false positives"] if rehearsed else [])]
    columns += [*(["spend"] if money else []), *([say.stake_title(best)] if stake else []), "score"]
    rows = [
        [
            f"{i}  {_short(each.label)}",
            say.length(each),
            say.mde(each),
            *([say.false_positives(each)] if rehearsed else []),
            *([say.spend(each)] if money else []),
            *([say.at_stake(each)] if stake else []),
            f"{each.score:.0f}",
        ]
        for i, each in enumerate(found.options[:MOST], start=1)
    ]
    more = f" (the best {MOST} of {len(found.options)})" if len(found.options) > MOST else ""
    output.table(f"The choices, the best first{more}", columns, rows)
    where = "in windows of the history that did not choose the test" if rehearsed else "in closed form"
    output.say(f"finds: the smallest true effect that is found with a chance of {best.wanted:.0%}, {where}.")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip(', ')}…"


def _map(found: "Choices") -> None:
    from theodolite.report import design_words as say

    cells = {(len(each.treated), each.duration): say.mde(each) for each in found.options}
    lengths = sorted({length for _, length in cells})
    rows = [
        [f"{size} geos", *(cells.get((size, length), "–") for length in lengths)]
        for size in sorted({size for size, _ in cells})
    ]
    period = found.options[0].period
    output.table("Smallest effect found, by size and length", ["", *(f"{n} {period}s" for n in lengths)], rows)


def _other_kpis(dossier: "Dossier") -> None:
    from theodolite.report import design_words as say

    if dossier.other_kpis:
        rows = [[kpi, say.mde(each)] for kpi, each in dossier.other_kpis.items()]
        output.table("The same markets on other KPIs", ["KPI", "finds"], rows)
