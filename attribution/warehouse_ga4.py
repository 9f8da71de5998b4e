"""An export of GA4 to BigQuery as an Ibis expression: its nested rows to sessions and conversions, where they lie.

The rules are those of `attribution.ga4`; what a table may call its fields is known by the types of its columns.
"""

from collections.abc import Sequence
from typing import Any

import ibis

from attribution.ga4 import FIELDS, default_group
from attribution.path_spec import PathSpec
from measurement.errors import Problem, refuse

NOTHING = "(not set)"


def touchpoints(export: Any, spec: PathSpec) -> tuple[Any, dict[str, int]]:
    """The events of an export as `read_warehouse` takes them (but for times, microseconds since 1970), and counts.

    Two queries are run: which pairs of source and medium there are, and the counts.

    Args:
        export: An Ibis table with the columns of an export, nested or flattened.
        spec: Its ``ga4_conversion`` and ``ga4_channels``.

    Raises:
        DataError: Where a field that is needed is in none of its places, or no event is the conversion.
    """
    rows = _rows(export)
    sessions, sales = _sessions(rows), _sales(rows, spec)
    pairs = sessions.select("source", "medium").distinct().to_pyarrow().to_pylist()
    grouped = spec.ga4_channels == "group"
    names = {
        (pair["source"], pair["medium"]): default_group(pair["source"], pair["medium"])
        if grouped
        else f"{pair['source']} / {pair['medium']}"
        for pair in pairs
    }
    counted = (
        rows.agg(ga4_events=rows.count())
        .cross_join(sessions.agg(ga4_sessions=sessions.count(), ga4_no_source=_number(sessions["no_source"])))
        .cross_join(sales.agg(sales=sales.count(), repeated_transactions=_number(sales["again"])))
    )
    counts = {name: int(number) for name, number in counted.to_pyarrow().to_pylist()[0].items()}
    if not counts.pop("sales"):
        words = f"no event is '{spec.ga4_conversion}'; set 'ga4_conversion' to the event that is the conversion"
        refuse([Problem(words, column="event_name", code="no-conversion")])
    channel = ibis.cases(
        *(
            ((sessions["source"] == source) & (sessions["medium"] == medium), name)
            for (source, medium), name in names.items()
        ),
        else_=ibis.null("string"),
    )
    clicks = sessions.select(
        user_id="person",
        timestamp="moment",
        channel=channel,
        event=ibis.literal("click"),
        value=ibis.null("float64"),
        campaign="campaign",
        geo="geo",
    )
    sold = sales.filter(~sales["again"])
    conversions = sold.select(
        user_id="person",
        timestamp="moment",
        channel=ibis.null("string"),
        event=ibis.literal("conversion"),
        value=sold["revenue"].fill_null(0.0),
        campaign=ibis.null("string"),
        geo="geo",
    )
    return clicks.union(conversions), counts


def _rows(export: Any) -> Any:
    """Every event with its person, session and source."""
    found = {name: _field(export, places) for name, places in FIELDS.items()}
    refuse(
        [
            Problem(f"is needed: one of {', '.join(FIELDS[name])}", column=name, code="missing-column")
            for name in ("session", "source", "medium")
            if found[name] is None
        ]
    )
    known = {name: ibis.null("string") if field is None else field for name, field in found.items()}
    clicked = known["gclid"].notnull()
    raw = export.select(
        moment=export["event_timestamp"].cast("int64"),
        device=_filled(export["user_pseudo_id"].cast("string"), whole=False),
        login=known["user_id"],
        event_name=export["event_name"].cast("string"),
        session=known["session"],
        source=known["source"].fill_null(ibis.ifelse(clicked, "google", ibis.null("string"))),
        medium=known["medium"].fill_null(ibis.ifelse(clicked, "cpc", ibis.null("string"))),
        campaign=known["campaign"],
        revenue=known["revenue"].try_cast("float64"),
        transaction=known["transaction"],
        geo=known["geo"],
    )
    told = raw.filter(raw["login"].notnull() & raw["device"].notnull())
    owners = told.group_by(owned="device").agg(owner=told["login"].max(), owners=told["login"].nunique())
    owners = owners.filter(owners["owners"] == 1)
    joined = raw.left_join(owners, raw["device"] == owners["owned"]).drop("owned", "owners")
    return joined.mutate(person=ibis.coalesce(joined["login"], joined["owner"], joined["device"])).drop("owner")


def _field(export: Any, places: Sequence[str]) -> Any:
    """The first filled of the places of a field that the table has, as text; ``None`` where it has none."""
    schema, found = export.schema(), []
    for place in places:
        record, dot, field = place.partition(".")
        parameters, colon, key = place.partition(":")
        if colon:
            found += _parameter(export, parameters, key) if parameters in schema else []
        elif dot and record in schema and schema[record].is_struct() and field in schema[record].names:
            found.append(export[record][field])
        else:
            names = (place, f"{record}_{field}") if dot else (place,)
            found += [export[name] for name in names if name in schema and not schema[name].is_nested()]
    filled = [_filled(each.cast("string")) for each in found]
    return ibis.coalesce(*filled) if filled else None


def _parameter(export: Any, parameters: str, key: str) -> list[Any]:
    kind = export.schema()[parameters]
    if not (kind.is_array() and kind.value_type.is_struct() and {"key", "value"} <= set(kind.value_type.names)):
        return []
    value = export[parameters].filter(lambda each: each["key"] == key)[0]["value"]
    return [value[name] for name in ("string_value", "int_value") if name in kind.value_type["value"].names]


def _filled(text: Any, *, whole: bool = True) -> Any:
    trimmed = text.strip().nullif("")
    return trimmed.nullif(NOTHING) if whole else trimmed


def _sessions(rows: Any) -> Any:
    """One row per session of a device: its first event, and the first source that its events tell."""
    inside = rows.filter(rows["session"].notnull())
    inside = inside.mutate(owner=ibis.coalesce(inside["device"], inside["person"]))
    key = ["owner", "session"]
    by_time = ibis.window(group_by=key, order_by=["moment", "person"])
    by_source = ibis.window(
        group_by=key, order_by=[inside["source"].isnull().cast("int64"), "moment", "source", "medium", "campaign"]
    )
    told = inside.mutate(
        first=ibis.row_number().over(by_time),
        telling=ibis.row_number().over(by_source),
        began=inside["moment"].min().over(ibis.window(group_by=key)),
        place=inside["geo"].min().over(ibis.window(group_by=key)),
    )
    people = told.filter(told["first"] == 0).select(one="owner", other="session", who="person")
    sources = told.filter(told["telling"] == 0)
    both = sources.join(people, [sources["owner"] == people["one"], sources["session"] == people["other"]])
    lone = both["source"].isnull()
    return both.select(
        person="who",
        moment="began",
        source=both["source"].fill_null("(direct)"),
        medium=ibis.ifelse(lone, "(none)", both["medium"].fill_null("(none)")),
        campaign=ibis.ifelse(lone, ibis.null("string"), both["campaign"]),
        no_source=lone,
        geo="place",
    )


def _sales(rows: Any, spec: PathSpec) -> Any:
    """Conversions, and whether their transaction was there before."""
    sold = rows.filter(rows["event_name"] == spec.ga4_conversion)
    before = ibis.row_number().over(ibis.window(group_by="transaction", order_by=["moment", "person"]))
    told = sold.mutate(number=before)
    return told.mutate(again=told["transaction"].notnull() & (told["number"] > 0))


def _number(which: Any) -> Any:
    return which.cast("int64").sum().fill_null(0)
