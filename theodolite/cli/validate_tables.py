"""A validation in words and tables, for people."""

from typing import TYPE_CHECKING

from theodolite.cli import output
from theodolite.report.words import count

if TYPE_CHECKING:
    from measurement.estimate import Estimate
    from measurement.validation.validate import Validation

STYLES = {"good": "bold green", "usable with care": "bold yellow", "do not use": "bold red"}
LEVELS = {"stop": ("wrong:", "red"), "care": ("care: ", "yellow"), "note": ("note: ", "cyan")}
WORD = {
    "data": "the data's",
    "both": "prior and data",
    "prior": "mostly the prior's",
    "conflict": "they contradict",
}


def validation(found: "Validation", period: str) -> None:
    """The verdict with its reasons, then how the model predicts and what it learnt of each channel."""
    from measurement.mmm.likelihood_choice import WORDS

    output.say(f"Verdict: {found.verdict}, under a {WORDS[found.likelihood]} likelihood", STYLES[found.verdict])
    if not found.reasons:
        output.say("Nothing speaks against the model; whether it credits the right channel, only a test can tell.")
    for reason in found.reasons:
        word, style = LEVELS[reason.level]
        output.say(f"  {word} {reason.words}", style)
        output.say(f"         → {reason.advice}")
    _predictions(found, period)
    _channels(found)
    output.say(f"Seed {found.provenance.seed}.")


def _predictions(found: "Validation", period: str) -> None:
    fit, left_out, ahead = found.predictive, found.loo, found.lfo
    rows = [
        [f"movement of the {period}s that is followed (R²)", _share(fit.periods.r2), "flatters: it infers a demand"],
        ["the same without the demand it infers", _share(fit.known), "trend, season, controls, media"],
        ["typical miss, each cell", f"{fit.cells.wmape:.1%}", "of the KPI (wMAPE)"],
        ["90 % intervals of cells left out hold", f"{left_out.coverage(0.9):.0%}", "90 % is right"],
        ["50 % intervals of cells left out hold", f"{left_out.coverage(0.5):.0%}", "50 % is right"],
        [
            "cells that decide alone",
            f"{int(left_out.influential.sum())} of {int(left_out.known.sum())}",
            "few is right",
        ],
    ]
    rows.append(_ahead(found, period) if len(ahead.dates) else [f"one {period} ahead", "–", _reach(found, period)])
    rows.append(["elpd, left out", f"{left_out.total:,.0f} ± {left_out.std_error:,.0f}", "higher is better, same data"])
    output.table("How it predicts", ["", "found", ""], rows)
    if 0 < len(ahead.dates) < ahead.asked:
        output.say(_reach(found, period))


def _ahead(found: "Validation", period: str) -> list[str]:
    held = f"{found.lfo.coverage(0.9):.0%}"
    return [f"90 % intervals one {period} ahead hold", held, f"of the last {len(found.lfo.dates)} {period}s"]


def _reach(found: "Validation", period: str) -> str:
    wanted, got = found.lfo.asked, len(found.lfo.dates)
    if found.lfo.why:
        judged = f"{got} of the last {period}s were judged" if got else "not judged"
        return f"{judged}: {found.lfo.why}. `--refits {wanted}` does it, so does `theodolite mmm backtest`."
    made = f"with {count(found.lfo.refits, 'fit')} made anew" if found.lfo.refits else "without fitting anew"
    return f"{got} of {wanted} {period}s could be predicted {made}: more `--refits` reach further back."


def _channels(found: "Validation") -> None:
    words = {felt.channel: felt for felt in found.sensitivities}
    rows = []
    for shift in found.shifts:
        if shift.parameter not in ("ROI", "contribution"):
            continue
        felt = words[shift.channel]
        looser = "–" if felt.looser is None else f"{felt.looser - 1:+.0%}"
        before, after = output.interval(shift.prior.to_dict()), output.interval(shift.posterior.to_dict())
        rows.append([shift.channel, before, after, shift.verdict, WORD[felt.verdict], looser])
    columns = ["channel", "ROI, before the data", "after the data", "they taught", "the number is"]
    output.table("What the data taught (median and 90 % interval)", [*columns, "prior half as strong"], rows)


def _share(quantity: "Estimate") -> str:
    return f"{quantity.median:.1%} [{quantity.low:.1%}, {quantity.high:.1%}]"
