"""A comparison of models in words and tables, for people."""

from typing import TYPE_CHECKING

from theodolite.cli import output

if TYPE_CHECKING:
    from measurement.validation.compared import Comparison, Judged


def comparison(found: "Comparison", text: str) -> None:
    """Candidates, the best first; what they say of money; the choice, why, as settings (``text``), and its cost."""
    tested = any(one.backtest for one in found.judged)
    columns = ["model", "elpd beyond the model as it is", "as good as the chosen", "weight"]
    columns += [*(["backtest CRPS, as it is = 1"] if tested else []), "R-hat", "seconds"]
    good = found.as_good()
    output.table(
        f"{len(found.judged)} models, the best first (± is the standard error of the difference)",
        columns,
        [_row(found, one, good, tested) for one in found.ranked],
    )
    chosen, stacked, spread = found.iroas(found.chosen), found.stacked(), found.spread()
    rows = []
    for name, own in chosen.items():
        low, high, matters = spread[name]
        both = [output.interval(own.to_dict()), output.interval(stacked[name].to_dict())]
        rows.append([name, *both, f"{low:.2f} to {high:.2f}", "YES" if matters else "no"])
    columns = ["channel", "the chosen model", "all, stacked", "medians of those as good", "does the choice matter?"]
    output.table("iROAS (median and 90 % interval)", columns, rows)
    for line in found.why():
        output.say(line)
    if text:
        output.say("In theodolite.toml:")
        output.say(text)
    output.say(
        f"{found.fits} fits took {found.seconds:.0f} s, {found.wall_seconds:.0f} s by the clock; seed "
        f"{found.provenance.seed}. Elpd judges prediction, not cause: only lift tests judge iROAS."
    )


def _row(found: "Comparison", one: "Judged", good: "list[Judged]", tested: bool) -> list[str]:
    gap, error = one.beyond(found.own)
    ratio = found.beside_own(one)
    name = one.candidate.name + (" (chosen)" if one is found.chosen else "")
    crps = "–" if ratio is None else f"{ratio.value:.2f}"
    if ratio is not None and ratio.low is not None and ratio.high is not None and one is not found.own:
        crps += f" [{ratio.low:.2f}, {ratio.high:.2f}]"
    return [
        name,
        "–" if one is found.own else f"{gap:+.1f} ± {error:.1f}",
        "yes" if one in good else "no",
        f"{one.weight:.0%}",
        *([crps] if tested else []),
        f"{one.diagnostics.rhat:.3f}{'' if one.diagnostics.converged else ' NOT converged'}",
        f"{one.diagnostics.seconds:.0f}",
    ]
