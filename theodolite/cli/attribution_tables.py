"""Attribution as tables for people; each takes the plain values that ``--json`` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

from measurement.errors import Problem
from theodolite.cli import output

type Plain = Mapping[str, Any]
MOST = 25
"""Channels that are shown; the rest is in ``--json``."""
STYLES = {"serious": "bold red", "look": "yellow", "fine": "green"}


def credit(found: Plain) -> None:
    """Credit by model, one column each; then what is known of Markov's removal effects, of ROAS, and what to mind."""
    models = found["models"]
    names = list(dict.fromkeys(c["channel"] for model in models.values() for c in model["channels"]))
    by_name = {model: {c["channel"]: c for c in each["channels"]} for model, each in models.items()}

    def show(title: str, shown: Sequence[str], words: Any, of: Sequence[str]) -> None:
        rows = [[name, *(words(by_name[model].get(name)) for model in of)] for name in shown[:MOST]]
        if len(shown) > MOST:
            rows.append([f"and {len(shown) - MOST} more", *("" for _ in of)])
        output.table(title, ["channel", *of], rows)

    columns = list(models)
    show("Credited conversions (± half the width of the 90 % interval)", names, _amount("conversions"), columns)
    if found["value"] is not None:
        show("Credited value (± half the width of the 90 % interval)", names, _amount("value"), columns)
    first = by_name[columns[0]]
    paid = [name for name in names if name in first and first[name]["spend"]]
    if paid and found["value"] is not None:
        show("ROAS: credited value per money spent (90 % interval)", paid, _returns, columns)
    elif paid:
        show("Money per credited conversion (90 % interval)", paid, _cost, columns)
    markov = [name for name in columns if any(c["removal_effect"] is not None for c in by_name[name].values())]
    if markov:
        removed = by_name[markov[0]]
        seen = [name for name in names if name in removed and removed[name]["removal_effect"] is not None]
        show("Removal effect: conversions lost without the channel", seen, _removal, markov)
    _closing(found)


def _closing(found: Plain) -> None:
    worth = "" if found["value"] is None else f" worth {found['value']:,.0f}"
    lone = found["no_touch"]["conversions"]
    output.say(f"{found['conversions']:,.0f} conversions{worth}; {lone:,.0f} of them have no touch.")
    output.say("Attribution shows who was present, not who caused what: it cannot see what would have come anyway.")
    window = f", {found['window'][0]} to {found['window'][1]}" if found["window"] else ""
    output.say(f"Spec {found['spec_hash'][:12]}, paths {found['paths_hash'][:12]}{window}, seed {found['seed']}.")
    output.problems([Problem(f["message"], level=f["level"], code=f["code"]) for f in found["findings"]])


def _amount(key: str) -> Any:
    def words(row: Plain | None) -> str:
        quantity = None if row is None else row[key]
        if quantity is None:
            return "–"
        if quantity["low"] is None:
            return f"{quantity['estimate']:,.0f}"
        return f"{quantity['estimate']:,.0f} ± {(quantity['high'] - quantity['low']) / 2:,.0f}"

    return words


def _returns(row: Plain | None) -> str:
    return _ends(row, "roas", 2)


def _cost(row: Plain | None) -> str:
    return _ends(row, "cpa", 2)


def _ends(row: Plain | None, key: str, digits: int) -> str:
    if row is None or row[key] is None:
        return "–"
    ends = row[f"{key}_interval"]
    if ends["low"] is None or ends["high"] is None:
        return f"{row[key]:,.{digits}f}"
    return f"{row[key]:,.{digits}f} [{ends['low']:,.{digits}f}, {ends['high']:,.{digits}f}]"


def _removal(row: Plain | None) -> str:
    return "–" if row is None or row["removal_effect"] is None else f"{row['removal_effect']:.1%}"


