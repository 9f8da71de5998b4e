"""The text of a new, commented theodolite.toml."""

import re
from collections.abc import Mapping, Sequence

from theodolite.config import parse

_HEAD = """\
# The study. Paths are relative to this file. Every setting is explained in docs/reference/configuration.md.

[study]
name = {name}
kpi = {kpi}  # a column of the outcome table
kpi_value = {kpi_value}  # money per unit of the KPI; 1.0 where the KPI is money
{margin}
currency = {currency}
period = {period}  # day | week | month
{population}
{controls}
# holidays = ["DE"]  # country codes whose public holidays move sales
# (by market where they differ: holidays = {{ "Munich" = ["DE-BY"], "*" = ["DE"] }})

[data]
"""
_NOT_GIVEN = {
    "experiments": "experiments.json",
    "touchpoints": "touchpoints.parquet",
    "platform": "platform.csv",
}
_CHANNELS = """
# One table per channel, all of it optional.
#   demand_driven: does spend follow demand? "no" (planned long ahead), "some", or "strong" (brand search, affiliates,
#       retargeting). The stronger, the less the weekly series alone is trusted and the more a lift test says.
#   roi: what you believed about incremental revenue per unit of spend before seeing data: median and 90 % interval.
#       Or say it of mroi (the next unit of spend), contribution (share of the KPI) or coefficient, one of the four.
#   exposure: a column of the media table that the model should see in place of spend (impressions, grp), or two whose
#       product it should see: exposure = { reach = "reach", frequency = "frequency" }.
#   organic: true for what costs no media money (email, organic social); it needs an exposure.
#   aliases: other names of the channel in tests, journeys and platform exports.
#   adstock: "geometric", "delayed", "weibull", "binomial" or "none"; l_max: periods that the carry-over may last.
#   saturation: "hill", "logistic", "exponential", "michaelis_menten", "tanh", "root" or "none".
#   order: "adstock_first" or "saturation_first".
#   varies: "slow" where the effect of the same spend may have changed over the years (new creatives, a crowded market).
"""


def quoted(text: str) -> str:
    """A TOML basic string: any text, one line."""
    body = "".join(
        c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" if c not in '"\\' else "\\" + c for c in text
    )
    return f'"{body}"'


def toml_key(name: str) -> str:
    """A TOML key: bare where that is allowed, quoted otherwise."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def template(
    *,
    name: str,
    data: Mapping[str, str],
    channels: Sequence[str],
    kpi: str = "outcome",
    kpi_value: float = 1.0,
    margin: float | None = None,
    currency: str = "EUR",
    period: str = "week",
    population: str | None = None,
    controls: Sequence[str] = (),
    demand_driven: Mapping[str, str] | None = None,
    exposures: Mapping[str, Sequence[str]] | None = None,
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The text of a commented theodolite.toml; it always reads back with `theodolite.config.parse`."""
    text = _HEAD.format(
        name=quoted(name),
        kpi=quoted(kpi),
        kpi_value=float(kpi_value),
        margin=f"margin = {float(margin)}  # for profit and break-even"
        if margin is not None
        else "# margin = 0.40  # share of revenue that is left after costs; needed for profit and break-even",
        currency=quoted(currency),
        period=quoted(period),
        population=f"population = {quoted(population)}"
        if population
        else '# population = "population"  # a column of the outcome table',
        controls=f"controls = [{', '.join(map(quoted, controls))}]"
        if controls
        else '# controls = ["price_index"]  # columns of the outcome table that move sales and are no media\n'
        '# (what you set yourself, such as a price, may have a table: [treatments.price_index] baseline = "max")',
    )
    for key in ("media", "outcome", *_NOT_GIVEN):
        text += f"{key} = {quoted(data[key])}\n" if key in data else f"# {key} = {quoted(_NOT_GIVEN[key])}\n"
    text += _CHANNELS
    for channel in channels:
        text += f"\n[channels.{toml_key(channel)}]\n"
        text += f"demand_driven = {quoted((demand_driven or {}).get(channel, 'some'))}\n"
        seen = set((exposures or {}).get(channel, ()))
        both = {"reach", "frequency"} <= seen
        offers = [quoted(column) for column in sorted(seen - {"reach", "frequency"} if both else seen)]
        for offer in ['{ reach = "reach", frequency = "frequency" }'] * both + offers:
            text += f"# exposure = {offer}  # there, and not used: the model sees spend\n"
        text += "# roi = { median = 1.0, low = 0.3, high = 3.0 }\n"
        names = (aliases or {}).get(channel, ())
        text += f"aliases = [{', '.join(map(quoted, names))}]\n" if names else "# aliases = []\n"
    parse(text)
    return text
