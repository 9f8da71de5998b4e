"""Front door: a study and its verbs, the command line, the report."""

from typing import TYPE_CHECKING

import lazy_loader

import measurement

if "TheodoliteError" not in getattr(measurement, "__all__", ()):
    raise ImportError(
        f"the package 'measurement' found at {getattr(measurement, '__file__', None)} is not Theodolite's: "
        "another distribution installs that name too; remove it, or give Theodolite an environment of its own"
    )

if TYPE_CHECKING:
    from theodolite.config import Config
    from theodolite.study import Study

from measurement.version import __version__

__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={"config": ["Config"], "study": ["Study"]})

__all__ = ["Config", "Study", "__version__"]
