"""Front door: a study and its verbs, the command line, the report."""

from typing import TYPE_CHECKING

try:
    from measurement.version import __version__
except ImportError as error:  # PyPI has another package of the name `measurement`
    raise ImportError(
        "another package named 'measurement' hides Theodolite's: pip uninstall measurement, then install theodolite"
    ) from error

import lazy_loader

if TYPE_CHECKING:
    from theodolite.config import Config
    from theodolite.study import Study

__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={"config": ["Config"], "study": ["Study"]})

__all__ = ["Config", "Study", "__version__"]
