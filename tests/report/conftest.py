"""A real browser for the report's tests; they skip where none is installed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

BROWSER = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
]


@pytest.fixture
def browse(tmp_path: Path) -> Callable[[Path], tuple[str, str]]:
    """Open a file and return the document after its scripts have run, and what they wrote to the console."""
    if BROWSER is None:
        pytest.skip("no Chromium is installed")

    def opened(file: Path) -> tuple[str, str]:
        command = [str(BROWSER), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        return done.stdout, "\n".join(re.findall(r"CONSOLE.*", done.stderr))

    return opened
