"""Sample ratio: whether the arms have the shares of users that the design gave them (Fabijan and others 2019).

An arm that lacks users lacks some kind of users, and then the difference between the arms is no effect.
"""

from dataclasses import dataclass

from measurement.typing import Json

HARD = 0.001
"""A p-value below this is a fault of the test, and not of chance."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """The check of one set of users.

    Attributes:
        treatment: Users in treatment.
        control: Users in control.
        expected: Share of users in treatment by design; ``None`` where the record does not say.
        p_value: Of the design's share, by Pearson's chi-square with one degree of freedom; ``None`` without it.
    """

    treatment: int
    control: int
    expected: float | None
    p_value: float | None

    @property
    def seen(self) -> float:
        """Share of users in treatment."""
        return self.treatment / (self.treatment + self.control)

    @property
    def broken(self) -> bool:
        """Whether the arms cannot have come from the design."""
        return self.p_value is not None and self.p_value < HARD

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {"expected": self.expected, "seen": self.seen, "p_value": self.p_value}


def sample_ratio(treatment: int, control: int, allocation: float | None) -> SampleRatio:
    """Check the arms' sizes against the share in treatment that was planned (between 0 and 1)."""
    if allocation is None:
        return SampleRatio(treatment, control, None, None)
    from scipy.special import chdtrc

    users = treatment + control
    gap = treatment - allocation * users
    statistic = gap**2 / (users * allocation * (1 - allocation))
    return SampleRatio(treatment, control, allocation, float(chdtrc(1, statistic)))
