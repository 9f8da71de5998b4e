import json

import pytest

from attribution import PathSpec
from measurement import DataError


def test_the_hash_follows_the_settings_and_not_their_order():
    one = PathSpec(aliases={"TV": "tv", "Linear": "tv"})
    assert one.sha256 == PathSpec(aliases={"Linear": "tv", "TV": "tv"}).sha256
    assert one.sha256 != PathSpec().sha256
    assert PathSpec(half_life_days=3).sha256 != PathSpec().sha256


def test_it_reads_what_it_writes(tmp_path):
    spec = PathSpec(aliases={"TV": "tv"}, start="2024-01-01", repeats="collapse", position_weights=(1, 0, 1))
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(spec.to_dict()))
    assert PathSpec.read(file) == spec


def test_all_faults_of_a_file_are_told_together(tmp_path):
    file = tmp_path / "spec.json"
    file.write_text('{"repeat": "keep", "bots": "maybe", "half_life_days": 0}')
    with pytest.raises(DataError) as caught:
        PathSpec.read(file)
    text = str(caught.value)
    assert text.count("spec.json") == 3
    assert "did you mean 'repeats'" in text
    assert "'bots'" in text
    assert "greater than 0" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"bots": "keep", "bots": "drop"}', "given twice"),
        ("[1]", "no JSON object"),
        ("{", "no JSON"),
        ('{"start": "2024-02-01", "end": "2024-01-01"}', "before start"),
        ('{"position_weights": [0, 0, 0]}', "cannot all be 0"),
        ('{"click_lookback_days": NaN}', "finite"),
        ('{"click_lookback_days": "7"}', "valid number"),
        ('{"bot_touches": true}', "valid integer"),
        ('{"position_weights": [-1, 1, 1]}', "greater than or equal to 0"),
    ],
)
def test_what_it_refuses(tmp_path, text, said):
    file = tmp_path / "spec.json"
    file.write_text(text)
    with pytest.raises(DataError, match=said):
        PathSpec.read(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.json"):
        PathSpec.read(tmp_path / "none.json")
