"""The report: one HTML file that holds everything, works offline and prints."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from theodolite.report.compose import compose, write

__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={"compose": ["compose", "write"]})

__all__ = ["compose", "write"]
