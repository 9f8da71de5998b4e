"""Where a test stands in its registry: the grade that counts, why another one differs, and what it waits for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from calibration.widening import default_grade
from experiments import Experiment
from theodolite.report.words import number

if TYPE_CHECKING:
    from calibration import Conflict
    from calibration.resolution import Resolution
    from experiments import Result

WAITS = {
    "draft": "Nothing counts yet: the plan is a draft. Hand it in, and have somebody else approve it before its first "
    "day.",
    "in_review": "Nothing counts yet: the plan waits until somebody else than its author approves it, and is locked "
    "then.",
    "approved": "Nothing counts yet: the test has not begun. Say in the registry when it has.",
    "running": "Do not decide by early numbers: the test still runs, and whoever looks early stops when it looks good. "
    "Say in the registry when it has ended, and what disturbed it.",
    "completed": "Have the registry analyse it as it was planned ('theodolite experiments analyse'): only a result "
    "that is kept there can be accepted.",
    "cancelled": "It was given up{why} and is no evidence. If its question is still open, register a new test.",
    "superseded": "Read '{successor}', which took its place{why}: this one is no evidence any more.",
}
"""What to do in the states in which there is no result to judge."""
UNCLASHED = ("draft", "in_review", "approved")
"""States in which a test can still be moved away from another one."""
ENDED = ("reject", "cancel", "supersede")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the registry's checklist: its name, whether it holds, and what was seen."""

    name: str
    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the registry knows of a test, as far as its page and the command line say it.

    Attributes:
        state: The registry's state of it.
        outside: Whether it was measured elsewhere and came with its result.
        grade: The grade that counts, or would count were the result accepted; ``None`` without a result.
        stated: Whether its record states a grade, or a checklist gave it; if not, it is the model's for such a test.
        computed: What the checklist gives, where the grade was given by hand.
        override: Why the grade was given by hand, and by whom; empty where it was not.
        checks: The registry's checklist.
        measured: What was measured, in words.
        data: Hash of the data that the graded version was made of; ``None`` where that is not known.
        version: The version that the grade is of.
        newest: The newest version.
        counts: The version that counts as evidence; ``None`` where none does.
        used: Whether a fit was made while that version counted.
        left_out: Why the model does not take it as evidence; empty where it does.
        expired: Whether its read-out lies so far back that a new test is due.
        conflicts: The tests and days that it must not run beside, in sentences.
        question: How it contradicts the model or another test, while nobody has decided; empty where it does not.
        keep: What was decided about that: ``test``, ``model`` or ``neither``; empty where nothing was.
        decision: That decision in words.
        successor: The test that took its place.
        reason: Why it was rejected, given up or superseded.
    """

    state: str
    outside: bool = False
    grade: str | None = None
    stated: bool = True
    computed: str | None = None
    override: str = ""
    checks: tuple[Line, ...] = ()
    measured: str = ""
    data: str | None = None
    version: int | None = None
    newest: int | None = None
    counts: int | None = None
    used: bool = False
    left_out: str = ""
    expired: bool = False
    conflicts: tuple[str, ...] = ()
    question: str = ""
    keep: str = ""
    decision: str = ""
    successor: str = ""
    reason: str = ""

    @classmethod
    def of(
        cls, described: Mapping[str, Any], judged: "Sequence[Conflict]" = (), made: "Resolution | None" = None
    ) -> "Standing":
        """From what the registry says of a test, how the last fit judged it, and what was decided about that.

        Args:
            described: `theodolite.registry.Registry.describe`.
            judged: The judgements of the last fit.
            made: The last decision on this test, if there is one.
        """
        known = described["registry"]
        versions, verdict = known["results"], _asked(judged, known["experiment_id"])
        graded = next((each for each in versions if each["version"] == known["version"]), None)
        ends = [step["reason"] for step in known["history"] if step["action"] in ENDED]
        return cls(
            state=known["state"],
            outside=known["source"] == "elsewhere",
            **({} if graded is None else _graded(graded)),
            newest=versions[-1]["version"] if versions else None,
            counts=next((each["version"] for each in versions if each["counts"]), None),
            left_out=described["left_out"],
            expired=known["expired"],
            conflicts=tuple(known["conflicts"]),
            question=verdict.in_words() if verdict is not None and made is None else "",
            keep=made.keep if made is not None else "",
            decision=made.in_words if made is not None else "",
            successor=known["superseded_by"] or "",
            reason=(ends[-1] or "") if ends else "",
        )

    @property
    def waits(self) -> bool:
        """Whether there is no result to judge, so that nothing but the state says what to do."""
        return self.state in WAITS

    def in_short(self) -> str:
        """``accepted, grade A``."""
        return self.state.replace("_", " ") + (f", grade {self.grade}" if self.grade else "")

    def whose(self) -> str:
        """Where the grade comes from."""
        if self.override:
            return "given by hand"
        if self.outside:
            return "as its record states it" if self.stated else "the model's for a record that states none"
        return f"by the registry's checklist of version {self.version}"

    def which_grade(self, result: "Result") -> str:
        """Which grade counts, and why the one of an analysis differs from it; empty where both are the same."""
        if self.grade is None or (self.grade == result.grade and not self.override):
            return ""
        failed = [check.name for check in result.checks if not check.passed]
        here = result.grade + (f" (not passed: {', '.join(failed)})" if failed else "")
        if self.override:
            said = f"Grade {self.grade} counts, given by hand: {self.override}."
            return f"{said} The checklist of version {self.version} gives {self.computed}, this analysis {here}."
        if self.outside:
            return (
                f"Grade {self.grade} counts, {self.whose()}: the test was measured elsewhere, and what was reported "
                f"there ({self.measured}) is the evidence. This analysis of the study's own data gives {here}; the "
                "report can be held against it, and no fit takes it."
            )
        lost = [line.name for line in self.checks if not line.passed and line.name not in failed]
        if lost:
            return (
                f"Grade {self.grade} counts: the registry also holds the test against its plan and its record, and "
                f"there it did not pass: {', '.join(lost)}. The analysis alone gives {here}."
            )
        other = "of other data than these" if self.data != result.provenance.data else "otherwise"
        return (
            f"Grade {self.grade} counts, that of version {self.version} as the registry keeps it, which was made "
            f"{other}. This analysis gives {here}; it counts once the registry analyses the test again and that "
            "version is accepted."
        )

    def steps(self) -> list[str]:
        """What to do with the test, as far as its state says it."""
        why = f" ({self.reason})" if self.reason else ""
        if self.waits:
            said = [WAITS[self.state].format(why=why, successor=self.successor)]
            clash = f"Move it, or the other one, because it must not run like this: {'; '.join(self.conflicts)}."
            return [clash, *said] if self.conflicts and self.state in UNCLASHED else said
        if self.state == "rejected":
            return [
                f"It was rejected{why}: no fit counts it, and it stays on record. Accept it only where that reason no "
                "longer holds."
            ]
        return self._judged() if self.state == "analysed" else self._accepted()

    def _judged(self) -> list[str]:
        """What an analysed test waits for."""
        if self.grade == "E" and self.counts is None:
            return ["Reject it in the registry, with the reason: grade E is no evidence."]
        if self.counts is not None:
            return [
                f"Version {self.newest} of its result is new: accept it in the registry, or reject the test there. "
                f"Until then version {self.counts} counts as evidence."
            ]
        hint = " Take it as a hint only: at grade D the model widens its error." if self.grade == "D" else ""
        return [
            "Accept it in the registry as evidence, or reject it there with a reason: until then no fit counts it."
            + hint
        ]

    def _accepted(self) -> list[str]:
        """What is left to do for a test that is evidence."""
        result = "its result" if self.outside else f"version {self.counts} of its result"
        steps = []
        if self.question:
            steps.append(
                f"Decide whom to believe ('theodolite experiments resolve'): {self.question}. Until then the number of "
                "its channel is withheld."
            )
        if self.keep == "model":
            steps.append(f"Nothing: it is accepted, and set aside all the same, so that no fit counts it. {self._said}")
        elif self.left_out:
            steps.append(f"It is accepted, and the model does not take it all the same: {self.left_out}.")
        elif not self.used:
            steps.append(f"Fit the model: {result} is accepted as evidence, and no fit has counted it yet.")
        elif not self.question:
            steps.append(f"Nothing has to be done: {result} is accepted as evidence, and the fits since count it.")
        if self.keep == "test":
            steps.append(f"It was in question, and stays in. {self._said}")
        if self.keep == "neither":
            steps.append(f"Test the channel again: its number stays withheld. {self._said}")
        if self.expired:
            steps.append("Plan a new test: the read-out of this one ended more than two years ago.")
        return steps

    @property
    def _said(self) -> str:
        """The decision as a sentence."""
        return f"{self.decision[:1].upper()}{self.decision[1:].rstrip('.')}."


def _asked(judged: "Sequence[Conflict]", name: str) -> "Conflict | None":
    """The judgement on a test, where it is in question."""
    return next((each for each in judged if each.experiment_id == name and each.verdict != "agrees"), None)


def _graded(version: Mapping[str, Any]) -> dict[str, Any]:
    """What a standing says of the version that it is graded by."""
    record = Experiment.model_validate_json(json.dumps(version["record"]))
    error = record.standard_error
    measured = "" if record.estimate is None else f"{record.estimand} {number(record.estimate)}".replace("_", " ")
    return {
        "grade": version["grade"] or default_grade(record),
        "stated": version["grade"] is not None,
        "computed": version["computed_grade"],
        "override": version["grade_override"],
        "checks": tuple(Line(c["check"], c["passed"], c["text"]) for c in version["grade_reasons"]),
        "measured": measured + (f" ± {number(error)}" if error else ""),
        "data": version["data"],
        "version": version["version"],
        "used": any(each["kind"] == "mmm.fitted" for each in version["used_in"]),
    }
