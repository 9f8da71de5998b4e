"""Array types used throughout."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Bools = NDArray[np.bool_]
type Dates = NDArray[np.datetime64]
type Json = dict[str, Any]
