"""What to test next, for people: the ranking with its reasons, and which result would change which decision."""

from pathlib import Path

from calibration.next_test.meaning import Reading
from calibration.next_test.result import NextTests, TestValue, Together
from theodolite.report.cells import joined
from theodolite.report.page import (
    Block,
    Cell,
    ChartBlock,
    Column,
    Heading,
    Name,
    Page,
    Points,
    Prose,
    Section,
    Strong,
    TableBlock,
    Text,
)
from theodolite.report.render import write_page
from theodolite.report.words import chance, count, listed, money, number, percent, ratio, span

ALL = 0.95
VERBS = {"go_dark": "stop", "heavy_up": "raise", "holdout": "hold out"}


def section(found: NextTests) -> Section:
    """The section of the report."""
    blocks: list[Block] = []
    best = found.best
    if best is not None:
        blocks += [Heading(_titled(best)), Points(tuple(meaning(best, found)))]
    if found.worthwhile:
        spec = found.chart("container").to_dict(validate=False)
        blocks.append(
            ChartBlock(
                spec,
                title="What each test would be worth",
                caption="The result's expected value to the budget less what the test costs. The interval says how "
                "exactly this could be worked out, not what will come of it.",
                height=90 + 28 * len(found.worthwhile),
                file="next-tests.csv",
            )
        )
        blocks.append(_table(found))
    if len(found.portfolio) > 1:
        blocks += [Heading("Several tests"), Points(tuple(_member(each, found) for each in found.portfolio), True)]
        blocks.append(Prose((_TOGETHER,), tone="muted"))
    if found.idle or found.left_out:
        blocks += [Heading("Nothing to test now"), Points(tuple(idle(found)))]
    blocks.append(Prose((reading(found), *(f"{note[:1].upper()}{note[1:]}." for note in found.notes)), tone="muted"))
    return Section("next-test", "What to test next", "decide", lead=lead(found), blocks=tuple(blocks))


def page(found: NextTests, study: str) -> Page:
    """The ranking as a page of its own, to hand on."""
    notice = "" if found.converged else "The fit behind these numbers has not converged: they are provisional."
    return Page(
        title=joined("What to test next: ", (Name(study),)),
        subtitle=f"{count(found.horizon, found.period)} from {found.first} · {found.currency}",
        sections=(section(found),),
        notice=notice,
        meta={
            "Data": found.provenance.data,
            "Seed": str(found.provenance.seed),
            "Version": found.provenance.versions.get("theodolite", ""),
        },
        leads={"decide": "The money that each test is worth to the budget, and why."},
    )


def write(found: NextTests, study: str, target: Path) -> Path:
    """Write the page; one HTML file that holds everything and works offline.

    Raises:
        DataError: Where the file cannot be written.
    """
    return write_page(page(found, study), target)


def lead(found: NextTests) -> Text:
    """What to do, in a sentence or two."""
    best = found.best
    most = money(found.evpi.value, found.currency)
    if best is None:
        return (
            "No test is worth its cost now: nothing that one could show would change the budget enough. Knowing every "
            f"response curve exactly would be worth {most} over {count(found.horizon, found.period)}."
        )
    return (
        Strong("Test "),
        Name(best.channel),
        Strong(" next: "),
        f"{what(best, found.period)}. Its result is worth about {money(best.value.value, found.currency)} to the "
        f"budget of the {found.horizon - best.known} {found.period}s that are left of {found.horizon} once it is "
        f"known, and the test {costs(best, found)}.",
    )


def what(test: TestValue, period: str) -> str:
    """What is done, without the channel's name."""
    markets = count(len(test.record.treatment_geos), "market")
    verb = {"go_dark": "stop its spend", "holdout": "hold it out"}.get(
        test.direction, f"raise its spend by {percent(test.spend_change)}"
    )
    after = f", read {test.cooldown} longer" if test.cooldown else ""
    return f"{verb} in {markets} for {count(test.duration, period)}{after}"


def costs(test: TestValue, found: NextTests) -> str:
    """What it costs, in words."""
    cost = test.cost
    besides = f", besides {money(cost.besides, found.currency)} whatever it finds" if cost.besides else ""
    if cost.expected > 0:
        ends = span(cost.low, cost.high, lambda x: money(x, found.currency))
        return f"is expected to cost {money(cost.expected, found.currency)} ({ends}){besides}"
    return (
        f"is expected to earn {money(-cost.expected, found.currency)} by itself (not counted: that is a reason to "
        f"change the budget, not to test){besides}"
    )


def meaning(test: TestValue, found: NextTests) -> list[Text]:
    """Which result would change which decision, and how exactly the test would read."""
    believed = test.iroas
    lines: list[Text] = [
        joined(
            "Today ",
            (Name(test.channel),),
            f" is believed to read {ratio(believed.median)} ({span(believed.low, believed.high)}) as the iROAS of this "
            f"test, which would measure it to ±{ratio(test.iroas_error)} (standard error).",
        )
    ]
    if test.channel in found.plan:
        spend = found.plan[test.channel]
        lines.append(
            f"The plan of today spends {money(spend.advised, found.currency)} on it over {found.horizon} "
            f"{found.period}s; as usual it would be {money(spend.usual, found.currency)}."
        )
    lines += [_reading(each, test, found) for each in test.readings]
    if not test.readings:
        lines.append("No likely result would move its own spend noticeably.")
    elif len(test.readings) == 2:
        lines.append("In between, the plan of today stays about as it is.")
    return lines


