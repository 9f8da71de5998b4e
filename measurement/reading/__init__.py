"""Reading csv and parquet against declared contracts: every fault with its file, line and column.

`measurement.reading.source` has the two doors (`read` a frame, `load` a relation), `measurement.reading.columns` the
contracts; the other modules are theirs.
"""

__all__: list[str] = []
