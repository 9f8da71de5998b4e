"""Chart specifications made ready for a page: no outside address, strict JSON, few bytes."""

import json
import math
from collections.abc import Mapping
from typing import Any

_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_DIGITS = 7


def tidy(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification without the address of its schema and without Altair's fixed default sizes.

    Raises:
        ValueError: Where it would load data or an image from an address: a report reaches nothing.
    """
    cleaned = {key: value for key, value in spec.items() if key != "$schema"}
    config = {key: value for key, value in cleaned.get("config", {}).items() if key != "view"}
    cleaned = {key: value for key, value in cleaned.items() if key != "config"} | ({"config": config} if config else {})
    _refuse_addresses(cleaned)
    return dict(_strict(cleaned))


def records(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows that a chart draws: those of its largest data set."""
    named = list(spec.get("datasets", {}).values())
    inline = spec.get("data", {}).get("values") if isinstance(spec.get("data"), Mapping) else None
    sets = [rows for rows in [*named, inline] if isinstance(rows, list)]
    return max(sets, key=len, default=[])


def script_json(value: Any) -> str:
    """JSON that can stand inside ``<script>``: nothing in it can close the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPED)


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be written as UTF-8
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def _refuse_addresses(value: Any) -> None:
    """Look for ``url`` and for image marks everywhere but in the rows, where a field may have any name."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in {"url", "href"} or (key in {"mark", "type"} and item == "image"):
                raise ValueError(f"a chart of a report may not refer to an address ({key!r})")
            if key not in {"datasets", "values"}:
                _refuse_addresses(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_addresses(item)
