"""Fields of tests from the texts of a form: read as the cells of a csv are, lists with commas between the names."""

from collections.abc import Mapping
from typing import Any

from experiments.planning.goal_text import names
from experiments.records import reading, rules
from experiments.registry import plan
from measurement.reading.objects import Refused


def fields_of(texts: Mapping[str, str]) -> dict[str, Any]:
    """The fields that `experiments.registry.plan.parse` and `experiments.records.parse` read; empty ones are left out.

    What cannot be read stays in place as what is wrong with it, so that they name it with everything else.

    Args:
        texts: By field of a record or of a plan.
    """
    found = {name: _value(name, text) for name, text in texts.items()}
    return {name: value for name, value in found.items() if value is not None}


def texts_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Fields back as such texts; those that hold more than a list of names are left out."""
    found: dict[str, str] = {}
    for name, value in fields.items():
        if name in rules.NESTED:
            continue
        if isinstance(value, bool):
            found[name] = "true" if value else "false"
        elif isinstance(value, list | tuple):
            found[name] = ",".join(map(quoted, value))
        else:
            found[name] = str(value).removesuffix(".0")
    return found


def quoted(name: str) -> str:
    """A name as one item of such a list: in double quotes, which are doubled inside."""
    return '"' + name.replace('"', '""') + '"'


def _value(name: str, text: str) -> Any:
    kind = plan.FIELDS.get(name)
    if name not in rules.LISTS and kind != "names":
        return reading.cell(name, text, kind)
    if not text.strip():
        return None
    try:
        return list(names(text))
    except ValueError as wrong:
        return Refused(str(wrong))
