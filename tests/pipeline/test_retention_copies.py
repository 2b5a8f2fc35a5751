"""Copies elsewhere: found by name, and no other place than the files' own is taken for elsewhere."""

import pytest

from dsa110_contimg.errors import RetentionError
from dsa110_contimg.pipeline.retention_copies import find_copies, verify

NAME = "2025-10-05T12:30:00_sb03.hdf5"


@pytest.fixture
def places(tmp_path):
    made = [tmp_path / name for name in ("incoming", "a", "b")]
    for place in made:
        place.mkdir()
    return made


def test_copies_are_found_at_any_depth_one_a_place(places):
    incoming, first, second = places
    (incoming / NAME).write_bytes(b"data")
    (first / NAME).write_bytes(b"data")
    (first / "again").mkdir()
    (first / "again" / NAME).write_bytes(b"data")
    (second / "deep").mkdir()
    (second / "deep" / NAME).write_bytes(b"DATA")
    (second / "notes.txt").write_bytes(b"data")
    found = find_copies([first, second], incoming).of(incoming / NAME)
    assert len(found) == 2
    assert found[1] == second / "deep" / NAME
    with pytest.raises(RetentionError, match="differs from its copy"):
        verify(incoming / NAME, found)
    (second / "deep" / NAME).write_bytes(b"data")
    verify(incoming / NAME, found)


def test_another_size_is_no_copy(places):
    incoming, first, second = places
    for place, content in zip(places, (b"data", b"data", b"dat"), strict=True):
        (place / NAME).write_bytes(content)
    found = find_copies([first, second], incoming).of(incoming / NAME)
    assert found == [first / NAME]
    with pytest.raises(RetentionError, match="has 1 copies elsewhere, not 2"):
        verify(incoming / NAME, found)


@pytest.mark.parametrize(
    ("roots", "said"),
    [
        (["a"], "1 places are known"),
        (["a", "gone"], "is no directory"),
        (["a", "incoming"], "is no other place"),
        (["a", "a/deep"], "is no other place"),
        (["a", "."], "is no other place"),
    ],
)
def test_places_that_will_not_do(places, tmp_path, roots, said):
    (tmp_path / "a" / "deep").mkdir()
    with pytest.raises(RetentionError, match=said):
        find_copies([tmp_path / root for root in roots], tmp_path / "incoming")


def test_a_copy_that_cannot_be_read_is_named(places):
    incoming, first, second = places
    for place in places:
        (place / NAME).write_bytes(b"data")
    found = find_copies([first, second], incoming).of(incoming / NAME)
    (second / NAME).unlink()
    (second / NAME).mkdir()
    with pytest.raises(RetentionError, match="cannot be compared"):
        verify(incoming / NAME, found)
