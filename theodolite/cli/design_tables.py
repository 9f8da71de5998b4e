"""Designs as text for people: the recommendation, the ranked choices, the map, what to mind."""

from typing import TYPE_CHECKING

from theodolite.cli import output

if TYPE_CHECKING:
    from experiments.design.proposal import Design, Designs
    from theodolite.report.experiment import Dossier

MOST = 8
LONGEST = 60


def designs(dossier: "Dossier", saved: str | None = None) -> None:
    """What to do, the choices beside each other, and the chosen design in full."""
    from theodolite.report import design_words as say

    found, chosen = dossier.planned, dossier.chosen
    output.say(found.recommendation, "bold")
    _ranked(found)
    if len(found.designs) > 2:
        _map(found)
    for note in found.notes:
        output.say(f"Not possible: {note}.")
    if chosen is None:
        return
    rank = found.designs.index(chosen) + 1
    output.say(f"Design {rank}: {dossier.test.experiment_id}", "bold")
    test = dossier.test
    output.say(f"  Treated: {', '.join(chosen.treatment_geos)}")
    output.say(f"  Controls: {len(chosen.control_geos)} geos")
    cooldown = f", cool-down to {test.cooldown_end_date}" if test.cooldown_end_date else ""
    output.say(f"  Calendar: {test.start_date} to {test.end_date}{cooldown}")
    output.say(f"  {say.finds(chosen)}")
    output.say(f"  Cost: {chosen.cost.sentence}.")
    output.say(f"  {say.drawn(chosen)}")
    for reason in say.caveats(chosen):
        output.say(f"  Mind: {reason}")
    _other_kpis(dossier)
    if saved is None:
        output.say("Add --save FILE to keep this design as a record, --report FILE for a page to hand on.")


def _ranked(found: "Designs") -> None:
    from theodolite.report import design_words as say

    best = found.best
    money = any(each.cost.spend_delta is not None for each in found.designs)
    columns = ["rank, treated geos", "length", "finds", "false positives", *(["spend"] if money else [])]
    rows = [
        [
            f"{i}  {_names(each)}",
            say.length(each),
            say.mde(each),
            f"{each.power.false_positives:.0%}",
            *([say.spend(each)] if money else []),
            say.at_stake(each),
            f"{each.score:.0f}",
        ]
        for i, each in enumerate(found.designs[:MOST], start=1)
    ]
    more = f" (the best {MOST} of {len(found.designs)})" if len(found.designs) > MOST else ""
    output.table(f"Designs, the best first{more}", [*columns, say.stake_title(best), "score"], rows)
    output.say(
        f"finds: the smallest true effect that is found with a chance of {best.goal.power:.0%}, "
        "in windows that did not choose the geos."
    )


def _names(design: "Design") -> str:
    text = ", ".join(design.treatment_geos)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip(', ')}…"


def _map(found: "Designs") -> None:
    cells = {(each["geos"], each["duration"]): each["mde"] for each in found.choices()}
    lengths = sorted({length for _, length in cells})
    rows = []
    for size in sorted({size for size, _ in cells}):
        known = [cells.get((size, length)) for length in lengths]
        rows.append([f"{size} geos", *("–" if mde is None else f"{mde:.1%}" for mde in known)])
    period = found.best.period
    output.table("Smallest effect found, by size and length", ["", *(f"{n} {period}s" for n in lengths)], rows)


def _other_kpis(dossier: "Dossier") -> None:
    from theodolite.report import design_words as say

    if not dossier.other_kpis:
        return
    rows = [[kpi, say.mde(each)] for kpi, each in dossier.other_kpis.items()]
    output.table("The same design on other KPIs", ["KPI", "finds"], rows)
