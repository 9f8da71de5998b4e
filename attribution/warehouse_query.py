"""The path building of `attribution.journeys` as Ibis expressions: the same rules, as SQL of any warehouse.

Only windows, joins and sums that Spark, BigQuery and Snowflake all have: no ASOF join (running sums cut the journeys),
no ordered string aggregation (every touch carries its place, zero-padded, and the collected touches are sorted), no
``epoch_seconds`` (32 bits in some backends).
"""

from dataclasses import dataclass
from typing import Any

import ibis

from attribution.event_log import DAY, KINDS, Codes
from attribution.events import CLICK, CONVERSION, Clock
from attribution.path_spec import PathSpec
from attribution.taxonomy import PART
from attribution.users import GROUPS

PLACE, CHANNEL = 7, 5
"""Digits of a touch's place in its path, and of its channel, in the text of a path."""
JOURNEY = ("user", "journey", "part")
IN_TIME = ("time", "code", "value", "again")
"""An order without ties: equal events are numbered."""


SPARK = ("pyspark", "databricks")
UTC = ("UTC", "Etc/UTC", "GMT", "Z", "+00:00")


@ibis.udf.scalar.builtin(name="date_format")  # type: ignore[untyped-decorator]
def _date_format(time: "ibis.dtype('timestamp')", form: str) -> str:  # type: ignore[valid-type, empty-body]
    """Spark's own function: Ibis cannot take the microseconds of a timestamp there."""


@ibis.udf.scalar.builtin(name="current_timezone")  # type: ignore[untyped-decorator]
def _time_zone() -> str:  # type: ignore[empty-body]
    """Spark's own function: the session's time zone, in which it takes timestamps apart."""


def time_zone(log: Any) -> Any:
    """The time zone in which a Spark session reads its timestamps, one row."""
    return log.limit(1).select(zone=_time_zone())


def moment(time: Any, backend: str) -> Any:
    """Microseconds since 1970 of a timestamp column; an export of GA4 has them."""
    if time.type().is_integer():
        return time
    days = time.date().delta(ibis.date("1970-01-01"), unit="day").cast("int64")
    minutes = (days * 24 + time.hour()) * 60 + time.minute()
    micros = _date_format(time, "SSSSSS").cast("int64") if backend in SPARK else time.microsecond()
    return minutes * 60_000_000 + time.second().cast("int64") * 1_000_000 + micros


def chosen(log: Any, spec: PathSpec, identities: Any = None) -> Any:
    """The log's rows, users and names that the choices ask for; columns as they were."""
    if spec.geos:
        log = log.filter(log["geo"].isin(list(spec.geos)))
    if spec.grain == "campaign":
        channel, campaign = log["channel"].cast("string"), log["campaign"].cast("string")
        both = (log["event"] != "conversion") & (channel.strip() != "") & (campaign.strip() != "")
        log = log.mutate(channel=ibis.ifelse(both.fill_null(False), channel + PART + campaign.strip(), channel))
    if identities is None:
        return log
    persons = identities.select(known=identities["user_id"].cast("string"), person=identities["person"].cast("string"))
    joined = log.mutate(user_id=log["user_id"].cast("string")).left_join(
        persons.distinct(), log["user_id"].cast("string") == persons["known"]
    )
    return joined.mutate(user_id=joined["person"].fill_null(joined["user_id"])).drop("known", "person")


def mapping(log: Any, identities: Any) -> Any:
    """What a map of identities breaks, and whom it joins, one row: two_persons, chains, users, persons."""
    persons = identities.select(known=identities["user_id"].cast("string"), person=identities["person"].cast("string"))
    persons = persons.distinct()
    away = persons.filter(persons["known"] != persons["person"])
    many = persons.group_by("known").agg(number=persons["person"].nunique())
    ids = log.select(user_id=log["user_id"].cast("string")).distinct()
    hit = ids.join(away, ids["user_id"] == away["known"])
    chained = away.filter(away["person"].isin(away.view()["known"]))
    rows = [
        many.agg(two_persons=_number(many["number"] > 1)),
        chained.agg(chains=chained.count()),
        hit.agg(mapped_users=hit["user_id"].nunique(), mapped_persons=hit["person"].nunique()),
    ]
    return rows[0].cross_join(rows[1]).cross_join(rows[2])


