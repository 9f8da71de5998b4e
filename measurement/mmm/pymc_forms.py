"""The forms of `transforms` in PyTensor, one channel at a time, as `pymc_terms` reads them.

They are written out anew, not shared with the fast engine: tests hold the two log-densities equal, so an error in
either shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt

from measurement.mmm.spec import ChannelSpec


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel's media parameters, as PyTensor scalars.

    Attributes:
        spec: How it acts.
        values: ``decay``, and where the model has them ``delay``, ``weibull_shape``, ``weibull_scale``,
            ``half_saturation``, ``slope``.
    """

    spec: ChannelSpec
    values: Mapping[str, Any]

    @property
    def lags(self) -> int:
        """Periods that the carry-over lasts, the current one included."""
        return 1 if self.spec.adstock == "none" else self.spec.l_max

    def weights(self) -> Any:
        """Carry-over weights, shape (lags,), of sum 1."""
        lag = np.arange(self.lags, dtype=np.float64)
        if self.lags == 1:
            return pt.ones(1)
        log_decay = pt.log(self.values["decay"])
        match self.spec.adstock:
            case "delayed":
                log_weights = (lag - self.values["delay"] * (self.lags - 1) / 2) ** 2 * log_decay
            case "weibull":
                odds = np.log(lag + 1.0) - pt.log(self.values["weibull_scale"])
                shape = self.values["weibull_shape"]
                log_weights = (shape - 1.0) * odds - pt.exp(shape * odds)
            case "binomial":
                log_weights = (1.0 / self.values["decay"] - 1.0) * np.log1p(-lag / self.lags)
            case _:
                log_weights = lag * log_decay
        return pt.special.softmax(log_weights)

    def saturated(self, x: Any) -> Any:
        """Saturation of ``x >= 0``, of any shape."""
        half, slope = self.values.get("half_saturation"), self.values.get("slope")
        match self.spec.saturation:
            case "hill":
                on = pt.gt(x, 0)
                odds = slope * (pt.log(pt.switch(on, x, 1.0)) - pt.log(half))
                return pt.switch(on, pt.sigmoid(odds), 0.0)
            case "logistic" | "tanh":
                return pt.tanh(0.5 * np.log(3.0) * x / half)
            case "exponential":
                return -pt.expm1(-np.log(2.0) * x / half)
            case "michaelis_menten":
                return x / (x + half)
            case "root":
                on = pt.gt(x, 0)
                return pt.switch(on, pt.exp(slope * pt.log(pt.switch(on, x, 1.0))), 0.0)
            case _:
                return x

    def marginal(self, x: Any) -> Any:
        """``x f'(x)`` of the saturation ``f``: what one per cent more exposure adds, in per cent of a unit."""
        half, y = self.values.get("half_saturation"), self.saturated(x)
        match self.spec.saturation:
            case "hill":
                return self.values["slope"] * y * (1.0 - y)
            case "logistic" | "tanh":
                return 0.5 * np.log(3.0) / half * x * (1.0 - y**2)
            case "exponential":
                return np.log(2.0) * x / half * (1.0 - y)
            case "michaelis_menten":
                return y * (1.0 - y)
            case "root":
                return self.values["slope"] * y
            case _:
                return x

    def response(self, x: Any, *, marginal: bool = False) -> Any:
        """What exposure does in every cell, coefficient aside.

        Args:
            x: Scaled exposure, shape (geos, periods).
            marginal: Whether `marginal` takes the saturation's place.

        Returns:
            Shape (geos, periods).
        """
        form = self.marginal if marginal else self.saturated
        if self.spec.order == "saturation_first":
            return self._carried(lag_tensor(form(x), self.lags))
        return form(self._carried(lag_tensor(x, self.lags)))

    def at(self, lagged: Any) -> Any:
        """The response of single cells, from scaled exposures at their lags, shape (cells, at least `lags`)."""
        seen = lagged[:, : self.lags]
        if self.spec.order == "saturation_first":
            return pt.dot(self.saturated(seen), self.weights())
        return self.saturated(pt.dot(seen, self.weights()))

    def _carried(self, lagged: Any) -> Any:
        return (lagged * self.weights()[:, None]).sum(1)


def lag_tensor(x: Any, lags: int) -> Any:
    """``out[g, l, t] = x[g, t - l]``, zero before the first period; ``x`` of shape (geos, periods)."""
    geos, periods = x.type.shape
    before = pt.zeros((geos, lags - 1))
    places = lags - 1 - np.arange(lags)[:, None] + np.arange(periods)
    return pt.concatenate([before, x], axis=1)[:, places]
