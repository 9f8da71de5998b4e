"""Plans of record in words and tables, for people."""

from typing import TYPE_CHECKING

from measurement.errors import shown
from theodolite.cli import output
from theodolite.cli.plan_tables import span
from theodolite.report.plan_words import UNCONVERGED

if TYPE_CHECKING:
    from measurement.plan.deviation import Deviation, Met
    from theodolite.plan_records import PlanOfRecord

SHOWN_GEOS = 12


def recorded(plan: "PlanOfRecord | None") -> None:
    """That a plan was frozen, and how to hold it against what comes; nothing where none was."""
    if plan is None:
        return
    output.say(
        f"Recorded as the plan of record '{shown(plan.name)}': spend, forecast, data, fit and seed are frozen. Once "
        "new data have come, hold it against them: theodolite forecast --against NAME",
        "bold",
    )


def against(plan: "PlanOfRecord", found: "Deviation", period: str) -> None:
    """What came against a plan of record: by period, by channel, by geo, why, and whether somebody should look."""
    rows = [[each.what, span(each.predicted), *_met(each)] for each in found.periods if each.actual is not None]
    columns = [period, f"promised {found.kpi}", "came", "difference", ""]
    title = (
        f"Plan of record '{shown(plan.name)}', made on {plan.at[:10]} by {shown(plan.actor)} (median and 90 % interval)"
    )
    output.table(title, columns, rows)
    rows = [
        [
            each.channel,
            f"{each.planned:,.0f}",
            f"{each.actual:,.0f}",
            "–" if each.share is None else f"{each.share:+.0%}",
            "off the plan" if each.off else "",
            span(each.explains, sign=True),
        ]
        for each in found.channels
        if each.planned > 0 or each.actual > 0
    ]
    columns = ["channel", f"planned ({found.currency})", "spent", "difference", "", f"so the {found.kpi} differs by"]
    output.table(f"Money in the {found.came} {period}s that have come", columns, rows)
    if len(found.geos) > 1:
        far = sorted(found.geos, key=lambda each: -abs(each.share or 0.0))
        rows = [[each.what, span(each.predicted), *_met(each)] for each in far[:SHOWN_GEOS]]
        columns = ["geo", f"promised {found.kpi}", "came", "difference", ""]
        output.table("By geo, the largest differences first", columns, rows)
        if len(far) > SHOWN_GEOS:
            output.say(f"{len(far) - SHOWN_GEOS} geos with smaller differences are in --json.")
    total, whole = found.total, len(found.periods)
    came = f"{found.came} of {whole} {period}s have come"
    output.say(f"{came}: {total.actual:,.0f} {found.kpi}, {span(total.predicted)} promised.")
    output.say(f"Other spend than planned explains {span(found.spend, sign=True)} of the difference.")
    if found.controls.high != found.controls.low:
        output.say(f"Other controls than planned explain {span(found.controls, sign=True)}.")
    output.say(f"What the model missed: {span(found.missed, sign=True)}.")
    if found.revised:
        output.say("The data before the plan were revised since; the plan stays on those it was made with.", "yellow")
    output.say(*_called(found))
    if not found.converged:
        output.say(UNCONVERGED, "bold red")


def _met(each: "Met") -> list[str]:
    mark = "outside its interval" if each.outside else ""
    return [f"{each.actual:,.0f}", "–" if each.share is None else f"{each.share:+.0%}", mark]


def _called(found: "Deviation") -> tuple[str, str | None]:
    """The judgement in words, and its colour."""
    share = found.total.share or 0.0
    far = f"{abs(share):.0%} {'more' if share > 0 else 'less'} than promised"
    if found.alert:
        return f"ALERT: {far} and outside the 90 % interval. Look at it before you go on with the plan.", "bold red"
    if found.total.outside:
        return f"{far}: outside the 90 % interval, but not by more than a fifth: no alert, keep an eye on it.", "yellow"
    return f"{far}, within the 90 % interval: as planned.", None
