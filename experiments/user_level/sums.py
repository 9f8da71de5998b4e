"""Sums of a loaded table of users, by arm, exposure and day, taken in DuckDB.

Sums are of whole numbers: every term is scaled by a power of two that takes the largest to 61 bits, and rounded, so
that neither the order of the rows nor the number of threads changes a digit.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import frexp
from typing import Any

import numpy as np

from experiments.user_level.moments import Cells
from measurement.errors import refuse
from measurement.reading.source import Loaded
from measurement.typing import Floats

LARGEST = 1e18
_BITS = 61
_NOISE = 2.0**-58
"""What rounding may leave of a variance, as a share of the squared range."""


def ranges(loaded: Loaded, names: Sequence[str]) -> tuple[Floats, Floats, frozenset[str]]:
    """Least and largest value of each column, shape (columns,), and the columns that hold nothing but 0 and 1.

    Raises:
        DataError: Where a value is beyond all reason.
    """
    each = (loaded.aliases[name] for name in names)
    chosen = ", ".join(f"min({x}), max({x}), bool_and({x} = 0 OR {x} = 1)" for x in each)
    row = loaded.connection.execute(f"SELECT {chosen} FROM users").fetchone() or ()  # noqa: S608
    lows, highs = np.array(row[::3], dtype=np.float64), np.array(row[1::3], dtype=np.float64)
    refuse(
        [
            loaded.parts[0].file.problem(f"holds {worst:g}; no KPI of a user is as large", "too-large", column=name)
            for name, low, high in zip(names, lows, highs, strict=True)
            if (worst := max(abs(low), abs(high))) > LARGEST
        ]
    )
    return lows, highs, frozenset(name for name, only in zip(names, row[2::3], strict=True) if only)


def cells(loaded: Loaded, names: Sequence[str], kpis: Sequence[str], limits: tuple[Floats, Floats], day: str) -> Cells:
    """Sum up the relation ``users``.

    Args:
        loaded: The table.
        names: Columns to sum.
        kpis: Those of them that are KPIs; products of two KPIs are left at 0, as nothing looks at them.
        limits: Least and largest value of each column, from `ranges`.
        day: SQL of the day of enrolment.
    """
    columns = range(len(names))
    lows, size = limits[0], limits[1] - limits[0]
    pairs = [
        (i, j) for i, j in combinations_with_replacement(columns, 2) if i == j or not {names[i], names[j]} <= set(kpis)
    ]
    bits = [_bits(each) for each in size]
    pair_bits = [_bits(size[i] * size[j]) for i, j in pairs]
    terms = [_whole_sum(f"d{i}", bits[i]) for i in columns]
    terms += [_whole_sum(f"d{i} * d{j}", at) for (i, j), at in zip(pairs, pair_bits, strict=True)]
    terms += [f"count_if(d{i} <> {_literal(0.0 - lows[i])})" for i in columns]
    apart = ", ".join(f"{loaded.aliases[name]} - {_literal(lows[i])} AS d{i}" for i, name in enumerate(names))
    flags = [f"coalesce({name}, false)" if name in loaded.aliases else "false" for name in ("exposed", "predicted")]
    rows = f"SELECT arm = 'treatment' AS t, {flags[0]} AS e, {flags[1]} AS p, {day} AS day, {apart} FROM users"  # noqa: S608
    query = f"SELECT t, e, p, day, count(*), {', '.join(terms)} FROM ({rows}) GROUP BY ALL ORDER BY t, e, p, day"  # noqa: S608
    found = loaded.connection.execute(query).fetchall()
    wide, own = len(names), 5
    mean, scatter = np.zeros((len(found), wide)), np.zeros((len(found), wide, wide))
    for c, row in enumerate(found):
        count = row[4]
        sums = [Fraction(row[own + i]) / Fraction(2) ** bits[i] for i in columns]
        mean[c] = [lows[i] + float(sums[i] / count) for i in columns]
        for k, (i, j) in enumerate(pairs):
            product = Fraction(row[own + wide + k]) / Fraction(2) ** pair_bits[k]
            scatter[c, i, j] = scatter[c, j, i] = float(product - sums[i] * sums[j] / count)
    count = _column(found, 4, np.int64)
    still = np.diagonal(scatter, axis1=1, axis2=2) <= count[:, None] * size**2 * _NOISE
    scatter[still[:, :, None] | still[:, None, :]] = 0.0
    return Cells(
        treatment=_column(found, 0, bool),
        exposed=_column(found, 1, bool),
        predicted=_column(found, 2, bool),
        day=np.array([row[3] for row in found], dtype="datetime64[D]"),
        count=count,
        mean=mean,
        scatter=scatter,
        nonzero=np.array([row[own + wide + len(pairs) :] for row in found], dtype=np.int64),
    )


def _column(rows: Sequence[Sequence[Any]], at: int, kind: type) -> Any:
    return np.array([row[at] for row in rows], dtype=kind)


def _bits(size: float) -> int:
    """The power of two that takes the largest term to 61 bits."""
    return _BITS - frexp(size)[1] if size > 0 else 0


def _whole_sum(term: str, bits: int) -> str:
    return f"sum(CAST(round(({term}) * {_literal(2.0**bits)}) AS BIGINT))"


def _literal(value: float) -> str:
    return f"'{float(value)!r}'::DOUBLE"
