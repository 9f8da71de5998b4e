"""Days as users write them."""

from datetime import date

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
