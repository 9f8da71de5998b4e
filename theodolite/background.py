"""Work in threads beside what a person waits for, and the end of a process in which such work is under way.

Python's own end stops threads wherever they are; in the midst of a numerical library that ends the process with
``terminate called without an active exception``. Whoever ends the program asks `alive` and, where it holds, `leave`.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

NAME = "theodolite background"


def begin[*Given](work: Callable[[*Given], object], *given: *Given) -> threading.Thread:
    """Begin some work; it ends with the process at the latest, so it may hold nothing that must be put away."""
    thread = threading.Thread(target=work, args=given, name=NAME, daemon=True)
    thread.start()
    return thread


def alive() -> list[threading.Thread]:
    """The threads at work."""
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def leave(code: int) -> NoReturn:
    """End the process now, what was printed put out."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
