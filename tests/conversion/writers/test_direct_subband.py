"""The direct writer: flags, weights and averages against the same worked out from the files in numpy."""

import os
import shutil

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.conversion.checks import read_group
from dsa110_contimg.conversion.helpers import PhaseCentre
from dsa110_contimg.conversion.plan import Averaging, plan_conversion
from dsa110_contimg.conversion.writers import direct_subband
from dsa110_contimg.errors import IncompleteGroupError, UsageError
from dsa110_contimg.naming import parse_subband_name
from subband_samples import change, samples

# 2 dnu dt: the radiometer equation of a sample at an SEFD of 1 Jy.
FULL_WEIGHT = 2 * (250e6 / 1024) * float(np.float32(12.884902))
N_TIMES, N_BASELINES = 6, 6


@pytest.fixture(scope="module")
def group(simulated):
    return simulated(antennas=(24, 103, 11), integrations=N_TIMES)


@pytest.fixture(scope="module")
def uneven(group, tmp_path_factory):
    """Flags, zeros, lost packets: at random, in whole integrations of a baseline, and in a whole row of the band."""
    out = tmp_path_factory.mktemp("uneven")
    files = tuple(shutil.copy(path, out) for path in group.files)
    rng = np.random.default_rng(11)
    shape = (N_TIMES * N_BASELINES, 1, 48, 2)
    for number in (1, 8):
        change(files[number], "flags", rng.random(shape) < 0.3, value=True)
        change(files[number], "nsamples", slice(None), rng.integers(0, 97, shape))
    for path in files:
        change(path, "flags", [1, 6 + 1, 2 * N_BASELINES + 4], value=True)
        change(path, "flags", [row * N_BASELINES + 2 for row in range(3)], value=True)
    change(files[5], "visdata", slice(0, 5), 0)
    return files


class Truth:
    """All files of a group as one cube (times, baselines, 768 channels ascending, 2), by h5py."""

    def __init__(self, files):
        self.flags, self.nsamples, self.visdata = (
            np.concatenate([samples(path, name)[:, :, ::-1] for path in reversed(files)], axis=2)
            for name in ("flags", "nsamples", "visdata")
        )
        self.flags = self.flags | (self.nsamples <= 0) | (self.visdata == 0)
        self.n = np.where(self.flags, 0, self.nsamples).astype(float)

    def rows_as(self, ms, files):
        """Turn the order of baselines into the Measurement Set's."""
        import h5py

        with h5py.File(files[0]) as file:
            pairs = np.sort([file["Header"][f"ant_{k}_array"][:N_BASELINES] for k in (1, 2)], axis=0).T.tolist()
        wanted = zip(ms.by_time("ANTENNA1")[0].tolist(), ms.by_time("ANTENNA2")[0].tolist(), strict=True)
        order = [pairs.index(list(pair)) for pair in wanted]
        for name in ("flags", "nsamples", "visdata", "n"):
            setattr(self, name, getattr(self, name)[:, order])
        return self


