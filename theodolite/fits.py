"""A fit in plain numbers."""

from typing import TYPE_CHECKING

import numpy as np

from measurement.typing import Floats, Json

if TYPE_CHECKING:
    from measurement import Panel
    from theodolite.results import Fitted


def summary(fitted: "Fitted", panel: "Panel") -> Json:
    """The plain values that ``theodolite mmm fit --json`` prints."""
    from measurement import mmm
    from measurement.mmm import likelihood_choice

    best = fitted.best
    alone, both = fitted.sibling.draws["iroas"], best.draws["iroas"]
    marginal = mmm.mroas(best, panel)
    contribution = best.draws["contribution"] * panel.kpi_value
    diagnostics = best.diagnostics
    judged = {q.channel: q for q in diagnostics.quantities if q.name == "contribution"}
    return {
        "channels": [
            {
                "channel": name,
                "spend": float(panel.spend[..., c].sum()),
                "iroas": _quantity(both[:, c]),
                "iroas_uncalibrated": _quantity(alone[:, c]),
                "mroas": _quantity(marginal[:, c]),
                "contribution": _quantity(contribution[:, c]),
                "r_hat": judged[name].rhat,
                "ess_bulk": judged[name].ess_bulk,
            }
            for c, name in enumerate(panel.channels)
        ],
        "likelihood": {"name": best.spec.likelihood, "why": likelihood_choice.note(best.spec.likelihood, panel)},
        "calibrated": fitted.calibrated is not None,
        "converged": fitted.converged,
        "why_not_converged": [*fitted.sibling.diagnostics.reasons, *diagnostics.reasons],
        "r_hat": float(diagnostics.rhat),
        "ess_bulk": float(diagnostics.ess_bulk),
        "divergences": int(diagnostics.divergences),
        "draws": int(diagnostics.draws),
        "seconds": float(sum(f.diagnostics.seconds for f in {fitted.sibling, best})),
        "conflicts": [conflict.to_dict() for conflict in fitted.conflicts],
        "seed": best.provenance.seed,
        "data": best.provenance.data,
        "versions": dict(best.provenance.versions),
    }


def _quantity(draws: Floats) -> Json | None:
    """Median and 90 % interval; nothing where there is no such quantity (the iROAS of a channel without spend)."""
    if np.isnan(draws).all():
        return None
    low, median, high = np.quantile(draws, [0.05, 0.5, 0.95])
    return {"median": float(median), "low": float(low), "high": float(high)}
