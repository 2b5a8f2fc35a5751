"""The first look: what is missing, and the mean power of the array."""

import shutil

import numpy as np
import pytest

from dsa110_contimg.flagging.reasons import Reason
from dsa110_contimg.flagging.survey import (
    CLIP,
    add_to_band,
    classify,
    count_missing,
    good_powers,
    of_array,
    sample_powers,
    survey,
)
from dsa110_contimg.ms.columns import OpenMs
from flagged_groups import ANTENNAS, DEAF, columns

N_ANTENNAS, N_CHANNELS = 9, 64
SECOND, FIRST = np.tril_indices(N_ANTENNAS)

kernel = pytest.mark.kernel


def noise(seed=1):
    rng = np.random.default_rng(seed)
    shape = (FIRST.size, N_CHANNELS, 2)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


def band_of(data, reasons=None, scale=None):
    """Mean power of data whose noise has a mean power of 2; in two tiles."""
    total, count = np.zeros((2, N_ANTENNAS, N_CHANNELS, 2))
    reasons = np.zeros(data.shape, np.uint8) if reasons is None else reasons
    scale = np.ones((N_ANTENNAS, N_CHANNELS, 2), np.float32) if scale is None else scale
    noise = np.full((FIRST.size, 2), 2, np.float32)
    for tile in (slice(0, N_CHANNELS), slice(N_CHANNELS, 2 * N_CHANNELS)):
        add_to_band(
            np.ascontiguousarray(flat(data)[:, tile]), tile.start, flat(reasons), flat(scale)[:, tile], noise,
            FIRST, SECOND, flat(total), flat(count),
        )  # fmt: skip
    total, count = total.sum(axis=-1), count.sum(axis=-1)
    return of_array(total, count), count


def flat(values):
    """All samples of a baseline or an antenna next to each other."""
    return values.reshape(len(values), -1)


@kernel
def test_each_sample_gets_its_reason():
    data, flags = np.ones((1, 5, 2), np.complex64), np.zeros((1, 5, 2), bool)
    data[0, 0, 0], data[0, 1, 1], data[0, 2, 0] = 0, np.nan, complex(1, np.inf)
    flags[0, [0, 3], 0] = True
    reasons = np.zeros(data.shape, np.uint8)
    for start in (0, 6):
        tile = slice(start, start + 6)
        classify(flat(data)[:, tile].copy(), flat(flags)[:, tile].copy(), start, flat(reasons))
    expected = np.zeros(data.shape, np.uint8)
    expected[0, 0, 0] = Reason.ZERO
    expected[0, 1, 1] = expected[0, 2, 0] = Reason.NOT_FINITE
    expected[0, 3, 0] = Reason.BEFORE
    np.testing.assert_array_equal(reasons, expected)


@kernel
def test_what_is_missing_is_counted_by_baseline_unless_all_lack_it():
    reasons = np.zeros((4, 6, 2), np.uint8)
    reasons[:, 0] = Reason.ZERO
    reasons[1, 2:4, 1] = Reason.NOT_FINITE
    reasons[2, 5] = Reason.BEFORE
    found = count_missing(reasons)
    np.testing.assert_array_equal(found.here, [[1, 1], [1, 3], [1, 1], [1, 1]])
    np.testing.assert_array_equal(found.everywhere, [1, 1])
    np.testing.assert_array_equal(found.flagged, [False, False, True, False])


@kernel
def test_some_powers_are_those_of_every_third_channel_in_units_of_the_antennas():
    data, reasons = noise(), np.zeros((FIRST.size, N_CHANNELS, 2), np.uint8)
    reasons[5, 9, 1] = Reason.BEFORE
    scale = np.random.default_rng(3).uniform(0.1, 10, (N_ANTENNAS, N_CHANNELS, 2)).astype(np.float32)
    some = np.full((FIRST.size, 2, 22), -1, np.float32)
    for channels in (slice(0, 16), slice(16, N_CHANNELS)):
        tile = flat(data[:, channels])
        sample_powers(tile, channels.start, reasons, flat(scale[:, channels]), FIRST, SECOND, 3, some)
    expected = (np.abs(data) * scale[FIRST] * scale[SECOND])[:, ::3].transpose(0, 2, 1) ** 2
    expected[5, 1, 3] = np.nan
    np.testing.assert_allclose(some, expected, rtol=1e-5)


