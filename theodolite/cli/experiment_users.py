"""theodolite experiments design-users."""

from typing import Annotated

import typer

from theodolite.cli.experiment_analyse import Page, named
from theodolite.cli.experiment_design import Name, Pick, Save, Start, Wanted, deliver
from theodolite.cli.options import AsJson


def design_users(
    channel: Annotated[
        list[str] | None, typer.Option(metavar="NAMES", help="Channel that the test moves; several with commas.")
    ] = None,
    duration: Annotated[
        str, typer.Option(metavar="LENGTHS", help="Lengths to compare, in days: 7,14,21,28.")
    ] = "7,14,21,28",
    method: Annotated[str, typer.Option(help="conversion_lift, ghost_ads or psa.")] = "conversion_lift",
    users_per_day: Annotated[float | None, typer.Option(help="New users a day, over both arms.")] = None,
    audience: Annotated[int | None, typer.Option(help="All users, where the audience is fixed.")] = None,
    rate: Annotated[float | None, typer.Option(help="Share of users who convert without the ads.")] = None,
    mean: Annotated[float | None, typer.Option(help="Mean KPI per user without the ads; with --sd.")] = None,
    sd: Annotated[float | None, typer.Option(help="Standard deviation of the KPI between users.")] = None,
    pre_correlation: Annotated[
        float, typer.Option(help="Correlation of the KPI with the same user's before the test (CUPED).")
    ] = 0.0,
    allocation: Annotated[float, typer.Option(help="Share of users in treatment.")] = 0.5,
    reach: Annotated[float, typer.Option(help="Share of the treatment arm that the ads reach.")] = 1.0,
    lift: Annotated[float | None, typer.Option(help="Relative lift that should be found.")] = None,
    spend_per_user: Annotated[float | None, typer.Option(help="Money per user reached.")] = None,
    iroas: Annotated[float | None, typer.Option(help="Expected incremental money per unit of money.")] = None,
    icpa: Annotated[float | None, typer.Option(help="Expected money per incremental unit of the KPI.")] = None,
    budget: Annotated[float | None, typer.Option(help="Most money.")] = None,
    kpi: Annotated[str, typer.Option(help="Name of the KPI.")] = "conversions",
    kpi_value: Annotated[float | None, typer.Option(help="Money per unit of the KPI.")] = None,
    currency: Annotated[str, typer.Option(help="Currency of all money.")] = "EUR",
    alpha: Annotated[float, typer.Option(help="Error rate of the analysis.")] = 0.1,
    power: Annotated[float, typer.Option(help="Wanted chance to find the effect.")] = 0.8,
    pick: Pick = 1,
    start: Start = None,
    name: Name = None,
    report: Page = None,
    save: Save = None,
    json: AsJson = False,
) -> None:
    """Plan a test on users (conversion lift, ghost ads, PSA): how many users, how long, what it finds."""
    from experiments.planning.goal_text import whole_list
    from experiments.planning.user_level import UserGoal
    from experiments.user_level.sample_size import Metric
    from measurement.errors import DataError
    from theodolite import planning, record_files
    from theodolite.cli.output import refused

    record_files.refuse_existing(save)
    if (rate is None) == (mean is None or sd is None):
        raise refused("say what users bring without the ads: --rate, or --mean with --sd (and not both)")
    if start is None:
        raise refused("--start is missing: the first day of the test, YYYY-MM-DD")
    metric = Metric.rate(rate) if rate is not None else Metric.per_user(mean or 0.0, sd or 0.0)
    try:
        days = whole_list(duration)
    except ValueError as wrong:
        raise DataError(f"--duration: {wrong}") from None
    goal = UserGoal(
        named(channel), metric, days, users_per_day, audience, method, allocation, reach, pre_correlation, lift,  # type: ignore[arg-type]
        spend_per_user, iroas, icpa, budget, alpha, power, kpi, kpi_value, currency,
    )  # fmt: skip
    found = planning.users_dossier(goal, planning.Pick(pick, start, name))
    deliver(found, Wanted(report, save, pick, start, name, json, quiet=False))
