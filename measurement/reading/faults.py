"""Say in words what is wrong with one value of a table: what was found, what is allowed, and how to write it."""

import re

from measurement.errors import did_you_mean, shown

_BLANKS = {"na", "n/a", "#n/a", "null", "none", "nil", "-", "--", "?", ".", "missing", "#value!", "#ref!", "#div/0!"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_CURRENCY = re.compile(r"[$€£¥₹₽₩₺₫฿₴₦]|\b(?:USD|EUR|GBP|CHF|JPY|INR|kr|zł|R\$|A\$|C\$)\b", re.IGNORECASE)


def is_number(text: str) -> bool:
    """Whether a text is a plain number."""
    return bool(_NUMBER.fullmatch(text.strip()))


def number(text: str) -> tuple[str, str]:
    """(message, code) for a text that is no plain number."""
    found, bare = f"found '{shown(text)}'", text.strip()
    plain = "write a plain number such as 1234.5"
    if bare.casefold() in _BLANKS:
        return f"{found}, which stands for a missing value; a number is needed", "blank"
    if bare.casefold().lstrip("+-") in {"nan", "inf", "infinity", "1.#inf", "1.#qnan"} or is_number(bare):
        return f"{found}; a number must be finite", "not-finite"
    if _CURRENCY.search(bare):
        return f"{found} with a currency sign; {plain}", "currency-sign"
    if "_" in bare:
        return f"{found} with an underscore; {plain}", "underscore"
    if "%" in bare:
        return f"{found} with a percent sign; {plain}", "percent-sign"
    if re.fullmatch(r"\(.*\)", bare):
        return f"{found} in brackets; {plain}, with a minus sign where it is negative", "brackets"
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d*|[+-]?\d{1,3}(,\d{3}){2,}|[+-]?\d{1,3}([ '’  ]\d{3})+([.,]\d*)?", bare):
        return f"{found} with a thousands separator; {plain}", "thousands-separator"
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?|[+-]?\d{1,3},\d{3}|[+-]?\d*,\d*", bare):
        return f"{found}, a decimal comma or a thousands separator; {plain}", "decimal-comma"
    return f"{found}; {plain}", "not-a-number"


def below(value: float, minimum: float, exclusive: bool) -> tuple[str, str]:
    """(message, code) for a number under its least allowed value."""
    allowed = f"above {minimum:g}" if exclusive else f"{minimum:g} or more"
    return f"found {value:g}; the value must be {allowed}", "negative" if value < 0 else "too-small"


def day(text: str) -> tuple[str, str]:
    """(message, code) for a text that is no ISO date."""
    found, bare = f"found '{shown(text)}'", text.strip()
    iso = "write dates as YYYY-MM-DD, such as 2024-01-31"
    if bare.casefold() in _BLANKS:
        return f"{found}, which stands for a missing value; {iso}", "blank"
    if re.match(r"\d{4}-\d{1,2}-\d{1,2}[T ]+\d", bare):
        zone = " and a time zone" if re.search(r"(Z|[+-]\d\d:?\d\d|UTC|GMT)$", bare) else ""
        return f"{found} with a time of day{zone}; {iso}", "time-of-day"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", bare):
        return f"{found}, a day that does not exist or lies outside 1900 to 2100; {iso}", "impossible-date"
    if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", bare):
        return f"{found} without leading zeros; {iso}", "date-format"
    slashed = re.fullmatch(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{2}|\d{4})", bare)
    if slashed:
        first, second = int(slashed[1]), int(slashed[3])
        order = (
            "day first" if first > 12 else "month first" if second > 12 else "day first or month first, nobody can tell"
        )
        return f"{found} ({order}); {iso}", "day-or-month-first"
    if re.fullmatch(r"\d{8}", bare) or re.fullmatch(r"\d{4}[/.]\d{1,2}([/.]\d{1,2})?", bare):
        return f"{found}; {iso}", "date-format"
    if re.fullmatch(r"\d+(\.\d+)?", bare):
        return f"{found}, a spreadsheet's serial number or a count of seconds; {iso}", "serial-date"
    return f"{found}; {iso}", "not-a-date"


def moment(text: str) -> tuple[str, str]:
    """(message, code) for a text that is no ISO timestamp."""
    found, bare = f"found '{shown(text)}'", text.strip()
    iso = "write 2024-01-31T13:05:00Z (UTC), or with an offset such as +02:00"
    if bare.casefold() in _BLANKS:
        return f"{found}, which stands for a missing value; {iso}", "blank"
    if re.fullmatch(r"\d+(\.\d+)?", bare):
        return f"{found}, a serial number or a count of seconds; {iso}", "serial-date"
    if re.match(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}", bare):
        return f"{found} with the day or the month first; {iso}", "day-or-month-first"
    return f"{found}; {iso}", "not-a-timestamp"


def flag(text: str) -> tuple[str, str]:
    """(message, code) for a text that is neither true nor false."""
    return f"found '{shown(text)}'; write true or false", "not-a-flag"


def choice(text: str, choices: tuple[str, ...]) -> tuple[str, str]:
    """(message, code) for a text that is none of ``choices``."""
    allowed = ", ".join(f"'{each}'" for each in choices)
    return f"found '{shown(text)}'{did_you_mean(text, choices)}; allowed are {allowed}", "unknown-value"


def too_long(text: str, longest: int) -> tuple[str, str]:
    """(message, code) for a text that is too long to be a name."""
    return f"found a text of {len(text)} characters; at most {longest} are allowed", "too-long"
