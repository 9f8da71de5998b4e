"""Validation of a study's last fit: which tests are in it, what else is known of it, how the past is fitted anew."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError, Problem

if TYPE_CHECKING:
    from measurement.lift import Lift
    from measurement.mmm import Posterior
    from measurement.panel import Panel
    from measurement.typing import Json
    from measurement.validation.validate import Validation
    from measurement.validation.verdict import Reason
    from theodolite.results import Fitted


def besides(fitted: "Fitted", backtest: "Json | None") -> "list[Reason]":
    """Reasons from outside the fit: tests that contradict it, and its last backtest.

    Args:
        fitted: The study's last fit.
        backtest: `measurement.validation.backtested.Backtest.to_dict` of the same model and data, where there is one.
    """
    from measurement.validation.backtest_reasons import NOT_YET, backtest_reasons
    from measurement.validation.verdict import Reason

    found = [NOT_YET] if backtest is None else backtest_reasons(backtest)
    for conflict in fitted.conflicts:
        if conflict.withholds:
            names = ", ".join(f"'{name}'" for name in conflict.channels)
            advice = (
                f"look at the test and at `demand_driven` of {names}; its recommended number is withheld until then"
            )
            found.append(Reason("care", "conflict with a test", conflict.in_words(), advice, 15.0))
    return found


def validated(
    post: "Posterior",
    panel: "Panel",
    lifts: "Sequence[Lift]",
    *,
    besides: "Sequence[Reason]" = (),
    origins: int,
    refits: int,
    seed: int,
    progress: Callable[[Any], None] | None,
) -> "Validation":
    """Validate a fit; where the weights of leave-future-out fail, the past is fitted anew, ``refits`` times at most.

    A refit knows the tests that had been read by then.

    Raises:
        DataError: Where the settings are out of range.
    """
    from measurement.mmm import fit
    from measurement.validation.validate import validate

    problems = []
    if not 1 <= origins <= panel.shape[1]:
        problems.append(
            Problem(f"origins: found {origins}, from 1 to the {panel.shape[1]} {panel.period}s of the data")
        )
    if refits < 0:
        problems.append(Problem(f"refits: found {refits}, 0 or more"))
    if problems:
        raise DataError(problems)
    inside = [lift for lift in lifts if lift.experiment_id in post.provenance.parents]

    def refit(periods: int) -> "Posterior":
        last = panel.dates[periods - 1]
        known = [lift for lift in inside if lift.cooldown_end <= last]
        return fit(panel.part(slice(0, periods)), post.spec, known, seed=seed)

    return validate(
        post,
        panel,
        inside,
        besides=besides,
        origins=origins,
        refit=refit if refits else None,
        refits=refits,
        seed=seed,
        progress=progress,
    )
