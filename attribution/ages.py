"""Ages of touches in bins: four to a doubling from one minute on, so that an age is known to within 9 %."""

import numpy as np
from numpy.typing import NDArray

from measurement.typing import Ints

PER_DOUBLING = 4
BINS = 84
"""From below one minute to beyond 1,100 days, the longest lookback."""
MINUTE = 60_000_000
"""Microseconds."""
DAYS = np.exp2((np.arange(BINS) - 0.5) / PER_DOUBLING) / 1_440
"""The age that each bin stands for, in days: its geometric middle; half a minute for the first."""
DAYS[0] = 0.5 / 1_440
DAYS.setflags(write=False)


def bins(ticks: Ints, tick: int) -> NDArray[np.uint8]:
    """The bin of each age.

    Args:
        ticks: Ages, at least 0.
        tick: Microseconds per tick.
    """
    minutes = (np.maximum(ticks, 0) * tick).astype(np.float32) / np.float32(MINUTE)  # the same whatever the tick is
    found = np.log2(np.maximum(minutes, np.float32(0.5))) * np.float32(PER_DOUBLING) + np.float32(1)
    return np.asarray(np.clip(found, 0, BINS - 1).astype(np.uint8))
