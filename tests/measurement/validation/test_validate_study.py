"""The committed study of the verdict: right models are seldom accused, planted faults are found and named."""

from collections.abc import Callable


def test_the_committed_verdicts_are_right(study_table: Callable[[str], list[dict[str, str]]]) -> None:
    lines = {line["kind"]: line for line in study_table("validate")}
    for kind, line in lines.items():
        if line["named"] == "–":
            assert float(line["do not use"]) == 0.0, line
        else:
            assert float(line["good"]) == 0.0, line
            assert float(line["named"]) >= 0.65, line
        if kind.startswith("right, national"):
            assert int(line["worlds"]) >= 16
            assert float(line["good"]) >= 0.9, line
