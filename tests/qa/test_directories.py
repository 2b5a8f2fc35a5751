"""What there is in a directory of images."""

import numpy as np
import pytest

from dsa110_contimg.errors import UnreadableFileError, UsageError
from dsa110_contimg.naming import image_file_name
from dsa110_contimg.qa.directories import read_facts, read_planes, stem_of
from judged_images import STEM, make_planes, write_made


def test_read_planes(tmp_path) -> None:
    made = make_planes(64, n_sources=2)
    write_made(made, tmp_path)
    planes, header = read_planes(tmp_path, STEM)
    for read, written in zip(planes, made.planes, strict=True):
        np.testing.assert_array_equal(read, written)
    assert header.beam == made.header.beam


def test_fewer_planes(tmp_path) -> None:
    write_made(make_planes(64, n_sources=2), tmp_path)
    for kind in ("pb", "psf"):
        (tmp_path / image_file_name(STEM, kind)).unlink()
    planes, _ = read_planes(tmp_path, STEM)
    assert planes.pb is None
    assert planes.psf is None
    (tmp_path / image_file_name(STEM, "rms")).unlink()
    with pytest.raises(UnreadableFileError):
        read_planes(tmp_path, STEM)


def test_facts(tmp_path) -> None:
    assert read_facts(tmp_path / "none.json") == {}
    (tmp_path / "some.json").write_text('{"a": 1}')
    assert read_facts(tmp_path / "some.json") == {"a": 1}


def test_stem_of(tmp_path) -> None:
    directory = tmp_path / f"{STEM}-images"
    directory.mkdir()
    assert stem_of(directory) == STEM
    with pytest.raises(UsageError, match="directory of images"):
        stem_of(tmp_path)
