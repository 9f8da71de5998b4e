"""A small company of three channels whose posterior is its prior: what budgets are planned on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from measurement.mmm import Posterior, Spec
from measurement.mmm.prior import prior
from measurement.panel import Panel

WEEKS = 60


def three_channels(geos: int = 2, weeks: int = WEEKS, seed: int = 0, **fields: Any) -> Panel:
    rng = np.random.default_rng(seed)
    spend = rng.gamma(2.0, 500.0, (geos, weeks, 3))
    return Panel(
        dates=np.datetime64("2023-01-02") + 7 * np.arange(weeks),
        geos=tuple(f"geo {g}" for g in range(geos)),
        channels=("radio", "search", "tv"),
        spend=spend,
        exposure=2.0 * spend,
        kpis={"orders": rng.normal(3000.0, 100.0, (geos, weeks))},
        kpi="orders",
        kpi_value=fields.pop("kpi_value", 5.0),
        **fields,
    )


@pytest.fixture(scope="session")
def panel_of() -> Callable[..., Panel]:
    """Makes the company with other geos, weeks, seed or fields."""
    return three_channels


@pytest.fixture(scope="session")
def world() -> tuple[Panel, Posterior]:
    """The company and 60 draws of its prior."""
    panel = three_channels()
    forms = {"tv": {"l_max": 4, "adstock": "delayed"}, "radio": {"order": "saturation_first"}}
    return panel, prior(panel, Spec.default(panel, channels=forms), draws=60, seed=1)
