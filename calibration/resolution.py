"""Resolution: what somebody decided about a test that contradicts the model or another test; kept on the store.

``test`` believes the test: it stays in, the number is shown, and the flag is named beside it. ``model`` sets the test
aside: nothing is fitted or reconciled with it any more. ``neither`` believes neither, so that the number stays withheld
until something new is known. Nothing is ever overwritten: the last decision on a test counts, all of them are kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

from calibration.conflict import LIMIT, Conflict
from calibration.view import View
from measurement.errors import Problem, did_you_mean, refuse, shown
from measurement.store import Event, Store
from measurement.typing import Json

RESOLVED = "conflict.resolved"
LONGEST = 2_000
Keep = Literal["test", "model", "neither"]
KEEPS: tuple[Keep, ...] = get_args(Keep)
WORDS: Mapping[Keep, str] = {
    "test": "the test is believed and stays in",
    "model": "the model is believed and the test set aside",
    "neither": "neither is believed, and the number stays withheld",
}


@dataclass(frozen=True, slots=True)
class Resolution:
    """One decision.

    Attributes:
        experiment_id: The test.
        channels: Its channels.
        keep: What is believed: ``test``, ``model`` or ``neither``.
        reason: Why, in the words of who decided.
        by: Who decided.
        at: When, UTC.
        conflict: What the conflict was.
        hash: Hash of the event that holds it.
    """

    experiment_id: str
    channels: tuple[str, ...]
    keep: Keep
    reason: str
    by: str
    at: str
    conflict: str
    hash: str

    @property
    def in_words(self) -> str:
        """Who decided what, and why."""
        return f"{self.by} decided on {self.at[:10]} that {WORDS[self.keep]}: {self.reason}"

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "experiment_id": self.experiment_id,
            "channels": list(self.channels),
            "keep": self.keep,
            "reason": self.reason,
            "by": self.by,
            "at": self.at,
            "conflict": self.conflict,
            "hash": self.hash,
        }


def resolve(
    store: Store, conflicts: Sequence[Conflict], experiment_id: str, *, keep: str, reason: str, by: str
) -> Resolution:
    """Record a decision.

    Args:
        store: The workspace's store.
        conflicts: The judgements of the last fit.
        experiment_id: A test in conflict there, or one that was decided on before.
        keep: ``test``, ``model`` or ``neither``.
        reason: Why.
        by: Who decides.

    Raises:
        DataError: With everything that is wrong; nothing is written then.
    """
    before = resolutions(store)
    judged = {conflict.experiment_id: conflict for conflict in conflicts}
    open_ones = [name for name, conflict in judged.items() if conflict.verdict != "agrees"]
    refuse([*_text_problems(keep, reason, by), *_not_in_question(experiment_id, judged, open_ones, before)])
    earlier = before.get(experiment_id)
    at_stake = judged.get(experiment_id)
    words = at_stake.in_words() if at_stake and at_stake.verdict != "agrees" else earlier.conflict if earlier else ""
    channels = at_stake.channels if at_stake else earlier.channels if earlier else ()
    payload: Json = {
        "keep": keep,
        "reason": reason.strip(),
        "by": by.strip(),
        "channels": list(channels),
        "conflict": words,
    }
    store.append(RESOLVED, experiment_id, payload, by.strip())
    return resolutions(store)[experiment_id]


def resolutions(store: Store) -> dict[str, Resolution]:
    """The last decision on each test that was ever decided on, the oldest first."""
    return {event.subject: _resolution(event) for event in store.events(kind=RESOLVED)}


def decided(conflicts: Sequence[Conflict], made: Mapping[str, Resolution]) -> tuple[Conflict, ...]:
    """Judgements with what was decided about them.

    A test that was set aside no longer speaks against others: a disagreement with it alone is none.
    """
    aside = set_aside(made)
    found = []
    for conflict in conflicts:
        decision = made.get(conflict.experiment_id)
        if decision is not None:
            conflict = replace(conflict, keep=decision.keep, decision=decision.in_words)
        against = tuple(name for name in conflict.against if name not in aside)
        if conflict.verdict == "tests disagree" and not against and conflict.experiment_id not in aside:
            conflict = replace(conflict, against=(), verdict="conflict" if conflict.least_p < LIMIT else "agrees")
        found.append(conflict)
    return tuple(found)


def set_aside(made: Mapping[str, Resolution]) -> frozenset[str]:
    """Ids of the tests that are evidence no more."""
    return frozenset(name for name, decision in made.items() if decision.keep == "model")


def named(view: View, conflicts: Sequence[Conflict], made: Mapping[str, Resolution]) -> View:
    """The same view, saying of each channel what was decided about its tests."""
    kept = {c.experiment_id: f"{c.in_words()}; {c.decision}" for c in conflicts if c.keep == "test" and c.decision}
    notes = [f"{', '.join(map(shown, d.channels))}: {kept.get(d.experiment_id, d.in_words)}" for d in made.values()]
    flags = {name: words for c in conflicts for name in c.channels if (words := kept.get(c.experiment_id))}
    channels = tuple(
        replace(c, reason=f"{c.reason}; {flags[c.channel]}") if c.channel in flags else c for c in view.channels
    )
    return replace(view, channels=channels, notes=(*view.notes, *notes))


def _resolution(event: Event) -> Resolution:
    content = event.payload
    return Resolution(
        experiment_id=event.subject,
        channels=tuple(content["channels"]),
        keep=cast("Keep", content["keep"]),
        reason=content["reason"],
        by=content["by"],
        at=event.at,
        conflict=content["conflict"],
        hash=event.hash,
    )


def _text_problems(keep: str, reason: str, by: str) -> list[Problem]:
    problems = []
    if keep not in KEEPS:
        words = f"found '{shown(keep)}'{did_you_mean(keep, KEEPS)}; allowed are {', '.join(KEEPS)}"
        problems.append(Problem(f"keep: {words}", column="keep", code="keep"))
    for field, text in (("reason", reason), ("by", by)):
        if not text.strip():
            words = "is empty; a decision says why" if field == "reason" else "is empty; a decision says who made it"
            problems.append(Problem(f"{field}: {words}", column=field, code="missing-field"))
        elif len(text) > LONGEST:
            words = f"{field}: has {len(text)} characters; at most {LONGEST} are allowed"
            problems.append(Problem(words, column=field, code="too-long"))
    return problems


def _not_in_question(
    experiment_id: str, judged: Mapping[str, Conflict], open_ones: Sequence[str], before: Mapping[str, Resolution]
) -> list[Problem]:
    if experiment_id in open_ones or experiment_id in before:
        return []
    name, known = shown(experiment_id), [*judged, *before]
    if experiment_id in judged:
        words = f"test '{name}' agrees with the model: there is nothing to decide"
    else:
        words = f"the last fit holds no test '{name}'{did_you_mean(experiment_id, known)}"
    listed = ", ".join(f"'{shown(each)}'" for each in open_ones) or "none"
    return [Problem(f"{words}; in question: {listed}", column="experiment_id", code="not-in-question")]
