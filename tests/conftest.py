"""Shared fixtures."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of public data with published results; tests that need it skip where it is absent."""
    folder = os.environ.get("THEODOLITE_REFERENCE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("THEODOLITE_REFERENCE_DATA names no folder of public data")
    return Path(folder)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what tests compile and cache out of the user's own cache folder (but shared within the session)."""
    os.environ.setdefault("THEODOLITE_CACHE", str(tmp_path_factory.mktemp("cache")))
