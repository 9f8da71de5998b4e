"""Where things that can be made again are kept between runs: compiled programs, the bundle of the charts' library."""

import os
import sys
from pathlib import Path

ENVIRONMENT = "THEODOLITE_CACHE"


def cache_folder() -> Path:
    """``theodolite`` in the platform's cache folder of the user; the variable ``THEODOLITE_CACHE`` moves it."""
    if moved := os.environ.get(ENVIRONMENT):
        return Path(moved)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "theodolite"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "theodolite"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "theodolite"
