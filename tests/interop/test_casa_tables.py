"""CASA's tasks that list, flag and reshape a Measurement Set."""

import shutil

import casacore.tables as ct
import numpy as np
import pytest

from casa import needs_casa, run_casa

pytestmark = [pytest.mark.casa, needs_casa]

FLAGGED_CHANNELS = slice(100, 151)
CHANNELS = 16
TIMES = 2

PROGRAM = """
from casatasks import flagdata, flagmanager, listobs, mstransform, split
ms = args["ms"]
listobs(vis=ms, listfile="listobs.txt")
before = flagdata(vis=ms, mode="summary")
flagmanager(vis=ms, mode="save", versionname="before")
flagdata(vis=ms, mode="manual", antenna="14&&30", spw="0:100~150", flagbackup=False)
after = flagdata(vis=ms, mode="summary")
flagmanager(vis=ms, mode="save", versionname="after")
flagmanager(vis=ms, mode="restore", versionname="before")
versions = flagmanager(vis=ms, mode="list")
split(vis=ms, outputvis="split.ms", datacolumn="data", width=args["channels"])
mstransform(vis=ms, outputvis="mstransform.ms", datacolumn="data", chanaverage=True, chanbin=args["channels"],
            timeaverage=True, timebin=f"{args['times'] * 12.884901888}s")
result = {"before": before, "after": after, "versions": versions}
"""


class Worked:
    """What the tasks left."""

    def __init__(self, directory, ms, ran):
        self.directory, self.ms, self.ran = directory, ms, ran


@pytest.fixture(scope="module")
def worked(observed, tmp_path_factory):
    directory = tmp_path_factory.mktemp("casa")
    ms = directory / observed.ms.name
    shutil.copytree(observed.ms, ms)
    return Worked(directory, ms, run_casa(directory, PROGRAM, ms=str(ms), channels=CHANNELS, times=TIMES))


def columns(path, *names):
    with ct.table(str(path), ack=False) as ms:
        return [ms.getcol(name) for name in names]


def averaged(values, flags, times, channels):
    """Means over unflagged samples, (rows/times, channels/n, 2); 0 where there is none."""
    n_rows, n_channels, _ = values.shape
    n_baselines = n_rows // 12
    shape = (12 // times, times, n_baselines, n_channels // channels, channels, 2)
    good = (~flags).reshape(shape)
    sums = np.where(good, values.reshape(shape), 0).sum(axis=(1, 4))
    counts = good.sum(axis=(1, 4))
    return (sums / np.maximum(counts, 1)).reshape(-1, n_channels // channels, 2), counts.reshape(sums.shape) == 0


def test_casa_does_not_complain(worked):
    assert worked.ran.complaints == []


def test_listobs_says_what_was_observed(worked, observed):
    text = (worked.directory / "listobs.txt").read_text()
    assert "Observation: OVRO_MMA" in text
    assert "05-Oct-2025/12:30:00.0" in text
    assert "ICRS" in text
    assert "OBSERVE_TARGET#ON_SOURCE" in text
    assert "0      DSA-110    768   TOPO    1311.387       244.141    187500.0   1405.0153   XX  YY" in text
    assert f"Antennas: {len(observed.truth['antennas'])}" in text
    assert "meridian_20251005T" in text


def test_flag_summary_counts_our_bits(worked, observed):
    (flags,) = columns(observed.ms, "FLAG")
    before = worked.ran.result["before"]
    assert before["flagged"] == flags.sum() == flags.size / 16
    assert before["total"] == flags.size


def test_manual_flags_reach_the_one_baseline(worked):
    added = worked.ran.result["after"]["flagged"] - worked.ran.result["before"]["flagged"]
    assert added == 51 * 2 * 12


def test_flags_are_restored_to_the_bit(worked, observed):
    np.testing.assert_array_equal(*(columns(path, "FLAG")[0] for path in (observed.ms, worked.ms)))
    assert {"before", "after"} <= {
        version["name"] for version in worked.ran.result["versions"].values() if "name" in version
    }


def test_split_averages_channels(worked, observed):
    data, flags, uvw, time = columns(observed.ms, "DATA", "FLAG", "UVW", "TIME")
    split, split_flags, split_uvw, split_time = columns(worked.directory / "split.ms", "DATA", "FLAG", "UVW", "TIME")
    mean, empty = averaged(data, flags, 1, CHANNELS)
    np.testing.assert_allclose(split[~split_flags], mean[~split_flags], rtol=0, atol=2e-5)
    np.testing.assert_array_equal(split_flags, empty.reshape(split_flags.shape))
    np.testing.assert_array_equal(split_uvw, uvw)
    np.testing.assert_array_equal(split_time, time)


def test_split_keeps_the_frequencies(worked, observed):
    ours, split = (
        columns(f"{path}::SPECTRAL_WINDOW", "CHAN_FREQ")[0][0] for path in (observed.ms, worked.directory / "split.ms")
    )
    np.testing.assert_allclose(split, ours.reshape(-1, CHANNELS).mean(axis=1), atol=1.0)


def test_mstransform_averages_times_too(worked, observed):
    data, flags = columns(observed.ms, "DATA", "FLAG")
    mean, empty = averaged(data, flags, TIMES, CHANNELS)
    theirs, their_flags, ant1, ant2, time = columns(
        worked.directory / "mstransform.ms", "DATA", "FLAG", "ANTENNA1", "ANTENNA2", "TIME"
    )
    order = np.lexsort((ant2, ant1, time))
    np.testing.assert_array_equal(their_flags[order], empty.reshape(their_flags.shape))
    good = ~their_flags[order]
    np.testing.assert_allclose(theirs[order][good], mean[good], rtol=0, atol=2e-5)
