"""What to test next, as a table and a few sentences."""

from typing import TYPE_CHECKING

from theodolite.cli import output
from theodolite.report import next_test as say
from theodolite.report.page import plain
from theodolite.report.plan_words import UNCONVERGED
from theodolite.report.words import chance, count, money, number, ratio, span

if TYPE_CHECKING:
    from calibration.next_test.result import NextTests, TestValue


def ranking(found: "NextTests") -> None:
    """The ranking, what its best test would change, several tests together, and what is not ranked."""
    columns = ["test", "markets", f"{found.period}s", "believed iROAS", "measured to ±"]
    columns += [f"worth ({found.currency})", "costs", "left", "the best"]
    rows = [_row(rank, test) for rank, test in enumerate(found.worthwhile, 1)]
    if rows:
        title = f"What to test next, for the budget of {count(found.horizon, found.period)} from {found.first}"
        output.table(title, columns, rows)
    output.say(plain(say.lead(found)), "bold")
    if found.best is not None:
        for line in say.meaning(found.best, found):
            output.say(f"  {plain(line)}")
    if len(found.portfolio) > 1:
        output.say("Several tests, each for what it adds to those before it:")
        for step, each in enumerate(found.portfolio, 1):
            output.say(
                f"  {step}. {each.channel}, {say.VERBS[each.direction]}, from {each.record.start_date} in "
                f"{', '.join(each.record.treatment_geos)}: adds {money(each.adds, found.currency)}, costs "
                f"{money(each.cost, found.currency)}."
            )
    if found.idle or found.left_out:
        output.say("Nothing to test now:")
    for line in say.idle(found):
        output.say(f"  {plain(line)}")
    output.say(say.reading(found))
    for note in found.notes:
        output.say(f"{note[:1].upper()}{note[1:]}.", "yellow")
    if not found.converged:
        output.say(UNCONVERGED, "bold red")


def _row(rank: int, test: "TestValue") -> list[str]:
    return [
        f"{rank}. {test.channel}, {say.VERBS[test.direction]}",
        str(len(test.record.treatment_geos)),
        f"{test.duration}+{test.cooldown}",
        f"{ratio(test.iroas.median)} [{span(test.iroas.low, test.iroas.high)}]",
        ratio(test.iroas_error),
        number(test.value.value) + ("" if test.agree else " ?"),
        number(test.cost.charged),
        f"{number(test.net.value)} ± {number(test.net.error)}",
        chance(test.chance_best),
    ]
