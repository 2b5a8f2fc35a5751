"""The verdict beside an image, or nothing."""

import json

import pytest

from dsa110_contimg.images.verdicts import verdict_of


def test_it_is_read_where_there_is_one(tmp_path):
    record = tmp_path / "20251005T123000-quality.json"
    record.write_text(json.dumps({"verdict": "usable", "reasons": []}))
    assert verdict_of(record) == "usable"


@pytest.mark.parametrize("text", [None, "no json", "{}", "[]", '{"inputs": [{"image": 3}]}'])
def test_without_one_it_is_nothing(tmp_path, text):
    record = tmp_path / "record.json"
    if text is not None:
        record.write_text(text)
    assert verdict_of(record) == ""
