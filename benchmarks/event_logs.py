"""Synthetic event logs for benchmarks: made once, kept under ``build/benchmarks``."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from timing import FOLDER

DAYS = 180
BATCH = 2_000_000
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("timestamp", pa.timestamp("us")),
        ("channel", pa.string()),
        ("event", pa.string()),
        ("value", pa.float64()),
    ]
)


def log_of(touches: int, channels: int, seed: int = 0) -> Path:
    """The log of so many touches (and a thirtieth as many conversions), made where it is not there yet."""
    place = FOLDER / f"log_{touches}_{channels}_{seed}.parquet"
    if not place.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(".unfinished")
        _write(unfinished, touches, channels, seed)
        unfinished.rename(place)
    return place


def _write(place: Path, touches: int, channels: int, seed: int) -> None:
    """Visits of one to several touches by users of very different eagerness; rows in no order."""
    random = np.random.default_rng(seed)
    users = touches // 5
    names = pa.array([f"channel {i:03d}" for i in range(channels)])
    weights = np.arange(1, channels + 1) ** -0.7
    with parquet.ParquetWriter(place, SCHEMA) as writer:
        for first in range(0, touches, BATCH):
            size = min(BATCH, touches - first)
            user = (users * random.random(size + size // 30) ** 1.5).astype(np.int64)
            home = (user * 2_654_435_761 % (DAYS * 86_400)).astype(np.int64)
            spread = random.exponential(6 * 86_400, len(user)).astype(np.int64)
            second = np.minimum(home + spread, DAYS * 86_400 - 1)
            converts = np.arange(len(user)) >= size
            order = random.permutation(len(user))
            channel = names.take(pa.array(random.choice(channels, len(user), p=weights / weights.sum())))
            kind = np.where(converts, "conversion", np.where(random.random(len(user)) < 0.4, "click", "impression"))
            table = pa.table(
                [
                    pa.array(np.char.add("user-", np.char.zfill(user[order].astype(str), 12))),
                    pa.array((np.datetime64("2024-01-01", "s") + second[order]).astype("datetime64[us]")),
                    pa.array(np.where(converts, None, channel.to_numpy(zero_copy_only=False))[order], pa.string()),
                    pa.array(kind[order]),
                    pa.array(random.gamma(2, 30, len(user)).round(2)[order], mask=~converts[order]),
                ],
                schema=SCHEMA,
            )
            writer.write_table(table)
