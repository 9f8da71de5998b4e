"""Aggregated paths: a table of ``path, conversions, value, nulls``, the channels of a path joined by `` > ``.

A table where no path holds `` > `` may join them by a bare ``>``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attribution import findings
from attribution.path_spec import PathSpec
from attribution.path_table import NO_TOUCH, SEPARATOR, Paths
from attribution.taxonomy import is_direct, names_of
from measurement.errors import DataError, Problem
from measurement.reading import source
from measurement.reading.source import Column, Contract, Loaded

PATHS = Contract(
    "paths",
    (
        Column("path", "text", longest=100_000),
        Column("conversions", "number", minimum=0.0),
        Column("value", "number", required=False, minimum=0.0, advice="write 0 where conversions brought nothing"),
        Column("nulls", "number", required=False, minimum=0.0, advice="write 0 where every journey converted"),
    ),
)


def read(table: str | Path, spec: PathSpec, channels: Sequence[str] = ()) -> Paths:
    """Read aggregated paths; equal ones add up.

    Aliases, the rule for direct traffic and collapsing apply; lookbacks and half-life do not, as there are no times.

    Args:
        table: Csv or parquet.
        spec: The choices.
        channels: Names that are known; others are reported.

    Raises:
        DataError: With file, line and column of every problem, and where ``spec`` asks for a period or for geos.
    """
    if spec.geos:
        raise DataError("aggregated paths have no geo, so 'geos' cannot be applied to them")
    if spec.start is not None or spec.end is not None:
        raise DataError("aggregated paths have no dates, so 'start' and 'end' cannot be applied to them")
    read_in = source.read(PATHS, table, _rules)
    return from_frame(read_in.frame, spec, channels, read_in.problems)


def from_frame(frame: pd.DataFrame, spec: PathSpec, channels: Sequence[str], problems: Sequence[Problem] = ()) -> Paths:
    """Paths from a frame that keeps the contract."""
    spaced = frame["path"].str.contains(SEPARATOR, regex=False).any()
    separator = SEPARATOR if spaced else SEPARATOR.strip()
    touches = [
        () if path == NO_TOUCH else tuple(name.strip() for name in path.split(separator)) for path in frame["path"]
    ]
    raw = sorted({name for path in touches for name in path})
    aliases = dict(zip(raw, names_of(raw, spec.model_copy(update={"grain": "channel"})), strict=True))
    totals: dict[tuple[str, ...], NDArray[np.float64]] = {}
    numbers = [frame[name] if name in frame else np.zeros(len(frame)) for name in ("conversions", "value", "nulls")]
    for path, row in zip(touches, np.column_stack(numbers), strict=True):
        ours = _by_choice(tuple(aliases[name] for name in path), spec)
        totals[ours] = totals.get(ours, np.zeros(3)) + row
    lone = totals.pop((), np.zeros(3))
    names = tuple(sorted(set(aliases.values())))
    order = sorted(totals, key=lambda path: (totals[path][0] == 0, path))
    sums = np.array([totals[path] for path in order]).reshape(-1, 3)
    place = {name: i for i, name in enumerate(names)}
    valued = "value" in frame
    return Paths(
        channels=names,
        touches=_flat([place[name] for path in order for name in path]),
        offsets=np.concatenate([[0], np.cumsum([len(path) for path in order])]).astype(np.int64),
        conversions=sums[:, 0],
        nulls=sums[:, 2],
        value=sums[:, 1] if valued else None,
        no_touch=(float(lone[0]), float(lone[1])),
        spec=spec,
        counts={"rows": len(frame), "paths": len(order)},
        findings=(*problems, *findings.of_names(raw, spec, channels)),
    )


def _flat(places: list[int]) -> NDArray[np.int32]:
    return np.array(places, dtype=np.int32)


def _by_choice(path: tuple[str, ...], spec: PathSpec) -> tuple[str, ...]:
    if spec.direct == "drop_unless_only":
        path = tuple(name for name in path if not is_direct(name)) or path
    if spec.repeats == "collapse":
        path = tuple(name for name, after in zip(path, (*path[1:], None), strict=True) if name != after)
    return path


def _rules(loaded: Loaded) -> list[Problem]:
    """Blank steps of a path, money or nulls where they cannot be, and a table without a single conversion."""
    (spaced,) = loaded.connection.execute("SELECT bool_or(contains(path, ' > ')) FROM rows").fetchone() or (False,)
    blank = r"(^\s*> )|( >\s+> )|( >\s*$)" if spaced else r"(^\s*>)|(>\s*>)|(>\s*$)"
    step = "list_contains(list_transform(string_split(path, '>'), lambda name: trim(name)), '(no touch)')"
    valued = "value" if "value" in loaded.aliases else "0.0"
    nulls = "nulls" if "nulls" in loaded.aliases else "0.0"
    where = "SELECT source_row FROM rows WHERE {} ORDER BY 1 LIMIT 1000"
    rules = (
        (
            f"regexp_matches(path, '{blank}')",
            "a step of the path is blank; channels are joined by ' > '",
            "blank-step",
            "path",
        ),
        (
            f"path <> '{NO_TOUCH}' AND {step}",
            f"'{NO_TOUCH}' stands alone: it is no channel",
            "reserved-name",
            "path",
        ),
        (f"{valued} > 0 AND conversions = 0", "there is value and no conversion", "value-without-conversion", "value"),
        (
            f"path = '{NO_TOUCH}' AND {nulls} > 0",
            "a journey without a touch cannot be null",
            "null-without-touch",
            "nulls",
        ),
    )
    problems = []
    for rule, words, code, column in rules:
        rows = [row for (row,) in loaded.connection.execute(where.format(rule)).fetchall()]
        problems += loaded.at(rows, words, code, column)
    return problems
