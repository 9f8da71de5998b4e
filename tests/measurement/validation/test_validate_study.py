"""The committed study of the verdict: right models are seldom accused, planted faults are found and named."""

from collections.abc import Callable


def test_the_committed_verdicts_are_right(study_table: Callable[[str], list[dict[str, str]]]) -> None:
    lines = {line["kind"]: line for line in study_table("validate")}
    for line in lines.values():
        if line["named"] == "–":
            assert float(line["do not use"]) == 0.0, line
        else:
            assert float(line["good"]) == 0.0, line
            assert float(line["named"]) >= 0.65, line
    right = [line for kind, line in lines.items() if kind.startswith("right")]
    assert {line["kind"] for line in right} == {"right, national", "right, geo"}
    assert sum(int(line["worlds"]) for line in right) >= 100
    least = {"right, national": 0.85, "right, geo": 0.7}  # geo panels are warned of too often: none is called wrong
    for line in right:
        assert float(line["good"]) >= least[line["kind"]], line
