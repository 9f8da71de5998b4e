"""A table of a DuckDB file, named ``FILE::TABLE``: attached for reading, it stays where it is.

The file is opened read-only, so nothing in it can change; one that another program has open for writing is refused by
DuckDB itself. Names of the user are compared as values; only those that the file's own catalogue gave are quoted.
"""

import hashlib
from typing import TYPE_CHECKING

from measurement.errors import DataError, did_you_mean, shown
from measurement.reading.files import TableFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def relation(connection: "DuckDBPyConnection", file: TableFile) -> str:
    """Attach the file, and give its table as SQL names it.

    Args:
        connection: From `measurement.reading.source.connect`.
        file: Of kind ``duckdb``.

    Raises:
        DataError: Where the file has no such table, or several of that name.
        duckdb.Error: Where it cannot be opened.
    """
    name = "attached_" + hashlib.sha256(str(file.path).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    place = str(file.path).replace("'", "''")
    connection.execute(f"ATTACH IF NOT EXISTS '{place}' AS {name} (READ_ONLY)")
    query = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = $1 ORDER BY ALL"
    there = connection.execute(query, [name]).fetchall()
    found = [each for each in there if file.table in (each[1], ".".join(each))]
    if len(found) == 1:
        return ".".join([name, *('"' + part.replace('"', '""') + '"' for part in found[0])])
    if found:
        several = ", ".join(f"'{shown('.'.join(each))}'" for each in found)
        raise DataError(
            [file.problem(f"has several tables of that name: {several}; name the schema", "several-tables")]
        )
    views = "SELECT view_name FROM duckdb_views() WHERE database_name = $1 AND NOT internal AND view_name = $2"
    if connection.execute(views, [name, file.table]).fetchall():
        words = (
            f"'{shown(file.table)}' is a view, which has no rows of its own: make a table of it (CREATE TABLE ... AS)"
        )
        raise DataError([file.problem(words, "view")])
    tables = [table for _, table in there]
    have = f"it has {', '.join(f"'{shown(each, 30)}'" for each in tables[:12])}" if tables else "it has none"
    near = did_you_mean(file.table, tables)
    raise DataError([file.problem(f"has no table '{shown(file.table)}'{near}; {have}", "missing-table")])


def columns(connection: "DuckDBPyConnection", table: str) -> dict[str, str]:
    """Names and SQL types of the columns of a table that `relation` gave."""
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    return {name: kind for name, kind, *_ in described}
