"""What channels are called: aliases and patterns of them, campaigns; and which of them are direct traffic."""

import re
from collections.abc import Sequence

from attribution.path_spec import DIRECT_NAMES, PathSpec

PART = "\x1f"
"""Between channel and campaign while a log is read: no name holds it."""
WITH_CAMPAIGN = " / "
"""Between channel and campaign in the finished name."""


def names_of(raw: Sequence[str], spec: PathSpec) -> list[str]:
    """The names that channels go by, aliases applied.

    An alias that is the very name wins; then patterns, in which ``*`` stands for any text, the longest first. With
    ``grain = campaign`` they apply to the channel, and its campaign is put behind it.

    Args:
        raw: Names in the source; with campaigns, joined to them by `PART`.
        spec: Aliases and grain.
    """
    aliases = dict(spec.aliases)
    patterns = [(_pattern(name), aliases[name]) for name in sorted(aliases, key=lambda n: (-len(n), n)) if "*" in name]

    def ours(name: str) -> str:
        if name in aliases:
            return aliases[name]
        return next((target for pattern, target in patterns if pattern.fullmatch(name)), name)

    if spec.grain == "channel":
        return [ours(name) for name in raw]
    parts = (name.partition(PART) for name in raw)
    return [ours(channel) + (WITH_CAMPAIGN + campaign if campaign else "") for channel, _, campaign in parts]


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, name.split("*"))), re.DOTALL)


def channel_of(name: str, spec: PathSpec) -> str:
    """The channel of a name; with ``grain = channel`` that is the name."""
    return name if spec.grain == "channel" else name.partition(WITH_CAMPAIGN)[0]


def is_direct(name: str) -> bool:
    """Whether a name is that of direct traffic, alone or with a medium or campaign behind it: ``(direct) / (none)``."""
    return name.partition(WITH_CAMPAIGN)[0].casefold() in DIRECT_NAMES
