"""Analysis of a test on users: sums and design in, `Result` out."""

from collections.abc import Mapping
from math import inf, isfinite, sqrt

from experiments.records import Experiment
from experiments.result import Quantity, Result
from experiments.spend import SpendChange, direction
from experiments.user_level.case import Case, resolve
from experiments.user_level.checklist import Facts, graded
from experiments.user_level.comparison import Comparison
from experiments.user_level.diagnostics import alternate, diagnostics, quantity, users_of
from experiments.user_level.estimators import chosen, estimators
from experiments.user_level.sample_ratio import SampleRatio, sample_ratio
from experiments.user_level.sequence import Look, looks
from experiments.user_level.several import holm
from experiments.user_level.users import Users
from measurement.errors import DataError, DesignError, Problem
from measurement.provenance import Provenance, versions
from measurement.typing import Json


def analyse_users(
    users: Users,
    design: Experiment,
    *,
    kpi: str | None = None,
    estimator: str = "default",
    alpha: float = 0.1,
    seed: int = 0,
    kpi_value: float | None = None,
    currency: str = "EUR",
) -> Result:
    """Analyse one test on users.

    Args:
        users: From `read_users`.
        design: The test: method ``conversion_lift``, ``ghost_ads`` or ``psa``; ``allocation`` is the planned share of
            users in treatment, ``spend_delta`` what was spent on the treatment arm.
        kpi: The KPI; the record's where ``None``, or the only one of the table.
        estimator: ``welch``, ``cuped``, ``score``, ``ratio``, ``treatment_on_treated``; or ``default`` (``all`` is the
            same: the others always stand under ``alternates``): ``cuped`` where the table has a pre-period, otherwise
            ``score`` for a KPI of 0 and 1, otherwise ``welch``.
        alpha: One minus the level of the intervals, between .01 and .5.
        seed: Taken because every analysis takes one; nothing here is random.
        kpi_value: Money per unit of KPI; ``None`` is 1, or no money at all for a KPI of 0 and 1.
        currency: Of all money.

    Returns:
        The result, without periods; p-value and interval agree. ``outcome_change`` is over the users of the treatment
        arm that are compared, ``average_effect`` per user (or per unit of the denominator, or per user reached).

    Raises:
        DataError: Where the design does not fit the data: an unknown KPI or estimator, users enrolled outside the
            test, exposure unknown where the method needs it.
        DesignError: Where the test cannot be analysed: a method that is no test on users, too few users, a KPI that
            is the same for all.
    """
    if not 0.01 <= alpha <= 0.5:
        raise DataError([Problem(f"found {alpha:g}, but alpha lies between .01 and .5", column="alpha")])
    case = resolve(users, design, kpi)
    name = chosen(estimator, case)
    found = {each: estimate(case.analysed) for each, estimate in estimators(case).items()}
    main = found.pop(name)
    if not (main.std_error > 0 and isfinite(main.std_error)):
        raise DesignError(f"'{name}' finds nothing to measure with: no variance is left, or the ads reached no one")
    spend = _spend(design)
    average = quantity(main.effect, alpha, f"{case.kpi} per {main.unit}")
    change = average.scaled(main.units, case.kpi)
    lift = quantity(main.lift, alpha, "share")
    ratios = _ratios(case, design.allocation)
    grade, checks = graded(design, _facts(case, {name: main, **found}, lift, ratios, spend))
    value = (None if case.binary else 1.0) if kpi_value is None else kpi_value
    settings = {"estimator": name, "alpha": alpha, "kpi": case.kpi, "design": design.to_dict()}
    return Result(
        experiment=design,
        kpi=case.kpi,
        estimator=name,
        window=(design.start_date, design.read_out_end),
        alpha=alpha,
        outcome_change=change,
        incremental_outcome=change.scaled(spend.direction, case.kpi),
        relative_lift=lift,
        average_effect=average,
        iroas=change.scaled(value / spend.delta, f"{currency} per {currency}") if spend.delta and value else None,
        icpa=change.scaled(1 / spend.delta, "").inverse(f"{currency} per {case.kpi}") if spend.delta else None,
        p_value=main.effect.p_value(),
        inference=_inference(case, main),
        spend=spend,
        periods=(),
        pre_periods=(),
        diagnostics={
            **diagnostics(case, {name: main, **found}, ratios, alpha),
            "sequence": [look.to_dict() for look in _sequence(users, case, design, name, alpha)],
            "kpis": _all_kpis(users, design, case.kpi, main, alpha),
        },
        alternates={each: alternate(other, alpha) for each, other in found.items() if other.std_error > 0},
        grade=grade,
        checks=checks,
        provenance=Provenance(users.sha256, settings, None, versions("numpy", "scipy", "duckdb")),
    )


def _spend(design: Experiment) -> SpendChange:
    """What the record says; where it is silent, treatment is the arm that sees the ads."""
    delta = design.spend_delta
    way = direction(design, delta) if delta else 1
    return SpendChange("record" if delta else "unknown", delta, None, design.counterfactual_spend, way, False)


def _inference(case: Case, main: Comparison) -> str:
    treated, control = users_of(case.analysed)
    who = {"exposed": "exposed users and users who would have been", "predicted": "users whose exposure was predicted"}
    compared = who.get(case.restricted, "users as they were drawn")
    return f"{main.how}; {treated:,} against {control:,} {compared}"


def _ratios(case: Case, allocation: float | None) -> dict[str, SampleRatio]:
    ratios = {"all users": sample_ratio(*users_of(case.assigned), allocation)}
    if case.restricted:
        ratios[f"{case.restricted} users"] = sample_ratio(*users_of(case.analysed), allocation)
    return ratios


def _facts(
    case: Case, found: Mapping[str, Comparison], lift: Quantity, ratios: Mapping[str, SampleRatio], spend: SpendChange
) -> Facts:
    cells = case.analysed
    events = min(int(cells.nonzero[own, 0].sum()) for own in (cells.treatment, ~cells.treatment))
    apart = None
    if "cuped" in found:
        with_it, without = found["cuped"], found["welch"]
        gap = abs(with_it.effect.estimate - without.effect.estimate)
        error = sqrt(abs(without.std_error**2 - with_it.std_error**2))
        apart = gap / error if error > 0 else 0.0
    reached = None
    if "treatment_on_treated" in found:
        details = found["treatment_on_treated"].details
        shares = details["reached"]
        reached = (shares["treatment"], shares["control"], details["difference_z"] or inf)
    return Facts(ratios, events, lift.std_error, apart, reached, spend)


def _sequence(users: Users, case: Case, design: Experiment, name: str, alpha: float) -> tuple[Look, ...]:
    if not users.has_days:
        return ()
    days = (design.end_date - design.start_date).days + 1
    return looks(case.analysed, days, estimators(case)[name], alpha)


def _all_kpis(users: Users, design: Experiment, kpi: str, main: Comparison, alpha: float) -> list[Json]:
    """Every KPI of the table, with p-values that allow for all of them."""
    found = {kpi: main}
    for other in users.kpis:
        if other != kpi:
            try:
                case = resolve(users, design, other)
            except DesignError:  # it is the same for all users
                continue
            found[other] = next(iter(estimators(case).values()))(case.analysed)
    found = {name: each for name, each in found.items() if each.std_error > 0}
    adjusted = holm([each.effect.p_value() for each in found.values()])
    return [
        {"kpi": name, **alternate(each, alpha), "p_holm": p}
        for (name, each), p in zip(found.items(), adjusted, strict=True)
    ]
