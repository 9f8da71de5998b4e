"""Flights: from what a user writes of a plan over periods to what the planner takes, and the plan as a file."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.errors import refuse as refuse_all
from measurement.whole_file import whole_file
from theodolite import plans

if TYPE_CHECKING:
    from measurement import Panel
    from measurement.plan.carry import After
    from measurement.plan.flighting import Flighting
    from measurement.plan.periods import Periods
    from theodolite.config import Config
    from theodolite.results import Fitted

AFTER = ("usual", "nothing")


@dataclass(frozen=True)
class Asked:
    """What a plan over periods was asked for, as texts; see ``theodolite flight --help``.

    Attributes:
        money: ``CHANNEL=MONEY``, the channels to plan; all of them with the money of business as usual where empty.
        bounds: ``CHANNEL=LOW:HIGH``, what one period may spend.
        others: ``LOW:HIGH`` for the channels that ``bounds`` does not name.
        ramps: ``SHARE`` for all channels or ``CHANNEL=SHARE``.
        pulses: Channels whose periods may also spend nothing.
        dark: ``CHANNEL=DATE`` or ``CHANNEL=DATE..DATE``.
        fixed: ``CHANNEL=DATE:MONEY``.
        after: ``usual`` or ``nothing``.
    """

    money: Iterable[str] = ()
    bounds: Iterable[str] = ()
    others: str = "0.5:2"
    ramps: Iterable[str] = ()
    pulses: Iterable[str] = ()
    dark: Iterable[str] = ()
    fixed: Iterable[str] = ()
    after: str = "usual"


def advise(panel: "Panel", fitted: "Fitted", config: "Config", asked: Asked, periods: int | None) -> "Flighting":
    """The best timing on a fit, under the study's names."""
    from calibration.conflict import withheld
    from measurement.plan.budget import quarter
    from measurement.plan.flighting import flighting
    from measurement.plan.horizon import business_as_usual

    if asked.after not in AFTER:
        words = f"after the plan: found '{shown(asked.after)}'{did_you_mean(asked.after, AFTER)}"
        raise DataError([Problem(f"{words}; allowed are {', '.join(AFTER)}", code="after")])
    plan = business_as_usual(panel, quarter(panel) if periods is None else periods)
    usual = dict(zip(panel.channels, plan.by_channel.tolist(), strict=True))
    money = _money(asked.money, config, usual)
    planned = money or {name: total for name, total in usual.items() if total > 0}
    held = {} if money else withheld(fitted.conflicts)
    otherwise = _periods(asked.others, panel.currency)
    return flighting(
        fitted.best,
        panel,
        horizon=plan,
        money=planned,
        limits=_limits(asked, panel, config, plan.dates.astype("datetime64[D]").tolist(), otherwise, planned),
        otherwise=otherwise,
        after=cast("After", asked.after),
        held=held,
    )


def refuse(file: Path | None) -> None:
    """Refuse a file that the plan cannot be written to, before anything is worked out."""
    if file is None:
        return
    if file.suffix.lower() != ".csv":
        raise DataError(f"a plan is written to a .csv; found '{shown(file.name)}'")
    if file.exists():
        raise DataError(f"{shown(file)} is there already: name another file")


def save(found: "Flighting", file: Path | None) -> None:
    """Write the plan as ``date, channel, spend``, where a file is wanted."""
    if file is not None:
        with whole_file(file, "the plan", over=False) as draft:
            found.to_frame().to_csv(draft, index=False, date_format="%Y-%m-%d", float_format="%.2f")


def _money(texts: Iterable[str], config: "Config", usual: dict[str, float]) -> dict[str, float]:
    found, wrong = {}, []
    currency = config.study.currency
    for text in texts:
        name, sign, amount = text.rpartition("=")
        side = plans.side_of(amount, currency) if sign and name.strip() else None
        if side is None:
            words = f"expected CHANNEL=MONEY, times business as usual (tv=1.2) or money (tv=400000{currency})"
            wrong.append(Problem(f"--money: found '{shown(text)}'; {words}", code="budget-total"))
            continue
        channel = config.aliases.get(name.strip(), name.strip())
        found[channel] = side[0] * (1.0 if side[1] else usual.get(channel, 0.0))
    refuse_all(wrong)
    return found


def _limits(
    asked: Asked, panel: "Panel", config: "Config", days: list[date], otherwise: "Periods", planned: Iterable[str]
) -> "dict[str, Periods]":
    names, found = config.aliases, {}
    shared = [text for text in asked.ramps if "=" not in text]
    start = replace(otherwise, ramp=_number(shared[-1], "--ramp")) if shared else otherwise
    if shared:
        found = dict.fromkeys(planned, start)

    def change(name: str, **fields: Any) -> None:
        channel = names.get(name, name)
        found[channel] = replace(found.get(channel, start), **fields)

    for name, text in plans.pairs(asked.bounds, "--bound"):
        own = _periods(text, panel.currency)
        change(name, low=own.low, high=own.high, least=own.least, most=own.most)
    for name, text in _split([text for text in asked.ramps if "=" in text], "--ramp", "CHANNEL=SHARE"):
        change(name, ramp=_number(text, "--ramp"))
    for name in asked.pulses:
        change(name, pulses=True)
    for name, text in _split(asked.dark, "--dark", "CHANNEL=DATE or CHANNEL=DATE..DATE"):
        first, _, last = text.partition("..")
        low, high = _day(first, "--dark"), _day(last or first, "--dark")
        within = {day for day in days if low <= day <= high} if last else {low}
        if not within:
            raise DataError(f"--dark: no {panel.period} of the plan begins from {low} to {high}")
        change(name, dark=found.get(names.get(name, name), start).dark | within)
    for name, text in _split(asked.fixed, "--fixed", f"CHANNEL=DATE:MONEY, such as tv={days[0]}:20000{panel.currency}"):
        day, _, amount = text.partition(":")
        side = plans.side_of(amount, panel.currency)
        if side is None or not side[1]:
            raise DataError(
                f"--fixed: found '{shown(text)}'; expected DATE:MONEY, such as {days[0]}:20000{panel.currency}"
            )
        settled = dict(found.get(names.get(name, name), start).fixed)
        change(name, fixed=settled | {_day(day, "--fixed"): side[0]})
    return found


def _periods(text: str, currency: str) -> "Periods":
    from measurement.plan.periods import Periods

    bound = plans.bound_of(text, currency)
    return Periods(low=bound.low, high=bound.high, least=bound.least, most=bound.most)


def _split(texts: Iterable[str], option: str, expected: str) -> list[tuple[str, str]]:
    found = [(text, *text.rpartition("=")) for text in texts]
    refuse_all(
        [
            Problem(f"{option}: found '{shown(text)}', expected {expected}", code="bound")
            for text, name, _, rest in found
            if not name.strip() or not rest.strip()
        ]
    )
    return [(name.strip(), rest.strip()) for _, name, _, rest in found]


def _number(text: str, option: str) -> float:
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", text.strip()):
        raise DataError(f"{option}: found '{shown(text)}', expected a share such as 0.3")
    return float(text)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise DataError(f"{option}: found '{shown(text)}', a day is written YYYY-MM-DD") from None
