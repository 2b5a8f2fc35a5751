"""Converting onto FUSE: nothing of ours is deleted while it is open, so FUSE has nothing to hide."""

import logging
from datetime import UTC, datetime

import pytest

from dsa110_contimg.conversion import convert_subband_groups_to_ms
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.ms.checks import check_ms
from dsa110_contimg.simulation import SimulationOptions, simulate
from fuse_mount import fuse_mount

START = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def incoming(tmp_path_factory):
    directory = tmp_path_factory.mktemp("incoming")
    simulate(directory, SimulationOptions(start=START, antennas=(24, 103, 11, 116), integrations=2))
    return directory


def test_a_conversion_onto_fuse_leaves_nothing_hidden_and_is_warned_of(tmp_path, incoming, caplog):
    with fuse_mount(tmp_path) as mount, caplog.at_level(logging.WARNING):
        # The second replaces the first.
        for options in (ConversionOptions(), ConversionOptions(overwrite=True)):
            (made,) = convert_subband_groups_to_ms(incoming, mount.near, options=options)
            assert made.outcome == "complete"
            assert not list(mount.far.rglob(".fuse_hidden*"))
        assert check_ms(made.ms).n_rows > 0
        assert [path.name for path in mount.far.iterdir()] == [made.ms.name]
    (warning, _) = [record.message for record in caplog.records if "FUSE" in record.message]
    assert str(mount.near) in warning
    assert ".fuse_hidden" in warning
    assert "--scratch" in warning


def test_with_a_local_scratch_disk_too(tmp_path, incoming):
    with fuse_mount(tmp_path) as mount:
        options = ConversionOptions(scratch=tmp_path / "scratch")
        (made,) = convert_subband_groups_to_ms(incoming, mount.near, options=options)
        assert [path.name for path in mount.far.iterdir()] == [made.ms.name]
        assert not list((tmp_path / "scratch").iterdir())
