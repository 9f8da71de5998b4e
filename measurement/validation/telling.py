"""How far a row of fits has come, told as a single fit tells it."""

import time
from collections.abc import Callable

from measurement.mmm.sampling import Progress, ProgressCallback


def telling(progress: ProgressCallback | None, phase: str, total: int) -> Callable[[int, int], None]:
    """What `measurement.parallel.each` tells, passed on with the time left; begins with "none done"."""
    began = time.perf_counter()

    def tell(done: int, total: int) -> None:
        if progress is not None:
            left = (time.perf_counter() - began) * (total - done) / done if done else None
            progress(Progress(phase, done, total, left))

    tell(0, total)
    return tell
