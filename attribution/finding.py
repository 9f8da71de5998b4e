"""A finding of the audit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from measurement.typing import Json


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        code: What it is about, stable for machines.
        severity: ``serious``: decisions on this credit may be wrong; ``look``: somebody should; ``fine``.
        sentence: What was found, with its numbers.
        numbers: Those numbers.
    """

    code: str
    severity: Literal["serious", "look", "fine"]
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "code": self.code,
            "severity": self.severity,
            "sentence": self.sentence,
            "numbers": dict(self.numbers),
        }
