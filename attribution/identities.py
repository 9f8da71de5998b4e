"""An identity map: which user ids are one person."""

from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import Problem, refuse
from measurement.reading import source
from measurement.reading.source import Column, Contract

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

IDENTITIES = Contract("identities", (Column("user_id", "text"), Column("person", "text")))
_TWO_PERSONS = """
    SELECT source_row FROM identities WHERE user_id IN (
        SELECT user_id FROM identities GROUP BY user_id HAVING count(DISTINCT person) > 1
    ) ORDER BY 1 LIMIT 1000"""
_CHAINS = """
    SELECT source_row FROM identities WHERE user_id <> person AND person IN (
        SELECT user_id FROM identities WHERE user_id <> person
    ) ORDER BY 1 LIMIT 1000"""
_PERSONS = """
    CREATE OR REPLACE TEMP TABLE persons AS SELECT DISTINCT user_id, person FROM identities WHERE user_id <> person"""
_COUNT = """
    SELECT count(DISTINCT touchpoints.user_id), count(DISTINCT person)
    FROM touchpoints JOIN persons ON touchpoints.user_id = persons.user_id"""


def load(connection: "DuckDBPyConnection", table: str | Path) -> None:
    """Read a map into the table ``persons``: ``user_id, person``, a row per user who goes by another name.

    Args:
        connection: From `source.connect`.
        table: Csv or parquet with ``user_id, person``.

    Raises:
        DataError: With every row that breaks the contract, gives a user a second person, or names as a person
            somebody who is another person's user.
    """
    loaded = source.load(connection, IDENTITIES, table, "identities")
    if not loaded.complete:
        refuse(source.ordered(loaded.problems))
    found: list[Problem] = list(loaded.problems)
    for statement, words, code, column in (
        (_TWO_PERSONS, "the map gives this user several persons; a user is one person", "two-persons", "user_id"),
        (
            _CHAINS,
            "this person is the user of another row and another person there; write the last person in both rows",
            "chain",
            "person",
        ),
    ):
        rows = [row for (row,) in connection.execute(statement).fetchall()]
        found += loaded.at(rows, words, code, column)
    refuse(source.ordered(found))
    connection.execute(_PERSONS)


def counts(connection: "DuckDBPyConnection") -> dict[str, int]:
    """How many users of the touchpoints the map joins, and to how many persons."""
    ((users, persons),) = connection.execute(_COUNT).fetchall()  # one row fetched alone would keep the result open
    return {"mapped_users": users, "mapped_persons": persons}
