"""Versions of the beam: each has a number of its own, and none is written over."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dsa110_contimg.errors import OutputError, UsageError
from dsa110_contimg.photometry.beam_keeping import beam_versions, find_beam, keep_beam, read_beams
from dsa110_contimg.telescope.beams import AiryBeam, beam_model
from dsa110_contimg.telescope.fitted_beams import FittedBeam


def beam(version, width=0.05):
    return FittedBeam(
        version, AiryBeam(), "airy", ("full",), np.array([1.405e9]), np.array([[width, 0, 0, 0, 0]]), np.eye(5), {}
    )


def test_versions_follow_one_another(tmp_path):
    directory = tmp_path / "beams"
    first, second = (keep_beam(directory, lambda name, k=k: beam(name, 0.01 * k)) for k in (1, 2))
    assert [path.name for path in beam_versions(directory).values()] == ["beam-0001.json", "beam-0002.json"]
    assert [one.version for _, one in read_beams(directory)] == ["beam-0001", "beam-0002"]
    assert beam_model(str(second)).shapes[0, 0] == 0.02
    assert find_beam(directory, "latest") == second
    assert find_beam(directory, "1") == find_beam(directory, "beam-0001") == first
    assert sorted(path.name for path in directory.iterdir()) == ["beam-0001.json", "beam-0002.json"]


def test_two_at_once_are_two(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: keep_beam(tmp_path, beam), range(8)))
    assert len(set(made)) == 8
    assert [one.version for _, one in read_beams(tmp_path)] == [f"beam-{k:04d}" for k in range(1, 9)]


def test_other_files_are_let_be(tmp_path):
    (tmp_path / "beam-other.json").write_text("{}")
    assert beam_versions(tmp_path) == {}
    assert beam_versions(tmp_path / "gone") == {}


def test_what_is_not_there(tmp_path):
    for name in ("latest", "7", "beam-0007", "round"):
        with pytest.raises(UsageError, match="beam"):
            find_beam(tmp_path, name)


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "beams").write_text("a file")
    with pytest.raises(OutputError):
        keep_beam(tmp_path / "beams", beam)