def events(log: Any, backend: str) -> Any:
    """The log with ``user_id, moment, channel, event, value, nobody``."""
    value = ibis.null("float64")
    if "value" in log.columns:
        value = log["value"].cast("float64")
        value = ibis.ifelse(value.isnan(), ibis.null("float64"), value)
    return log.select(
        user_id=log["user_id"].cast("string"),
        moment=moment(log["timestamp"], backend),
        channel=log["channel"].cast("string"),
        event=log["event"].cast("string"),
        value=value,
        nobody=log["user_id"].isnull() | (log["user_id"].cast("string").strip() == ""),
    )


def profile(seen: Any) -> tuple[Any, Any]:
    """Counts per channel and event (those of `findings.Profile` and what breaks the contract), and per day."""
    groups = seen.group_by("channel", "event").agg(
        rows=seen.count(),
        valued=seen["value"].count(),
        other_than_0=_number(seen["value"] != 0),
        nobody=_number(seen["nobody"]),
        unsound=_number((seen["value"] < 0) | seen["value"].isinf()),
        untimed=_number(seen["moment"].isnull()),
        timed=_number(seen["moment"] % DAY != 0),
    )
    day = seen.mutate(day=seen["moment"] // DAY)
    days = day.group_by("day").agg(rows=day.count(), first=day["moment"].min(), last=day["moment"].max())
    return groups, days.order_by("day")


@dataclass(frozen=True, slots=True)
class Query:
    """Everything that is asked of the warehouse, each a small table.

    Attributes:
        paths: Per distinct path and group of users: ``path, group, conversions, value, nulls``.
        decay: Per distinct path and place in it: ``path, place, decay, decay_value``.
        lone: Conversions before any touch per group of users: ``group, conversions, value``.
        counts: One row: the fields of `events.Tally` that the rules change.
    """

    paths: Any
    decay: Any
    lone: Any
    counts: Any


def query(seen: Any, codes: Codes, clock: Clock, spec: PathSpec) -> Query:
    """The expressions for a log.

    Args:
        seen: The events, as `events` gives them.
        codes: Codes of channels and events.
        clock: The log's clock.
        spec: The choices.
    """
    coded = _coded(seen, codes, clock)
    known = coded.filter(~coded["nobody"])
    clean, before = _clean(known, spec)
    sessions = _sessions(clean, clock, spec)
    cut = _journeys(sessions, clock, spec)
    steps = _by_choice(_in_reach(cut, clock, spec), codes, spec)
    journeys, placed = _paths(steps[-1])
    return Query(
        paths=_distinct(journeys),
        decay=_decay(placed, journeys, clock.days(spec.half_life_days)),
        lone=_lone(coded, cut, clock),
        counts=_counts(before, (clean, sessions), cut, steps, journeys, clock),
    )


def _coded(seen: Any, codes: Codes, clock: Clock) -> Any:
    """Ticks and codes in place of timestamps and names; ties of one user and tick are in order of the code."""
    by_name = {channel: code for (channel, event), code in codes.of.items() if event == "click"}
    conversion = seen["event"] == "conversion"
    code = seen["channel"].cases(*by_name.items(), else_=0) if by_name else ibis.literal(0)
    code = ibis.ifelse(seen["event"] == "impression", code + 1, code)
    time = (seen["moment"] - clock.origin) // clock.tick
    # A backend's own hash: groups of users differ between backends, as their random draws would.
    lot = ibis.ifelse(seen["nobody"], time, seen["user_id"].fill_null("").hash()).cast("int64") % GROUPS
    return seen.select(
        user="user_id",
        group=(lot + GROUPS) % GROUPS,
        nobody="nobody",
        time=time,
        code=ibis.ifelse(conversion, codes.of["", "conversion"], code).cast("int64"),
        kind=ibis.cases(*((seen["event"] == name, kind) for name, kind in KINDS.items())),
        value=ibis.ifelse(conversion, seen["value"], ibis.null("float64")),
    )


def _clean(known: Any, spec: PathSpec) -> tuple[Any, Any]:
    """Events without repeated ones and, where asked, without bots; and what to count of them, one row per event.

    Equal rows are numbered, so that no later step depends on the order of ties.
    """
    equal = ["user", "time", "code", "value"]
    numbered = known.mutate(again=ibis.row_number().over(ibis.window(group_by=equal, order_by="kind")))
    kept = numbered if spec.duplicates == "keep" else numbered.filter(numbered["again"] == 0)
    touches = (kept["kind"] != CONVERSION).cast("int64").sum().over(ibis.window(group_by="user"))
    judged = kept.mutate(bot=touches > spec.bot_touches)
    clean = judged.filter(~judged["bot"]) if spec.bots == "drop" else judged
    return clean, (numbered, judged)


def _sessions(clean: Any, clock: Clock, spec: PathSpec) -> Any:
    """The events with the first touch only of each session."""
    if not spec.session_gap_minutes:
        return clean
    same = ibis.window(group_by=["user", "code"], order_by=list(IN_TIME))
    told = clean.mutate(gap=clean["time"] - clean["time"].lag().over(same))
    again = (told["kind"] != CONVERSION) & (told["gap"] <= clock.minutes(spec.session_gap_minutes))
    return told.filter(~again.fill_null(False)).drop("gap")


def _journeys(clean: Any, clock: Clock, spec: PathSpec) -> Any:
    """Every event with its journey, its journey's end, and whether it is live and counts."""
    conversion = clean["kind"] == CONVERSION
    # Conversions of one instant may differ in value: they are told apart here, and stay in one journey below.
    order = ibis.window(group_by="user", order_by=list(IN_TIME))
    before = clean.mutate(conversion=conversion).mutate(
        last=lambda t: t["time"].lag().over(order), after=lambda t: t["conversion"].lag().over(order)
    )
    gap = before["time"] - before["last"]
    opens = (
        before["last"].isnull()
        | (before["after"] & ~(before["conversion"] & (gap == 0)))
        | (gap > clock.days(spec.lookback_days))
    )
    running = ibis.window(group_by="user", order_by=list(IN_TIME), preceding=None, following=0)
    numbered = before.mutate(opens=opens.cast("int64")).mutate(journey=lambda t: t["opens"].sum().over(running))
    whole = ibis.window(group_by=["user", "journey"])
    ends = numbered.mutate(
        end=numbered["time"].max().over(whole),
        touched=(~numbered["conversion"]).cast("int64").max().over(whole),
        converts=numbered["conversion"].cast("int64").max().over(whole) == 1,
    )
    until = ibis.ifelse(ends["conversion"], ibis.null("int64"), ends["time"] + _lookback(ends, clock, spec))
    covered = ends.mutate(until=until.max().over(running), own=_live(ends, clock, spec))
    reached = covered.mutate(reached=_reached(covered, covered["own"], whole, spec))
    # every touch of a journey may have expired before its conversion came: then the conversion stands alone
    alone = reached["converts"] & (reached["reached"] == 0) & (reached["touched"] == 1)
    parted = reached.mutate(part=ibis.ifelse(alone & reached["conversion"], 1, 0), split=alone)
    part = ibis.window(group_by=list(JOURNEY))
    again = parted.mutate(
        end=parted["time"].max().over(part),
        converts=parted["conversion"].cast("int64").max().over(part) == 1,
        newest=parted["journey"].max().over(ibis.window(group_by="user")),
    )
    found = again.mutate(live=_live(again, clock, spec))
    followed = (found["journey"] < found["newest"]) | (found["split"] & (found["part"] == 0))
    inside = (found["end"] >= clock.first) & (found["end"] <= clock.last)
    open_ = inside & ~found["converts"] & ~followed & (clock.log_end - found["end"] < clock.days(spec.lookback_days))
    sold = ibis.ifelse(found["conversion"], found["value"].fill_null(0.0), 0.0)
    counts = inside & ~open_ if spec.unfinished == "leave_out" else inside
    return found.mutate(counts=counts, open=open_, sold=sold, size=found.count().over(part)).mutate(
        conversions=lambda t: t["conversion"].cast("int64").sum().over(part),
        value_in_all=lambda t: t["sold"].sum().over(part),
        reached=lambda t: _reached(t, t["live"], part, spec),
        first=lambda t: ibis.row_number().over(ibis.window(group_by=list(JOURNEY), order_by=list(IN_TIME))) == 0,
    )


def _lookback(events: Any, clock: Clock, spec: PathSpec) -> Any:
    return ibis.ifelse(events["kind"] == CLICK, clock.days(spec.click_days), clock.days(spec.impression_days))


def _live(ends: Any, clock: Clock, spec: PathSpec) -> Any:
    return ~ends["conversion"] & (ends["end"] - ends["time"] <= _lookback(ends, clock, spec))


def _reached(events: Any, live: Any, journey: Any, spec: PathSpec) -> Any:
    """1 where a touch is within its lookback at the end of the journey: an own one, or with reuse any before."""
    if spec.after_conversion == "reset":
        return live.cast("int64").max().over(journey)
    return (events["until"].max().over(journey) >= events["end"]).fill_null(False).cast("int64")


def _in_reach(cut: Any, clock: Clock, spec: PathSpec) -> Any:
    """The touches of every path; with reuse one touch stands in the paths of several journeys."""
    if spec.after_conversion == "reset":
        return cut.filter(cut["counts"] & cut["live"])
    counted = cut.filter(cut["counts"])
    journeys = counted.group_by(*JOURNEY).agg(
        end=counted["end"].max(), conversions=counted["conversions"].max(), value_in_all=counted["value_in_all"].max()
    )
    touches = cut.filter(~cut["conversion"]).select("user", "group", "kind", *IN_TIME)
    both = touches.join(journeys, "user")
    within = (both["time"] <= both["end"]) & (both["end"] - both["time"] <= _lookback(both, clock, spec))
    return both.filter(within)


def _by_choice(live: Any, codes: Codes, spec: PathSpec) -> tuple[Any, Any, Any]:
    """The live touches, those that the rule for direct traffic leaves, and those that collapsing leaves of them."""
    live = live.mutate(channel=live["code"] // 2)
    kept = live
    if spec.direct == "drop_unless_only" and codes.direct.any():
        direct = kept["channel"].isin([i for i, is_direct in enumerate(codes.direct) if is_direct])
        others = (~direct).cast("int64").max().over(ibis.window(group_by=list(JOURNEY)))
        told = kept.mutate(out=direct & (others == 1))
        kept = told.filter(~told["out"])
    indirect = kept
    if spec.repeats == "collapse":
        order = ibis.window(group_by=list(JOURNEY), order_by=list(IN_TIME))
        told = kept.mutate(next=kept["channel"].lead().over(order))
        kept = told.filter((told["next"] != told["channel"]).fill_null(True))
    return live, indirect, kept


def _paths(kept: Any) -> tuple[Any, Any]:
    """One row per journey with its path as text, and the touches with their place in it."""
    order = ibis.window(group_by=list(JOURNEY), order_by=list(IN_TIME))
    placed = kept.mutate(place=ibis.row_number().over(order))
    token = placed["place"].cast("string").lpad(PLACE, "0") + placed["channel"].cast("string").lpad(CHANNEL, "0")
    told = placed.mutate(token=token)
    journeys = told.group_by(*JOURNEY).agg(
        path=told["token"].collect().sort().join(""),
        conversions=told["conversions"].max(),
        value=told["value_in_all"].max(),
        group=told["group"].max(),
        newest_touch=told["time"].max(),
    )
    return journeys, placed


def _distinct(journeys: Any) -> Any:
    return journeys.group_by("path", "group").agg(
        conversions=journeys["conversions"].sum().cast("float64"),
        value=journeys["value"].sum(),
        nulls=(journeys["conversions"] == 0).cast("int64").sum(),
    )


def _decay(placed: Any, journeys: Any, half_life: int) -> Any:
    """Credit of time decay by path and place: weights as in `touches.decay`, summed over journeys."""
    won = journeys.filter(journeys["conversions"] > 0).select(*JOURNEY, "path", "newest_touch")
    touches = placed.select(*JOURNEY, "time", "place", "conversions", "value_in_all").join(won, list(JOURNEY))
    age = (touches["newest_touch"] - touches["time"]).cast("float64") / half_life
    weighed = touches.mutate(weight=ibis.literal(2.0).pow(-age))
    each = weighed.mutate(share=weighed["weight"] / weighed["weight"].sum().over(ibis.window(group_by=list(JOURNEY))))
    return each.group_by("path", "place").agg(
        decay=(each["share"] * each["conversions"]).sum(), decay_value=(each["share"] * each["value_in_all"]).sum()
    )


def _lone(coded: Any, cut: Any, clock: Clock) -> Any:
    """Conversions before any touch, those of nobody included."""
    of_users = cut.filter(cut["conversion"] & cut["counts"] & (cut["reached"] == 0)).select("group", money="sold")
    stray = coded.filter(
        coded["nobody"] & (coded["kind"] == CONVERSION) & (coded["time"] >= clock.first) & (coded["time"] <= clock.last)
    ).select("group", money=lambda t: t["value"].fill_null(0.0))
    both = of_users.union(stray)
    return both.group_by("group").agg(conversions=both.count(), value=both["money"].sum())


def _counts(
    before: tuple[Any, Any],
    sessions: tuple[Any, Any],
    cut: Any,
    steps: tuple[Any, Any, Any],
    journeys: Any,
    clock: Clock,
) -> Any:
    """One row with what `events.Tally` counts, from tables of one row each."""
    numbered, judged = before
    clean, left = sessions
    touched = ~cut["conversion"]
    soon = cut["after"] & touched & (cut["time"] - cut["last"] <= clock.minutes(1))
    again, touch = numbered["again"] > 0, numbered["kind"] != CONVERSION
    bot, bot_touch = judged["bot"], judged["kind"] != CONVERSION
    expired = cut["counts"] & ~cut["conversion"] & ~cut["live"]
    rows = [
        numbered.agg(
            users=numbered["user"].nunique(),
            duplicate_touches=_number(again & touch),
            duplicate_conversions=_number(again & ~touch),
        ),
        judged.agg(
            bot_users=judged["user"].nunique(where=bot),
            bot_touches=_number(bot & bot_touch),
            bot_conversions=_number(bot & ~bot_touch),
        ),
        clean.agg(clean=clean.count()),
        left.agg(left=left.count()),
        cut.agg(
            same_instant=_number(cut["counts"] & touched & cut["converts"] & (cut["time"] == cut["end"])),
            just_after=_number(soon),
            expired=_number(expired),
            unfinished=_number(cut["open"] & cut["first"]),
            unfinished_touches=_number(cut["open"]),
        ),
        journeys.agg(journeys=journeys.count()),
        *(step.agg(step.count().name(name)) for step, name in zip(steps, ("live", "indirect", "kept"), strict=True)),
    ]
    out = rows[0]
    for row in rows[1:]:
        out = out.cross_join(row)
    return out


def _number(which: Any) -> Any:
    return which.fill_null(False).cast("int64").sum().fill_null(0)
