"""Events under a hash chain: pure functions that link, fingerprint and check them.

Each event carries the hash of the one before it, so that a changed, inserted or missing event breaks the chain from
there on. The chain alone cannot tell that its last events are gone: for that its `Head` is kept in a second place.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from measurement.errors import DataError, Problem, shown
from measurement.provenance import canonical_json, sha256_of
from measurement.typing import Json

GENESIS = "0" * 64
LONGEST_NAME = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded.

    Attributes:
        kind: What happened, as ``noun.verb`` (``experiment.registered``).
        subject: What it happened to: an id.
        payload: Everything else, JSON-able. A key ``artifact`` (one hash) or ``artifacts`` (a list or mapping of
            hashes) names artifacts that the event needs; `Store.verify` looks for them.
        actor: Who did it.
    """

    kind: str
    subject: str
    payload: Mapping[str, Any]
    actor: str


@dataclass(frozen=True, slots=True)
class Event:
    """What was recorded.

    Attributes:
        sequence: Its place in the chain, from 1, without gaps.
        at: When, in UTC, as ISO text with microseconds.
        actor: Who did it.
        kind: What happened.
        subject: What it happened to.
        payload: Everything else, as plain JSON values.
        hash: SHA-256 over all of the above and ``previous``.
        previous: Hash of the event before it.
    """

    sequence: int
    at: str
    actor: str
    kind: str
    subject: str
    payload: Json
    hash: str
    previous: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: the last event's sequence and hash (0 and zeros while there is none)."""

    sequence: int = 0
    hash: str = GENESIS


class Row(NamedTuple):
    """An event as it lies in the database: the payload is its canonical JSON text."""

    sequence: int
    recorded_at: str
    actor: str
    kind: str
    subject: str
    payload: str
    previous: str
    hash: str

    @property
    def fingerprint(self) -> str:
        """The hash that this row should have."""
        return sha256_of(self._asdict() | {"hash": ""})

    @property
    def head(self) -> Head:
        """The head of a chain that ends with this row."""
        return Head(self.sequence, self.hash)


def link(entries: Sequence[Entry], head: Head, recorded_at: str) -> list[Row]:
    """Make the rows that continue a chain.

    Args:
        entries: What is to be recorded, in order.
        head: Where the chain ends now.
        recorded_at: The time that all of them get.

    Raises:
        DataError: With one problem per entry that cannot be recorded; then none of them is.
    """
    problems: list[Problem] = []
    rows: list[Row] = []
    for entry in entries:
        wrong = [*_unfit_names(entry)]
        try:
            payload = payload_text(entry.payload)
        except DataError as error:
            wrong += error.problems
        problems += wrong
        if wrong:
            continue
        draft = Row(head.sequence + 1, recorded_at, entry.actor, entry.kind, entry.subject, payload, head.hash, "")
        rows.append(draft._replace(hash=draft.fingerprint))
        head = rows[-1].head
    if problems:
        raise DataError(problems)
    return rows


def payload_text(payload: Mapping[str, Any]) -> str:
    """Write a payload as canonical JSON.

    Raises:
        DataError: When it is not plain JSON, or would not be the same after reading it back.
    """
    try:
        text = canonical_json(dict(payload))
        text.encode("utf-8")
        if canonical_json(json.loads(text)) != text:
            raise ValueError("two keys are the same once written as text")
    except UnicodeEncodeError:
        raise DataError("the record holds half of a character (a lone surrogate); text must be valid Unicode") from None
    except RecursionError:
        raise DataError("the record is nested too deeply to be stored") from None
    except (TypeError, ValueError) as error:
        raise DataError(f"the record cannot be stored as JSON: {shown(error, 200)}") from None
    return text


def event(row: Row) -> Event:
    """Read a row."""
    payload = json.loads(row.payload)
    return Event(
        row.sequence, row.recorded_at, row.actor, row.kind, row.subject, payload, hash=row.hash, previous=row.previous
    )


def broken_links(rows: Iterable[Row]) -> list[Problem]:
    """Name every place where a chain does not hold, the first one first; empty when it is whole."""
    problems: list[Problem] = []
    before = Head()
    for row in rows:
        if row.sequence != before.sequence + 1:
            problems.append(_broken(f"event {before.sequence + 1} is missing (event {row.sequence} comes next)"))
        elif row.previous != before.hash:
            problems.append(_broken(f"event {row.sequence} does not follow from event {before.sequence}"))
        elif row.hash != row.fingerprint:
            problems.append(_broken(f"event {row.sequence} is not what was recorded: its content and hash differ"))
        before = row.head
    return problems


def wrong_end(tail: Row | None, count: int, head: Head, coming: Head | None) -> Problem | None:
    """Compare the end of a chain with the head that was kept outside it.

    A writer first notes the coming head, then commits, then lets the coming head become the head. So a chain that ends
    at either of the two is what was written, whole; any other end is damage.

    Args:
        tail: The last row; ``None`` for an empty chain.
        count: How many rows there are.
        head: The head kept outside.
        coming: The head that a writer was about to reach when it last stood there.
    """
    wrong = wrong_tail(tail, count)
    if wrong:
        return wrong
    end = tail.head if tail else Head()
    if end == head or (coming is not None and end == coming and coming.sequence > head.sequence):
        return None
    if end.sequence < head.sequence:
        lost = head.sequence - end.sequence
        return _broken(f"the last {lost} of {head.sequence} events are lost (the head file knows of them)")
    if end.sequence == head.sequence:
        return _broken(f"event {end.sequence} is not the one that the head file names")
    return _broken(f"it ends at event {end.sequence}, but the head file knows of {head.sequence} only")


def wrong_tail(tail: Row | None, count: int) -> Problem | None:
    """Compare the last row with how many rows there are, and with its own hash."""
    end = tail.head if tail else Head()
    if count != end.sequence:
        return _broken(f"it holds {count} events, but the last one is number {end.sequence}")
    if tail and tail.hash != tail.fingerprint:
        return _broken(f"event {tail.sequence} is not what was recorded: its content and hash differ")
    return None


def _broken(message: str) -> Problem:
    return Problem(message, code="store.chain")


def _unfit_names(entry: Entry) -> Iterable[Problem]:
    for field in ("kind", "subject", "actor"):
        text = getattr(entry, field)
        if not isinstance(text, str) or not text.strip():
            yield Problem(f"an event's {field} must be a text that is not blank, not {shown(repr(text))}")
        elif len(text) > LONGEST_NAME:
            yield Problem(f"an event's {field} may have {LONGEST_NAME} characters at most, this one has {len(text)}")
        elif "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            yield Problem(f"an event's {field} '{shown(text)}' holds a character that cannot be stored")