def calibrated(found: Plain) -> None:
    """Credit scaled by lift tests; the baseline as its own row."""

    def whole(quantity: Plain | None) -> str:
        if quantity is None:
            return "–"
        return f"{quantity['median']:,.0f} [{quantity['low']:,.0f}, {quantity['high']:,.0f}]"

    rows = [
        [
            row["channel"],
            f"{row['credited']:,.0f}",
            output.interval(row["factor"]),
            whole(row["conversions"]),
            output.interval(row["iroas"]),
            row["tests"] or "–",
        ]
        for row in found["channels"]
    ]
    columns = ["channel", "credited", "really brought per credited", "caused", "iROAS", "tests"]
    output.table(f"Conversions of {found['model']} calibrated by lift tests (median and 90 % interval)", columns, rows)
    output.say("A channel without a test has the factor of channels like it, and a wide interval.")
    for note in found["notes"]:
        output.say(f"{note}.")


def paths(found: Plain) -> None:
    """The commonest paths, lengths, lags, and what was found on the way."""

    def money(amount: float | None) -> str:
        return "–" if amount is None else f"{amount:,.0f}"

    rows = [[p["path"], money(p["conversions"]), money(p["value"]), money(p["nulls"])] for p in found["paths"]]
    output.table("Commonest paths", ["path", "conversions", "value", "without conversion"], rows)
    rows = [
        [
            row["length"],
            f"{row['conversions']:,.0f}",
            f"{row['rate']:.1%} [{row['rate_low']:.1%}, {row['rate_high']:.1%}]",
        ]
        for row in found["lengths"]
    ]
    output.table("By number of touches", ["touches", "conversions", "journeys that converted (90 %)"], rows)
    if found["lags"]:
        lags = dict.fromkeys(row["lag"] for row in found["lags"])
        share = {(row["lag"], row["since"]): f"{row['share']:.1%}" for row in found["lags"]}
        since = ["first touch", "last touch"]
        rows = [[lag, *(share.get((lag, each), "–") for each in since)] for lag in lags]
        output.table("From touch to conversion (share of conversions)", ["before", *since], rows)
    for name, count in found["counts"].items():
        output.say(f"{count:>12,}  {name}")
    output.problems([Problem(f["message"], level=f["level"], code=f["code"]) for f in found["findings"]])


def added(file: str, found: Plain) -> None:
    """What a path store holds now."""
    (first, last), counts = found["window"], found["counts"]
    output.say(
        f"{file} holds {counts['events']:,} events of {first} to {last}: {found['conversions']:,.0f} conversions "
        f"and {found['nulls']:,.0f} journeys without one on {found['paths']:,} distinct paths, and "
        f"{counts['unfinished']:,} journeys that may still convert."
    )
    output.problems([Problem(f["message"], level=f["level"], code=f["code"]) for f in found["findings"]])
    output.say(f"Next: theodolite attribution run --touchpoints {file}")


def audit(found: Plain) -> None:
    """The audit's findings, the gravest first, and the two sweeps."""
    for finding in found["findings"]:
        output.say(f"{finding['severity']:>8}  {finding['sentence']}.", STYLES[finding["severity"]])
    for key, by, title, words in (
        ("windows", "days", "lookback", "{:g} days"),
        ("identity_loss", "loss", "split", "{:.0%} of users split"),
    ):
        if not found[key]:
            continue
        steps = list(dict.fromkeys(row[by] for row in found[key]))
        names = list(dict.fromkeys(row["channel"] for row in found[key]))
        share = {(row["channel"], row[by]): f"{row['share']:.1%}" for row in found[key]}
        largest = sorted(names, key=lambda name: -max(_number(share.get((name, step), "0%")) for step in steps))
        rows = [[name, *(share.get((name, step), "–") for step in steps)] for name in largest[:MOST]]
        heading = f"Share of all conversions credited by {found['model']}, by {title}"
        output.table(heading, ["channel", *(words.format(step) for step in steps)], rows)
    output.say(f"Spec {found['spec_hash'][:12]}, paths {found['paths_hash'][:12]}, seed {found['seed']}.")


def _number(share: str) -> float:
    return float(share.rstrip("%"))
