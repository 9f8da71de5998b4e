"""The report: one HTML file that holds everything, works offline and prints."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from theodolite.report.render import render

__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={"render": ["render"]})

__all__ = ["render"]
