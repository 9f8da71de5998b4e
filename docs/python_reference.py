"""The Python reference: every public name of the packages with its signature and docstring, as pages of Markdown."""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

MODULES = (
    "theodolite",
    "theodolite.cycle",
    "theodolite.monitoring",
    "theodolite.mlflow_log",
    "calibration",
    "calibration.exchange",
    "calibration.next_test",
    "experiments",
    "experiments.records",
    "experiments.registry",
    "experiments.planning.goal",
    "experiments.planning.plan",
    "experiments.charts",
    "experiments.geo.estimators",
    "experiments.user_level",
    "attribution",
    "attribution.charts",
    "measurement",
    "measurement.mmm",
    "measurement.plan.budget",
    "measurement.plan.flighting",
    "measurement.plan.forecast",
    "measurement.plan.response",
    "measurement.validation",
    "measurement.simulate",
    "measurement.store",
    "measurement.errors",
)
"""The packages' public surfaces, and modules below them that the how-to pages use."""

TITLES = {"Args": "Arguments", "Attributes": "Attributes", "Raises": "Raises"}
PROSE = ("Returns", "Yields")
WIDTH = 100


@cache
def pages() -> dict[str, str]:
    """Each page's name and its Markdown."""
    return {f"reference/python/{name}.md": page(importlib.import_module(name)) for name in MODULES}


def public(module: ModuleType) -> list[str]:
    """What a module offers: its ``__all__``, else what it defines without an underscore."""
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if not name.startswith("__")]
    own = (name for name, thing in vars(module).items() if getattr(thing, "__module__", None) == module.__name__)
    return [name for name in own if not name.startswith("_")]


def page(module: ModuleType) -> str:
    """The page of one module."""
    parts = [f"# {module.__name__}", text(module.__doc__ or "")]
    for name in public(module):
        parts += [f"## {name}", *_described(name, getattr(module, name))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _described(name: str, thing: Any) -> Iterator[str]:
    if inspect.ismodule(thing):
        yield f"The module `{thing.__name__}`."
        yield text(thing.__doc__ or "")
    elif not callable(thing) or isinstance(thing, dict):
        yield _fenced(f"{name}: {type(thing).__name__}")
    else:
        yield _fenced(signature(name, thing))
        yield text(inspect.getdoc(thing) or "")
        if inspect.isclass(thing):
            for method, found in _methods(thing):
                yield f"### {name}.{method}"
                yield _fenced(signature(method, found)) if callable(found) else ""
                yield text(inspect.getdoc(found) or "")


def _methods(thing: type) -> Iterator[tuple[str, Any]]:
    """What a class defines itself, or inherits from a class of ours, with a docstring."""
    ours = [base for base in thing.__mro__ if base.__module__.split(".")[0] == thing.__module__.split(".")[0]]
    fields = {field.name for field in dataclasses.fields(thing)} if dataclasses.is_dataclass(thing) else set()
    seen: set[str] = set()
    for base in ours:
        for name, found in vars(base).items():
            told = found.__func__ if isinstance(found, classmethod | staticmethod) else found
            if name.startswith("_") or name in seen | fields or not (inspect.getdoc(told) or "").strip():
                continue
            if inspect.isroutine(told) or isinstance(told, property) or hasattr(told, "func"):
                seen.add(name)
                yield name, told if inspect.isroutine(told) else property(getattr(told, "func", None) or told.fget)


def signature(name: str, thing: Any) -> str:
    """A signature as one writes it: on one line where it fits, else an argument a line."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return name
    arguments = [parameter for key, parameter in found.parameters.items() if key not in ("self", "cls")]
    shown = [_plain(str(parameter)) for parameter in arguments]
    starred = False
    for at, parameter in reversed(list(enumerate(arguments))):
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            first = at
            starred = True
    if starred and not any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in arguments):
        shown.insert(first, "*")
    returns = "" if found.return_annotation is found.empty or inspect.isclass(thing) else found.return_annotation
    end = f") -> {_plain(inspect.formatannotation(returns))}" if returns != "" else ")"
    line = f"{name}({', '.join(shown)}{end}"
    return line if len(line) <= WIDTH else f"{name}(\n" + "".join(f"    {part},\n" for part in shown) + end


def _plain(annotation: str) -> str:
    """An annotation without quotes and without the modules that names come from; defaults as they are written."""
    head, equals, default = annotation.partition(" = ")
    head = head if "Literal[" in head else head.replace("'", "").replace('"', "")
    head = re.sub(r"(?:[a-z_][\w]*\.)+(?=[A-Z])", "", head)
    default = re.sub(r"<factory>|<[^>]*object at[^>]*>", "...", default)
    default = default if len(default) <= 40 else "..."
    return re.sub(r"\bNoneType\b", "None", head) + equals + default


def _fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def text(docstring: str) -> str:
    """A docstring in Google's style as Markdown: its arguments as a list, its drawings as they are."""
    out: list[str] = []
    part = ""
    drawing = False
    for line in inspect.cleandoc(docstring).splitlines():
        head = line.removesuffix(":")
        if line.endswith("::"):
            part, drawing = "", True
            out.append(line.removesuffix("::").strip())
        elif drawing and (not line or line.startswith(" ")):
            out.append(line and f"    {line}")
        elif line.endswith(":") and (head in TITLES or head in PROSE):
            part, drawing = head, False
            out += [f"**{TITLES.get(head, head)}**", ""]
        elif part in TITLES and re.match(r" {4}[*\w`]", line):
            name, _, rest = line.strip().partition(": ")
            out.append(f"- `{name.rstrip(':')}`: {rest}" if rest or line.endswith(":") else f"- {name}")
        elif part and line.startswith("    "):
            out.append(f"  {line.strip()}" if part in TITLES else line.strip())
        else:
            part, drawing = part if not line.strip() else "", False
            out.append(line)
    return re.sub(r"``([^`]+)``", r"`\1`", "\n".join(out).strip())