@kernel
def test_noise_has_unit_power_whatever_the_gains():
    gains = np.random.default_rng(2).uniform(0.1, 10, (N_ANTENNAS, N_CHANNELS, 2)).astype(np.float32)
    plain, _ = band_of(noise())
    band, count = band_of(noise() * gains[FIRST] * gains[SECOND], scale=1 / gains)
    np.testing.assert_allclose(band, plain, rtol=1e-4)
    np.testing.assert_array_equal(count, 2 * (N_ANTENNAS - 1))
    # 72 exponentially distributed values in each channel.
    assert band.mean() == pytest.approx(1, abs=5 / np.sqrt(72 * N_CHANNELS))
    assert band.std() == pytest.approx(1 / np.sqrt(72), rel=0.4)


@kernel
def test_flagged_samples_and_unknown_powers_do_not_count():
    data, reasons = noise(), np.zeros((FIRST.size, N_CHANNELS, 2), np.uint8)
    data[:, 7] = 1e6
    reasons[:, 7] = Reason.BEFORE
    scale = np.ones((N_ANTENNAS, N_CHANNELS, 2), np.float32)
    scale[3] = np.nan
    band, count = band_of(data, reasons, scale)
    assert np.isnan(band[7])
    assert np.isfinite(np.delete(band, 7)).all()
    assert not count[3].any()
    assert (count[0, :7] == 2 * (N_ANTENNAS - 2)).all()
    silent = band_of(data, np.full_like(reasons, Reason.ZERO))[1]
    assert not silent.any()


@kernel
def test_one_baseline_or_one_antenna_does_not_make_the_array_see_interference():
    quiet, _ = band_of(noise())
    data = noise()
    data[(FIRST == 0) & (SECOND == 1), 20] = 100
    data[((FIRST == 4) | (SECOND == 4)), 40] = 100
    data[:, 50] += 4
    band, _ = band_of(data)
    assert band[20] - quiet[20] < CLIP / 36
    assert abs(band[40] - quiet[40]) < 0.3
    assert band[50] > 5


def test_powers_are_positive_and_finite():
    autos = np.array([[1, 0, -2, np.nan, 5]], np.complex64)
    reasons = np.array([[0, Reason.ZERO, 0, Reason.NOT_FINITE, Reason.BEFORE]], np.uint8)
    np.testing.assert_array_equal(good_powers(autos, reasons), [[1, np.nan, np.nan, np.nan, 5]])


def test_survey_of_a_group(group):
    with OpenMs(group.ms) as opened:
        seen = survey(opened)
    assert sorted(seen.antennas + 1) == sorted(ANTENNAS)
    assert seen.missing.max() == 0
    assert not seen.reasons.any()
    (data,), first, second = columns(group.ms, "DATA"), seen.first, seen.second
    np.testing.assert_array_equal(seen.powers[:, first[first == second]], data[:, first == second].real)
    # Deaf or not, noise has the same power; what transmits sticks out.
    assert DEAF - 1 in seen.antennas
    assert np.median(seen.band[group.clean]) == pytest.approx(1, abs=0.1)
    strong = group.strength.mean(axis=(1, 3)) > 5
    assert seen.band[strong].min() > 2


def test_channels_in_which_no_power_is_known_are_no_part_of_the_band(group, tmp_path):
    path = tmp_path / "a.ms"
    shutil.copytree(group.ms, path)
    with OpenMs(path, writable=True) as opened:
        before = survey(opened)
        tile = opened.read_tile("DATA", 1, 0)
        tile[before.first == before.second] = 0
        opened.write_tile("DATA", 1, 0, tile)
        opened.sync()
        seen = survey(opened, workers=2)
        channels = opened.block_channels(0)
    assert np.isnan(seen.band[1, channels]).all()
    assert np.isnan(seen.band).sum() == channels.stop
    rest = np.isfinite(seen.band)
    np.testing.assert_allclose(seen.band[rest], before.band[rest], rtol=0.05)


def test_without_any_power_all_of_an_integration_counts(group, tmp_path):
    path = tmp_path / "a.ms"
    shutil.copytree(group.ms, path)
    with OpenMs(path, writable=True) as opened:
        first, second = opened.info.antenna1, opened.info.antenna2
        for block in range(opened.n_blocks):
            tile = opened.read_tile("DATA", 2, block)
            tile[first == second] = 0
            opened.write_tile("DATA", 2, block, tile)
        opened.sync()
        seen = survey(opened)
    assert np.isfinite(seen.band[2]).all()
    assert not np.isfinite(seen.powers[2]).any()
    # Counts, next to the noise of the other integrations in units of the antennas' powers.
    assert np.median(seen.band[2]) > 0
