"""The file drawer: per channel how many tests were registered, and what became of them.

Tests that nobody reads out, and results that nobody likes, make what is left look better than it is. So every test is
counted from its registration on, and a channel whose tests vanish says so.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Literal

from experiments.records import Experiment
from experiments.registry.ledger import Registered
from measurement.typing import Json

Z90 = 1.6448536269514722

Sign = Literal["positive", "null", "negative"]


@dataclass(frozen=True, slots=True)
class Drawer:
    """The tests of one channel.

    Attributes:
        channel: Its name.
        registered: All of them, results from elsewhere included.
        read_out: Those with a result.
        positive: Results whose 90 % interval lies above zero, the ads' way.
        null: Results whose interval holds zero.
        negative: Results whose interval lies below zero.
        cancelled: Given up before they were read out.
        overdue: Ended (cool-down included) and not read out.
        elsewhere: Measured elsewhere: nobody can say how many such tests were left in other drawers.
    """

    channel: str
    registered: int
    read_out: int
    positive: int
    null: int
    negative: int
    cancelled: int
    overdue: int
    elsewhere: int

    @property
    def warning(self) -> str:
        """What to fear; empty where every test that ended was read out."""
        lost = self.cancelled + self.overdue
        if not lost:
            return ""
        parts = [
            f"{n} {words}"
            for n, words in ((self.cancelled, "cancelled"), (self.overdue, "ended and not read out"))
            if n
        ]
        return f"{lost} of {self.registered} tests have no result ({', '.join(parts)}): what is left may look too good"

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return asdict(self) | {"warning": self.warning}


def file_drawer(tests: Iterable[Registered], today: date) -> tuple[Drawer, ...]:
    """Count the tests of each channel, channels in alphabetical order.

    Args:
        tests: All tests of the registry.
        today: The day from which a test that has ended is overdue.
    """
    by_channel: dict[str, list[Registered]] = {}
    for test in tests:
        for channel in test.experiment.channel:
            by_channel.setdefault(channel, []).append(test)
    return tuple(_drawer(channel, found, today) for channel, found in sorted(by_channel.items()))


def _drawer(channel: str, tests: list[Registered], today: date) -> Drawer:
    read = [test for test in tests if test.versions]
    signs = [sign((test.counting or test.versions[-1]).record) for test in read]
    lost = [test for test in tests if not test.versions and test.state != "superseded"]
    cancelled = sum(test.state == "cancelled" for test in lost)
    overdue = sum(
        test.state in ("approved", "running", "completed") and test.conducted.read_out_end < today for test in lost
    )
    return Drawer(
        channel,
        len(tests),
        len(read),
        signs.count("positive"),
        signs.count("null"),
        signs.count("negative"),
        cancelled,
        overdue,
        sum(test.outside for test in tests),
    )


def sign(record: Experiment) -> Sign:
    """Whether a result says that the ads bring something: the 90 % interval against zero, whichever way spend moved."""
    estimate, error = record.estimate or 0.0, record.standard_error or math.inf
    turned = record.estimand in ("outcome_change", "relative_lift") and (record.spend_delta or 1.0) < 0
    centre = -estimate if turned else estimate
    return "positive" if centre > Z90 * error else "negative" if centre < -Z90 * error else "null"