def in_groups(values, times, channels):
    """(T, B, C, 2) as (T', times, B, C', channels, 2)."""
    t, b, c, p = values.shape
    return values.reshape(t // times, times, b, c // channels, channels, p)


# -- flags and weights -------------------------------------------------------------------------------------------------


def test_nothing_is_flagged_in_a_good_group(group, converted):
    ms = converted(group.files)
    assert not ms.column("FLAG").any()
    assert not ms.column("FLAG_ROW").any()


def test_flags(uneven, converted):
    ms = converted(uneven)
    truth = Truth(uneven).rows_as(ms, uneven)
    assert np.array_equal(ms.by_time("FLAG"), truth.flags)
    assert 0.05 < truth.flags.mean() < 0.6
    assert np.array_equal(ms.by_time("FLAG_ROW"), truth.flags.all(axis=(2, 3)))
    assert ms.column("FLAG_ROW").sum() == 3 + 3


def test_each_reason_for_a_flag(group, converted, tmp_path):
    files = [shutil.copy(path, tmp_path) for path in group.files]
    # Row and channel in the file of sb02, whose channels descend; autocorrelation of the first station.
    change(files[2], "visdata", (0, 0, 1, 0), 0)
    change(files[2], "visdata", (0, 0, 2, 0), complex(np.nan, 1))
    change(files[2], "visdata", (0, 0, 3, 1), complex(1, -np.inf))
    change(files[2], "flags", (0, 0, 4, 1), value=True)
    change(files[2], "nsamples", (0, 0, 5, 0), 0)
    change(files[2], "nsamples", (0, 0, 6, 0), np.nan)
    change(files[2], "nsamples", (0, 0, 7, 0), -5)
    ms = converted(tuple(files))
    row = np.flatnonzero((ms.column("ANTENNA1") == 23) & (ms.column("ANTENNA2") == 23))[0]
    top = 14 * 48 - 1
    found = np.argwhere(ms.column("FLAG"))
    wanted = [(1, 0), (2, 0), (3, 1), (4, 1), (5, 0), (6, 0), (7, 0)]
    assert sorted(map(tuple, found.tolist())) == sorted((row, top - channel, p) for channel, p in wanted)
    assert np.isfinite(ms.column("DATA")).all()
    assert not ms.column("DATA")[row, [top - 1, top - 2, top - 3], [0, 0, 1]].any()
    weight = ms.column("WEIGHT_SPECTRUM")
    assert np.isfinite(weight).all()
    assert (weight[row, top - np.arange(5, 8), 0] == 0).all()
    assert (np.delete(weight.ravel(), row * 1536 + 2 * (top - np.arange(5, 8))) > 0).all()
    assert np.isfinite(ms.column("WEIGHT")).all()


def test_weights_of_a_good_group(group, converted):
    ms = converted(group.files)
    assert "WEIGHT_SPECTRUM" not in ms.columns()
    assert ms.column("SIGMA") == pytest.approx(1 / np.sqrt(FULL_WEIGHT), rel=1e-6)
    assert ms.column("WEIGHT") == pytest.approx(FULL_WEIGHT, rel=1e-6)


def test_half_the_packets(group, converted, tmp_path):
    files = [shutil.copy(path, tmp_path) for path in group.files]
    for path in files:
        change(path, "nsamples", slice(None), 48)
    ms = converted(tuple(files))
    assert "WEIGHT_SPECTRUM" not in ms.columns()
    assert ms.column("SIGMA") == pytest.approx(np.sqrt(2 / FULL_WEIGHT), rel=1e-6)


def test_weights_where_packets_vary(uneven, converted):
    ms = converted(uneven)
    truth = Truth(uneven).rows_as(ms, uneven)
    assert ms.by_time("WEIGHT_SPECTRUM") == pytest.approx(FULL_WEIGHT / 96 * truth.nsamples, rel=1e-6)
    mean = truth.n.sum(axis=2) / np.maximum((~truth.flags).sum(axis=2), 1)
    assert ms.by_time("WEIGHT") == pytest.approx(FULL_WEIGHT / 96 * mean, rel=1e-6)
    weight, sigma = ms.column("WEIGHT"), ms.column("SIGMA")
    assert sigma[weight > 0] == pytest.approx(weight[weight > 0] ** -0.5, rel=1e-6)
    # A row without any good sample weighs nothing.
    assert (weight == 0).all(axis=1).sum() == 6
    assert (sigma[weight == 0] == 0).all()


@pytest.mark.parametrize("writer", ["direct-subband", "pyuvdata"])
def test_an_empty_subband_says_nothing_of_the_others_packets(group, converted, tmp_path, writer):
    """Neither samples nor packets in sb00, which is read first."""
    files = [shutil.copy(path, tmp_path) for path in group.files]
    change(files[0], "visdata", slice(None), 0)
    change(files[0], "nsamples", slice(None), 0)
    ms = converted(tuple(files), writer=writer)
    assert ms.outcome.missing == (0,)
    assert "WEIGHT_SPECTRUM" not in ms.columns()
    assert ms.column("SIGMA") == pytest.approx(1 / np.sqrt(FULL_WEIGHT), rel=1e-6)


def test_subbands_with_different_packets(group, converted, tmp_path):
    """Each uniform in itself."""
    files = [shutil.copy(path, tmp_path) for path in group.files]
    change(files[4], "nsamples", slice(None), 24)
    ms = converted(tuple(files))
    spectrum = ms.column("WEIGHT_SPECTRUM").reshape(-1, 16, 48, 2)
    assert spectrum[:, 11] == pytest.approx(FULL_WEIGHT / 4, rel=1e-6)
    assert np.delete(spectrum, 11, axis=1) == pytest.approx(FULL_WEIGHT, rel=1e-6)


def test_no_packets_in_an_integration(group, converted, tmp_path):
    """Flagged, though the samples are there and the first to be read."""
    files = [shutil.copy(path, tmp_path) for path in group.files]
    for path in files:
        change(path, "nsamples", slice(0, N_BASELINES), 0)
    ms = converted(tuple(files))
    assert ms.by_time("FLAG")[0].all()
    assert not ms.by_time("FLAG")[1:].any()
    assert not ms.by_time("WEIGHT")[0].any()


# -- averages ----------------------------------------------------------------------------------------------------------

AVERAGES = [(4, 1), (1, 2), (6, 3), (48, 6), (48, 1)]


@pytest.mark.parametrize(("channels", "times"), AVERAGES)
def test_averages(uneven, converted, channels, times):
    whole = converted(uneven)
    ms = converted(uneven, averaging=Averaging(channels, times))
    truth = Truth(uneven).rows_as(whole, uneven)
    n = in_groups(truth.n, times, channels)
    data = in_groups(whole.by_time("DATA"), times, channels)
    total = n.sum(axis=(1, 4))
    shape = (N_TIMES // times, N_BASELINES, 768 // channels, 2)
    assert ms.by_time("DATA").shape == shape
    expected = np.divide((n * data).sum(axis=(1, 4)), total, out=np.zeros(shape, complex), where=total > 0)
    assert np.abs(ms.by_time("DATA") - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.array_equal(ms.by_time("FLAG"), total == 0)
    assert np.array_equal(ms.by_time("FLAG_ROW"), (total == 0).all(axis=(2, 3)))
    spectrum = FULL_WEIGHT / 96 * total
    assert ms.by_time("WEIGHT_SPECTRUM") == pytest.approx(spectrum, rel=1e-6)
    assert ms.by_time("WEIGHT") == pytest.approx(spectrum.mean(axis=2), rel=1e-5)
    positive = ms.column("WEIGHT") > 0
    assert ms.column("SIGMA")[positive] == pytest.approx(ms.column("WEIGHT")[positive] ** -0.5, rel=1e-6)


@pytest.mark.parametrize(("channels", "times"), AVERAGES)
def test_centroids(uneven, converted, channels, times):
    whole, ms = converted(uneven), converted(uneven, averaging=Averaging(channels, times))
    truth = Truth(uneven).rows_as(whole, uneven)
    n = truth.n.sum(axis=(2, 3)).reshape(-1, times, N_BASELINES)
    n = np.where(n.sum(axis=1, keepdims=True) == 0, 1.0, n)
    n /= n.sum(axis=1, keepdims=True)
    time_s = whole.by_time("TIME").reshape(n.shape)
    uvw_m = whole.by_time("UVW").reshape(*n.shape, 3)
    assert ms.by_time("TIME") == pytest.approx(time_s.mean(axis=1), abs=1e-5)
    assert ms.by_time("TIME_CENTROID") == pytest.approx((n * time_s).sum(axis=1), abs=1e-5)
    assert ms.by_time("UVW") == pytest.approx((n[..., None] * uvw_m).sum(axis=1), abs=1e-6)
    used = (truth.n.sum(axis=(2, 3)).reshape(-1, times, N_BASELINES) > 0).sum(axis=1)
    used = used if times > 1 else 1
    assert ms.by_time("EXPOSURE") == pytest.approx(
        used * float(np.float32(12.884902)) * np.ones(ms.by_time("TIME").shape)
    )
    assert ms.column("INTERVAL") == pytest.approx(times * float(np.float32(12.884902)))
    if times > 1:
        assert (ms.by_time("TIME_CENTROID") != ms.by_time("TIME")).any()


@pytest.mark.parametrize("channels", [2, 16, 48])
def test_averaged_channels(group, converted, channels):
    ms = converted(group.files, averaging=Averaging(channels, 1))
    whole = converted(group.files)
    freq_hz = whole.column("CHAN_FREQ", "SPECTRAL_WINDOW")[0].reshape(-1, channels).mean(axis=1)
    assert ms.column("CHAN_FREQ", "SPECTRAL_WINDOW")[0] == pytest.approx(freq_hz, abs=1e-3)
    for name in ("CHAN_WIDTH", "EFFECTIVE_BW", "RESOLUTION"):
        assert ms.column(name, "SPECTRAL_WINDOW")[0] == pytest.approx(channels * 250e6 / 1024)
    assert ms.column("TOTAL_BANDWIDTH", "SPECTRAL_WINDOW")[0] == pytest.approx(187.5e6)
    assert ms.column("NUM_CHAN", "SPECTRAL_WINDOW")[0] == 768 // channels


def test_average_of_a_group_with_missing_subbands(group, converted):
    files = tuple(path for path in group.files if parse_subband_name(path.name).subband not in {2, 13})
    ms = converted(files, averaging=Averaging(24, 2))
    flagged = ms.column("FLAG").reshape(-1, 16, 2, 2)
    assert flagged[:, [2, 13]].all()
    assert not np.delete(flagged, [2, 13], axis=1).any()
    spectrum = ms.column("WEIGHT_SPECTRUM").reshape(-1, 16, 2, 2)
    assert not spectrum[:, [2, 13]].any()
    # Missing subbands do not dilute a row's weight.
    assert ms.column("WEIGHT") == pytest.approx(48 * FULL_WEIGHT, rel=1e-6)


@pytest.mark.parametrize(
    ("averaging", "centre", "message"),
    [
        (Averaging(5, 1), "meridian", "cannot average 5 channels.*divisor of 48"),
        (Averaging(96, 1), "meridian", "cannot average 96 channels"),
        (Averaging(0, 1), "meridian", "cannot average 0 channels"),
        (Averaging(1, 4), "meridian", "cannot average 4 integrations.*divisor of 6"),
        (Averaging(1, -1), "meridian", "cannot average -1 integrations"),
        (Averaging(1, 2), "drift", "their own phase centres cannot be averaged"),
    ],
)
def test_what_cannot_be_averaged(group, converted, averaging, centre, message):
    with pytest.raises(UsageError, match=message):
        converted(group.files, centre, averaging=averaging)


def test_channels_of_drifting_data_can(group, converted):
    whole, ms = converted(group.files, "drift"), converted(group.files, "drift", averaging=Averaging(2, 1))
    mean = whole.by_time("DATA").reshape(N_TIMES, N_BASELINES, -1, 2, 2).mean(axis=3)
    assert np.abs(ms.by_time("DATA") - mean).max() < 1e-5 * np.abs(mean).max()


# -- files that go bad while they are read -----------------------------------------------------------------------------


@pytest.fixture
def plan(group, tmp_path):
    (tmp_path / "in").mkdir()
    files = {k: tmp_path / "in" / path.name for k, path in enumerate(group.files)}
    for source, copy in zip(group.files, files.values(), strict=True):
        shutil.copy(source, copy)
    return plan_conversion(read_group(files).headers, PhaseCentre("meridian"))


def flagged_blocks(path):
    with ct.table(str(path), ack=False) as ms:
        return [15 - k for k in range(16) if ms.getcol("FLAG")[:, 48 * k : 48 * k + 48].all()]


def test_a_file_cut_while_others_are_read(plan, tmp_path):
    """A worker finds it short: it is left out, and its channels are flagged."""
    victim = plan.headers[9].path

    def cut(nbytes):
        if victim.stat().st_size > 9000:
            os.truncate(victim, 9000)

    result = direct_subband.write(plan, tmp_path / "cut.ms", min_subbands=12, workers=1, progress=cut)
    assert result.set_aside[9].outcome in {"truncated", "changed-while-read", "unreadable"}
    assert list(result.set_aside) == [9]
    assert flagged_blocks(tmp_path / "cut.ms") == [9]
    assert result.flagged == pytest.approx(1 / 16)


def test_a_file_replaced_in_the_middle_of_its_reading(plan, tmp_path):
    """What was read of it is not kept: the first integrations are flagged as well."""
    path = plan.headers[0].path
    seen = []

    def replace(nbytes):
        seen.append(nbytes)
        if len(seen) == 3:
            other = path.with_name("other")
            shutil.copy(plan.headers[1].path, other)
            os.replace(other, path)
            os.utime(path)

    def touch(nbytes):
        seen.append(nbytes)
        if len(seen) == 3:
            os.utime(path)

    result = direct_subband.write(plan, tmp_path / "touched.ms", min_subbands=12, workers=1, progress=touch)
    assert result.set_aside[0].outcome == "changed-while-read"
    assert flagged_blocks(tmp_path / "touched.ms") == [0]
    # A file renamed over it leaves the one that is open as it was: it is read to its end.
    seen.clear()
    headers = read_group({sb: header.path for sb, header in plan.headers.items()}).headers
    again = plan_conversion(headers, PhaseCentre("meridian"))
    result = direct_subband.write(again, tmp_path / "replaced.ms", min_subbands=12, workers=1, progress=replace)
    assert not result.set_aside


def test_too_many_go_bad(plan, tmp_path):
    def cut(nbytes):
        for subband in range(3, 8):
            os.truncate(plan.headers[subband].path, 9000)

    with pytest.raises(IncompleteGroupError, match="only 11 good subbands, fewer than the minimum of 12"):
        direct_subband.write(plan, tmp_path / "cut.ms", min_subbands=12, workers=1, progress=cut)


def test_progress_counts_the_bytes(plan, tmp_path):
    seen = []
    direct_subband.write(plan, tmp_path / "all.ms", min_subbands=12, workers=2, progress=seen.append)
    total = sum(header.size_bytes for header in plan.headers.values())
    assert sum(seen) == pytest.approx(total, rel=1e-3)


def test_an_error_outside_the_files_ends_the_work(plan, tmp_path):
    def fail(nbytes):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        direct_subband.write(plan, tmp_path / "stopped.ms", min_subbands=12, workers=2, progress=fail)


@pytest.mark.parametrize("workers", [1, 5, 40])
def test_any_number_of_workers(plan, tmp_path, workers, group, converted):
    direct_subband.write(plan, tmp_path / "some.ms", min_subbands=12, workers=workers)
    with ct.table(str(tmp_path / "some.ms"), ack=False) as ms:
        assert np.array_equal(ms.getcol("DATA"), converted(group.files).column("DATA"))
