"""Days as users write them."""

from datetime import date
from typing import Any

from measurement.errors import DataError, shown


def day(text: str | None, option: str) -> date | None:
    """A day written YYYY-MM-DD; ``None`` stays ``None``.

    Args:
        text: What was given.
        option: The option or field that it stands in, for the message.

    Raises:
        DataError: Where it is no day.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DataError(f"{option}: found '{shown(text)}', a day is written YYYY-MM-DD") from None


def iso(value: Any) -> str:
    """What ``json.dumps`` writes for a day, and for nothing else that it does not know.

    Raises:
        TypeError: For anything but a day.
    """
    if type(value) is date:
        return value.isoformat()
    raise TypeError(f"found {shown(value, 60)}; numbers, texts, lists and days are allowed")
