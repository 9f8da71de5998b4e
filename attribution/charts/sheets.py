"""Several charts as one picture: of an attribution, of paths."""

from collections.abc import Mapping

import altair as alt

from attribution import cost, views
from attribution.charts.credit import models, returns
from attribution.charts.journeys import flows, path_lengths, time_lags, top_paths, transitions
from attribution.credit import Attribution
from attribution.path_table import Paths
from measurement.charts import Layers

WIDTH = 640


def of_credit(attribution: Attribution, unit: str = "") -> alt.VConcatChart:
    """Credit by every model, and against cost where spend is known; channels beyond twelve are one.

    Args:
        attribution: The credits.
        unit: Unit of the money.
    """
    few = views.leading(attribution)
    parts = {"What each model credits": models(few.to_frame())}
    against = cost.returns(few)
    if not against.empty:
        quantity = "cpa" if against["roas"].isna().all() else "roas"
        parts["Credit against cost"] = returns(against, "cpa" if quantity == "cpa" else "roas", unit)
    return _sheet(parts)


def of_paths(paths: Paths, top: int = 15) -> alt.VConcatChart:
    """The commonest paths, how long and how slow paths are, and where they go.

    Args:
        paths: The paths.
        top: How many of the commonest.
    """
    parts = {
        "The commonest paths": top_paths(paths.to_frame(), top),
        "How many touches": path_lengths(views.path_lengths(paths)),
    }
    if paths.users is not None:
        parts["How long before the conversion"] = time_lags(views.time_lags(paths))
    parts["Where journeys go next"] = transitions(views.transitions(paths))
    parts["The way of conversions, touch by touch"] = flows(views.flows(paths))
    return _sheet(parts)


def _sheet(parts: Mapping[str, Layers]) -> alt.VConcatChart:
    rows = []
    for title, chart in parts.items():
        row = chart.properties(width=WIDTH, title=alt.TitleParams(title, anchor="start"))
        row.autosize = alt.Undefined  # a part of a sheet is as large as it says
        rows.append(row)
    sheet: alt.VConcatChart = alt.vconcat(*rows, spacing=28).resolve_scale(
        color="independent", shape="independent", x="independent", y="independent"
    )
    return sheet
