"""What the pages quote of the studies is what the committed tables say, within what another run may move."""

import re
from collections.abc import Callable

import pytest

from docs import build

Table = Callable[[str], list[dict[str, str]]]
NEAR = 0.03  # a study that was made again may move a share by this much before the page has to follow

QUOTED = [
    ("mmm_coverage", {"world": "national", "truths": "priors", "follows": "no"}, "covered", 0.89),
    ("mmm_coverage", {"world": "geo", "follows": "no"}, "covered", 0.89),
    ("mmm_coverage", {"world": "national", "told": "as it is", "channels": "strong"}, "covered", 0.87),
    ("mmm_coverage", {"world": "national", "told": "no", "channels": "strong"}, "covered", 0.13),
    ("calibration", {"confounding term": "yes", "channels": "untested", "fit": "with tests"}, "covered", 0.89),
    ("calibration", {"confounding term": "yes", "channels": "tested", "fit": "with tests"}, "covered", 0.94),
    ("calibration_flags", {"reported": "five times", "tests": "among three", "channel": "all"}, "flagged", 0.93),
    ("unified", {"regime": "badly biased MMM", "rule": "unified"}, "covered", 0.89),
    ("unified_worlds", {"truths": "presets", "source": "unified", "channels": "all"}, "covered", 0.98),
    ("unified_worlds", {"truths": "presets", "source": "unified", "channels": "all"}, "rmse", 0.32),
    ("unified_worlds", {"truths": "priors", "source": "unified", "channels": "all"}, "covered", 0.87),
    ("unified_worlds", {"truths": "priors", "source": "unified", "channels": "tested"}, "covered", 0.82),
    ("unified_worlds", {"truths": "priors", "source": "unified", "channels": "all"}, "rmse", 0.61),
    ("switchback", {"world": "on-off, rho .6 and a random walk", "estimator": "autoregressive"}, "covered", 0.80),
    ("power", {"panel": "all"}, "found", 0.80),
    ("power", {"panel": "geolift"}, "found", 0.70),
    ("attribution", {"model": "shapley", "truth": "model"}, "worst_channel", 0.85),
    ("variation", {"effects": "drifting", "varies": "no", "of": "last 26 weeks"}, "covered", 0.75),
    ("validate", {"kind": "right, geo"}, "good", 0.77),
]


@pytest.mark.parametrize(("table", "where", "column", "quoted"), QUOTED)
def test_the_limits_say_what_the_tables_say(
    study_table: Table, table: str, where: dict[str, str], column: str, quoted: float
) -> None:
    (found,) = [
        line[column] for line in study_table(table) if all(line[name] == value for name, value in where.items())
    ]
    assert abs(float(found) - quoted) <= NEAR, f"{table} now says {found}: bring docs/limits.md up to date"
    written = {f"{quoted:.2f}"[1:], f"{quoted:.2f}"}
    rows = [row for row in (build.SOURCE / "limits.md").read_text("utf-8").splitlines() if f"`{table}`" in row]
    pages = " ".join(rows) + (build.SOURCE / "peers.md").read_text("utf-8")
    assert any(re.search(rf"(?<![\d]){re.escape(text)}(?!\d)", pages) for text in written)


def test_every_table_named_exists(study_table: Table) -> None:
    text = (build.SOURCE / "limits.md").read_text("utf-8")
    named = set(re.findall(r"\| `(\w+)` \|$", text, re.MULTILINE))
    assert len(named) > 10
    for name in named:
        assert study_table(name)
