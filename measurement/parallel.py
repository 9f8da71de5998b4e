"""Independent pieces of work at the same time: fits by market, backtests, studies.

They go through joblib, whose backend is the caller's choice: processes on this machine by default, or what
``joblib.parallel_config(backend=...)`` names around the call (``threading``; Ray, Dask or Spark where registered). Each
piece computes on its share of the cores, one BLAS thread each, so that pieces do not fight for them.
"""

import signal
import threading
import warnings
from collections.abc import Callable, Sequence
from contextvars import ContextVar

_share: ContextVar[int | None] = ContextVar("cores of this piece of work", default=None)


def cores() -> int:
    """Cores that the caller may use: those of the process (affinity and container limits count), or a piece's share."""
    import joblib

    return _share.get() or int(joblib.cpu_count())


def each[T, R](
    work: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[R]:
    """``[work(item) for item in items]``, several at a time.

    What a piece computes must depend on its item alone (a seed among them), never on how many run beside it.

    Args:
        work: The work; with a backend of processes, a function that can be sent to one: of a module, or a
            `functools.partial` of such.
        items: What to do it on.
        workers: How many run at a time; what ``joblib.parallel_config`` says or else all `cores` when not given. One
            worker is a plain loop in this process.
        progress: Told how many are done, of how many, from this thread. An exception raised in it,
            ``KeyboardInterrupt`` included, or in a piece, stops the rest and is passed on: processes are ended, threads
            finish the pieces that they are at.

    Returns:
        The results in the order of the items.
    """
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    backend, configured = get_active_backend()
    asked = workers or configured or cores()
    count = min(len(items), asked if asked > 0 else max(1, cores() + 1 + asked))
    found: list[R] = []
    if count < 2:
        for item in items:
            found.append(work(item))
            _tell(progress, found, items)
        return found
    if backend.supports_inner_max_num_threads and backend.inner_max_num_threads is None:
        backend.inner_max_num_threads = 1
    lazily = "generator" if backend.supports_return_generator else "list"
    share = max(1, cores() // count)
    results = Parallel(count, backend=backend, batch_size=1, return_as=lazily)(
        delayed(_piece)(work, item, share) for item in items
    )
    if isinstance(results, list):
        return results
    try:
        for result in results:
            found.append(result)
            _tell(progress, found, items)
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # joblib warns of what it cancels; that is what is wanted
            results.close()
    return found


def _tell(progress: Callable[[int, int], None] | None, found: Sequence[object], items: Sequence[object]) -> None:
    if progress is not None:
        progress(len(found), len(items))


def _piece[T, R](work: Callable[[T], R], item: T, share: int) -> R:
    import multiprocessing

    if multiprocessing.parent_process() is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who ends this process
    token = _share.set(share)
    try:
        return work(item)
    finally:
        _share.reset(token)
