"""A backtest in words and tables, for people."""

from typing import TYPE_CHECKING

from theodolite.cli import output

if TYPE_CHECKING:
    from measurement.validation.backtested import Backtest
    from measurement.validation.scores import Figure, Scores

SHOWN_GEOS = 12


def backtest(found: "Backtest") -> None:
    """Scores beside those of naive forecasts, folds, geos, then the verdict."""
    first, last = found.folds[0], found.folds[-1]
    start, end = (day.astype("datetime64[D]") for day in (first.dates[0], last.dates[-1]))
    title = f"Backtest: {len(found.folds)} folds of {found.horizon} {found.period}s, {start} to {end}"
    output.table(title, ["what", "who", "error (wMAPE)", "bias", "CRPS", "90 % intervals hold", "skill"], _rows(found))
    rows = []
    for fold in found.to_dict()["folds"]:
        held = "yes" if fold["held_90"] else "NO"
        off = fold["median"] / fold["came"] - 1
        tests = str(len(fold["tests"]))
        rows.append([fold["from"], str(fold["history"]), tests, f"{fold['came']:,.0f}", f"{off:+.1%}", held])
    columns = [
        "from",
        f"{found.period}s known",
        "tests known",
        f"{found.kpi} that came",
        "median off by",
        "held (90 %)",
    ]
    output.table("Each fold, all its periods and geos together", columns, rows)
    _geos(found)
    for line in found.verdict():
        output.say(line)
    output.say(
        f"Skill is how much smaller the CRPS is than that naive forecast's. Brackets: 90 % intervals over folds. "
        f"{found.seconds:.0f} s of fitting, seed {found.provenance.seed}."
    )


def _rows(found: "Backtest") -> list[list[str]]:
    from measurement.validation.backtested import WORDS

    rows = []
    for target in found.targets:
        what = WORDS[target].format(period=found.period, horizon=found.horizon)
        rows.append([what, "the model", *_cells(found.scores(target)), ""])
        for name, words in found.naive.items():
            better = found.skill(target, name)
            rows.append(["", words, *_cells(found.scores(target, name)), "" if better is None else _share(better)])
    return rows


def _cells(scores: "Scores") -> list[str]:
    held = scores.coverage[-1]
    return [
        _share(scores.wmape, 1),
        f"{scores.bias.value:+.1%}",
        f"{scores.crps.value:.1%}",
        f"{held.held:.0%} [{held.low:.0%}, {held.high:.0%}]",
    ]


def _share(figure: "Figure", digits: int = 0) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}%}"
    return f"{figure.value:.{digits}%} [{figure.low:.{digits}%}, {figure.high:.{digits}%}]"


def _geos(found: "Backtest") -> None:
    """The geos, those with the largest errors first."""
    geos = sorted(found.by_geo(), key=lambda each: -each[1].wmape.value)
    if not geos:
        return
    rows = [[geo, *_cells(scores), "" if better is None else _share(better)] for geo, scores, better in geos]
    columns = ["geo", "error (wMAPE)", "bias", "CRPS", "90 % intervals hold", "skill"]
    output.table(f"Each {found.period} by geo, the largest errors first", columns, rows[:SHOWN_GEOS])
    if len(rows) > SHOWN_GEOS:
        output.say(f"{len(rows) - SHOWN_GEOS} geos with smaller errors are in --json.")
