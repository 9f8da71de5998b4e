"""Results as tables for people; each takes the plain values that ``--json`` prints."""

from collections.abc import Mapping
from typing import Any

from theodolite.cli import output

type Plain = Mapping[str, Any]


def fit_summary(found: Plain) -> None:
    """A fit: iROAS calibrated and not, then conflicts and convergence."""
    both = found["calibrated"]
    rows = []
    for row in found["channels"]:
        alone = [output.interval(row["iroas_uncalibrated"])] if both else []
        quality = [f"{row['r_hat']:.3f}", f"{row['ess_bulk']:.0f}"]
        rows.append([row["channel"], *alone, output.interval(row["iroas"]), output.interval(row["mroas"]), *quality])
    names = ["MMM alone", "with the tests"] if both else ["MMM (no tests yet)"]
    columns = ["channel", *names, "the next unit (mROAS)", "R-hat", "ESS"]
    output.table("iROAS (median and 90 % interval)", columns, rows)
    output.say(found["likelihood"]["why"])
    if found["conflicts"]:
        _conflicts(found["conflicts"])
    if found["converged"]:
        output.say(f"Converged: {found['divergences']} divergent draws of {found['draws']}, {found['seconds']:.0f} s.")
    else:
        output.say("NOT converged: " + "; ".join(found["why_not_converged"]), "bold red")


def _conflicts(found: list[Plain]) -> None:
    rows = []
    for c in found:
        channel = c["channel"] if isinstance(c["channel"], str) else ", ".join(c["channel"])
        again = "–" if c["panel_p"] is None else f"{c['panel_p']:.3f}"
        against = f"{c['verdict']} ({', '.join(c['against'])})" if c["against"] else c["verdict"]
        rows.append([c["experiment_id"], channel, f"{c['p']:.3f}", again, against])
    columns = ["test", "channel", "p, by the model", "p, its sales read again", "verdict"]
    output.table("Do the model without the test, and the sales of its markets, allow what it reports?", columns, rows)
    for c in found:
        if c["decision"] is not None:
            output.say(f"{c['experiment_id']}: {c['decision']}")
        elif c["verdict"] != "agrees":
            output.say(f"Decide about {c['experiment_id']} by `theodolite experiments resolve`.")


def effect_over_time(found: Plain) -> None:
    """By quarter, what the same spend of each channel that varies brought against its average over the data."""
    moving = [channel for channel in found["channels"] if channel["varies"]]
    rows = [
        [
            channel["channel"] if q == 0 else "",
            row["from"],
            output.interval(row["relative"]),
            output.interval(row["iroas"]),
        ]
        for channel in moving
        for q, row in enumerate(channel["quarters"])
    ]
    if rows:
        columns = ["channel", "quarter from", "effect, average = 1", "iROAS at that effect"]
        output.table("What the same spend brought (median and 90 % interval)", columns, rows)
    else:
        output.say(
            'No effect varies in this fit. Let one: write varies = "slow" under its [channels.NAME] and fit again.'
        )
    if not found["converged"]:
        output.say("NOT converged: do not decide on these numbers.", "bold red")