def _reading(each: Reading, test: TestValue, found: NextTests) -> Text:
    moved = money(abs(each.money), found.currency)
    out = each.money < 0
    start = f"If it reads {each.side} {ratio(each.iroas)} (a chance of {chance(each.chance)}), "
    words = joined(start, (Strong(f"{'move' if out else 'put'} {moved} {'out of' if out else 'more into'} "),))
    words = joined(words, (Name(test.channel),))
    if each.other:
        share = abs(each.other_money / each.money)
        part = "all" if share > ALL else money(abs(each.other_money), found.currency)
        words = joined(words, f", {part} of it {'into' if out else 'from'} ", (Name(each.other),))
    gain = money(each.gain, found.currency)
    return joined(words, f": worth {gain} on average over {count(found.horizon, found.period)}.")


def _titled(test: TestValue) -> Text:
    return joined("What would change: ", (Name(test.channel),), f", {VERBS[test.direction]}")


def _table(found: NextTests) -> TableBlock:
    columns = (
        Column("Test"),
        Column("Where and how long"),
        Column("Believed today", "iROAS", True),
        Column("Measured to", "±, iROAS", True),
        Column("Worth", found.currency, True),
        Column("Costs", found.currency, True),
        Column("Left", found.currency, True),
        Column("Chance", "to be best", True),
    )
    caption = joined(
        "Measured to: standard error of the test itself. Worth: to the budget, for the time that is left once the "
        "result is known; below it, what a test of the same without any error would be worth. Knowing every curve "
        f"exactly: {money(found.evpi.value, found.currency)}."
    )
    return TableBlock(columns, tuple(_row(test, found) for test in found.worthwhile), caption, "next-tests-table.csv")


def _row(test: TestValue, found: NextTests) -> tuple[Cell, ...]:
    low, high = min(test.estimates.values()), max(test.estimates.values())
    left = test.value.value / test.evsi.value if test.evsi.value > 0 else 1.0
    three = f"{number(test.evppi * left)} without error"
    three += "" if test.agree else f"; the three estimators differ: {number(low * left)} to {number(high * left)}"
    ends = test.net.estimate(found.currency)
    geos = listed(list(test.record.treatment_geos)) if len(test.record.treatment_geos) < 5 else ""
    earns = f"earns {number(-test.cost.expected)} itself" if test.cost.expected < 0 else ""
    return (
        Cell(f"{test.channel}, {VERBS[test.direction]}", detail=f"grade {test.grade}"),
        Cell(
            f"{count(len(test.record.treatment_geos), 'market')}, {count(test.duration, found.period)}",
            detail=geos or f"from {test.record.start_date}",
        ),
        Cell(ratio(test.iroas.median), detail=span(test.iroas.low, test.iroas.high), value=test.iroas.median),
        Cell(ratio(test.iroas_error), value=test.iroas_error),
        Cell(number(test.value.value), detail=three, value=test.value.value, tone="plain" if test.agree else "caution"),
        Cell(number(test.cost.charged), detail=earns, value=test.cost.charged),
        Cell(number(test.net.value), detail=span(ends.low, ends.high, number), value=test.net.value),
        Cell(chance(test.chance_best), value=test.chance_best),
    )


_TOGETHER = (
    "Chosen one by one for what each adds to those before it: what one test has settled, the next cannot change again. "
    "No market is in two tests at once, and a result counts from the day on which it is known."
)


def _member(each: Together, found: NextTests) -> Text:
    markets = listed([*each.record.treatment_geos[:6], *(["others"] if len(each.record.treatment_geos) > 6 else [])])
    return joined(
        (Name(each.channel),),
        f", {VERBS[each.direction]}, from {each.record.start_date} in {markets}: adds "
        f"{money(each.adds, found.currency)}, costs {money(each.cost, found.currency)}.",
    )


def idle(found: NextTests) -> list[Text]:
    """Channels that no test is worth running for, and those that none is ranked for, with the reason."""
    lines: list[Text] = []
    for name in found.idle:
        spend = found.plan[name]
        share = percent(spend.advised / spend.usual) if spend.usual > 0 else ""
        why = {
            "fixed": "its spend may not move, so no result could move it",
            "low": f"the plan of today takes it down to its limit ({share} of usual spend), where every likely result "
            "would leave it",
            "high": f"the plan of today takes it up to its limit ({share} of usual spend), where every likely result "
            "would leave it",
            "": "it is known well enough: no likely result would move much money",
        }[spend.held]
        lines.append(joined((Name(name),), f": {why}."))
    lines += [joined((Name(name),), f" is not ranked: {why}.") for name, why in sorted(found.left_out.items())]
    return lines


def reading(found: NextTests) -> str:
    """How the numbers come about."""
    return (
        f"{found.compared} tests were compared. Each is run in the model before it is run in the market: its possible "
        "results are simulated with the error that its markets have shown on your own history, the model's beliefs are "
        f"updated by each, and the budget of {money(found.total, found.currency)} is decided again (margin "
        f"{percent(found.margin)}). A test is worth what that earns on average. It is worth nothing where no result "
        "would change the budget."
    )
