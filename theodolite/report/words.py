"""Numbers and chances in words that need no statistician. All spaces inside a figure are non-breaking."""

import math
from collections.abc import Callable, Sequence

GAP = "\u00a0"
NOTHING = "–"

_SCALES = ((1e9, "bn"), (1e6, "m"), (1e3, "k"))


def number(value: float) -> str:
    """Three significant digits at most, thousands shortened: ``1.24 m``, ``310 k``, ``0.72``."""
    if not math.isfinite(value):
        return NOTHING
    size = abs(value)
    for scale, suffix in _SCALES:
        if size >= scale * 0.9995:
            return f"{_plain(value / scale)}{GAP}{suffix}"
    return _plain(value)


def _plain(value: float) -> str:
    size = abs(value)
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    text = f"{value:.{digits}f}"
    text = text.partition(".")[0] if float(text) == round(value) else text
    return "0" if float(text) == 0 else text.replace("-", "−")


def money(value: float, currency: str) -> str:
    """``EUR 1.24 m``; a minus stands before the currency."""
    if not math.isfinite(value):
        return NOTHING
    return f"{'−' if value < 0 else ''}{currency}{GAP}{number(abs(value))}"


def ratio(value: float) -> str:
    """Two decimals, fewer for large values: ``0.93``, ``12.4``, ``186``."""
    if not math.isfinite(value):
        return NOTHING
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    text = f"{value:.{digits}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")


def percent(value: float, digits: int = 0) -> str:
    """A share as a percentage: ``12 %``."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{100 * value:.{digits}f}"
    return f"{(text.removeprefix('-') if float(text) == 0 else text).replace('-', '−')}{GAP}%"


def span(low: float, high: float, form: Callable[[float], str] = ratio) -> str:
    """``0.90 to 1.61``."""
    return f"{form(low)} to {form(high)}"


def chance(probability: float) -> str:
    """A probability as a percentage that never claims certainty."""
    if probability > 0.99:
        return f"over 99{GAP}%"
    return f"under 1{GAP}%" if probability < 0.01 else percent(probability)


def count(amount: int, one: str, many: str | None = None) -> str:
    """``1 market``, ``3 markets``."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def listed(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
