"""The inner loops against the same written in numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.conversion import kernels
from dsa110_contimg.conversion.kernels import Rows, Tile
from dsa110_contimg.uvh5.visibilities import Integration, Samples

pytestmark = pytest.mark.kernel

N_BASELINES, N_CHANNELS, N_ANTENNAS = 6, 12, 3
SHAPE = (N_BASELINES, N_CHANNELS, 2)


def in_blocks(values, skip=0, chunk=(4, 5, 1), rest=0):
    """Lay (rows, channels, 2) out as HDF5 does, edge blocks filled up, after `skip` other rows."""
    rows, channels, pols = chunk
    n_rows = -(-(skip + len(values)) // rows) * rows
    n_blocks = -(-values.shape[1] // channels), -(-2 // pols)
    whole = np.full((n_rows, n_blocks[0] * channels, n_blocks[1] * pols), rest, values.dtype)
    whole[skip : skip + len(values), : values.shape[1], :2] = values
    blocks = whole.reshape(n_rows // rows, rows, n_blocks[0], channels, n_blocks[1], pols).transpose(0, 2, 4, 1, 3, 5)
    c, p = np.meshgrid(np.arange(values.shape[1]), np.arange(2), indexing="ij")
    block = rows * channels * pols
    offsets = (c // channels * n_blocks[1] + p // pols) * block + c % channels * pols + p % pols
    stride = n_blocks[0] * n_blocks[1] * block
    return Samples(blocks.ravel().copy(), skip, rows, stride, channels * pols, offsets.astype(np.int64))


def random_visibilities(rng):
    return (rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE)).astype(np.complex64)


def random_rows(rng):
    return Rows(
        rng.permutation(N_BASELINES),
        rng.random(N_BASELINES) < 0.5,
        rng.integers(0, N_ANTENNAS, N_BASELINES),
        rng.integers(0, N_ANTENNAS, N_BASELINES),
    )


def random_phasors(rng):
    return np.exp(2j * np.pi * rng.random((N_ANTENNAS, N_CHANNELS))).astype(np.complex64)


def dirty_tile():
    """A tile with something left in it from before."""
    tile = kernels.empty_tile(N_BASELINES, N_CHANNELS)
    tile.data[:], tile.flag[:], tile.nsamples[:] = 7, True, 7
    return tile


def turned(visdata, flags, nsamples, rows, phasors, **layout):
    tile = dirty_tile()
    samples = Integration(*(in_blocks(part, **layout) for part in (visdata, flags, nsamples)))
    # Infinity less itself is how the kernel finds it; uncompiled, numpy says so.
    with np.errstate(invalid="ignore"):
        found = kernels.turn_and_flag(samples, rows, phasors, tile, 96.0)
    return found, tile


def expected_tile(visdata, flags, nsamples, rows, phasors):
    """The same in numpy."""
    good = np.isfinite(visdata.real) & np.isfinite(visdata.imag)
    clean = np.where(good, visdata, 0)
    clean = np.where(rows.conjugate[:, None, None], clean.conj(), clean)
    turn = phasors[rows.antenna_1] * phasors[rows.antenna_2].conj()
    tile = kernels.empty_tile(N_BASELINES, N_CHANNELS)
    tile.data[rows.place] = clean * turn[..., None]
    with np.errstate(invalid="ignore"):
        tile.flag[rows.place] = flags | ~good | (visdata == 0) | ~(nsamples > 0)
    tile.nsamples[rows.place] = nsamples
    return tile


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    skip=st.integers(0, 9),
    chunk=st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 2)),
    spoilt=st.sets(st.sampled_from(["flags", "zeros", "nan", "inf", "packets"])),
)
def test_turn_and_flag(seed, skip, chunk, spoilt):
    rng = np.random.default_rng(seed)
    visdata, rows, phasors = random_visibilities(rng), random_rows(rng), random_phasors(rng)
    flags, nsamples = np.zeros(SHAPE, bool), np.full(SHAPE, 96, np.float32)
    for kind, value in (("zeros", 0), ("nan", complex(1, np.nan)), ("inf", complex(-np.inf, 0))):
        if kind in spoilt:
            visdata[rng.random(SHAPE) < 0.1] = value
    if "flags" in spoilt:
        flags = rng.random(SHAPE) < 0.2
    if "packets" in spoilt:
        nsamples = rng.choice([96, 95, 0, -1, np.nan], SHAPE).astype(np.float32)
    found, tile = turned(visdata, flags, nsamples, rows, phasors, skip=skip, chunk=chunk)
    expected = expected_tile(visdata, flags, nsamples, rows, phasors)
    assert tile.data == pytest.approx(expected.data, abs=1e-6)
    assert np.isfinite(tile.data).all()
    assert np.array_equal(tile.flag, expected.flag)
    assert np.array_equal(tile.nsamples, expected.nsamples, equal_nan=True)
    assert found.n_zero == np.count_nonzero(visdata == 0)
    assert found.n_flagged == np.count_nonzero(expected.flag)
    assert found.uniform == ("packets" not in spoilt or bool((nsamples == 96).all()))


def test_bad_samples_are_nothing_but_flagged():
    """They are 0 in the output, and do not touch their neighbours."""
    rng = np.random.default_rng(2)
    visdata, rows, phasors = random_visibilities(rng), random_rows(rng), random_phasors(rng)
    rest = np.zeros(SHAPE, bool), np.full(SHAPE, 96, np.float32)
    _, before = turned(visdata, *rest, rows, phasors)
    visdata[2, 5, 1], visdata[2, 6, 0] = complex(np.nan, 0), complex(0, np.inf)
    found, after = turned(visdata, *rest, rows, phasors)
    out = rows.place[2]
    assert after.data[out, 5, 1] == after.data[out, 6, 0] == 0
    before.data[out, 5, 1] = before.data[out, 6, 0] = 0
    assert np.array_equal(before.data, after.data)
    assert found == (0, 2, True)


def test_samples_of_other_integrations_do_not_matter():
    """Blocks hold neighbouring rows too: their flags and counts are not this integration's."""
    rng = np.random.default_rng(3)
    visdata, rows, phasors = random_visibilities(rng), random_rows(rng), random_phasors(rng)
    tile = dirty_tile()
    samples = Integration(
        in_blocks(visdata, skip=3, rest=np.nan),
        in_blocks(np.zeros(SHAPE, bool), skip=3, rest=True),
        in_blocks(np.full(SHAPE, 96, np.float32), skip=3, rest=1),
    )
    found = kernels.turn_and_flag(samples, rows, phasors, tile, 96.0)
    assert found == (0, 0, True)
    assert not tile.flag.any()
    assert (tile.nsamples == 96).all()


def test_no_packets_is_never_usual():
    """Where the usual count is none, everything is flagged."""
    rng = np.random.default_rng(4)
    tile = dirty_tile()
    nothing = np.zeros(SHAPE, np.float32)
    samples = Integration(*(in_blocks(part) for part in (random_visibilities(rng), np.zeros(SHAPE, bool), nothing)))
    found = kernels.turn_and_flag(samples, random_rows(rng), random_phasors(rng), tile, 0.0)
    assert tile.flag.all()
    assert found.n_flagged == tile.flag.size


def random_tile(rng):
    return Tile(random_visibilities(rng), rng.random(SHAPE) < 0.3, rng.integers(1, 97, SHAPE).astype(np.float32))


def test_tally():
    rng = np.random.default_rng(5)
    tile = random_tile(rng)
    weights, counts = np.full((N_BASELINES, 2), 10.0), np.full((N_BASELINES, 2), 3)
    kernels.tally(tile, weights, counts)
    good = ~tile.flag
    assert np.array_equal(counts, 3 + good.sum(axis=1))
    assert weights == pytest.approx(10 + np.where(good, tile.nsamples, 0).sum(axis=1))


@pytest.mark.parametrize("step", [1, 2, 3, 12])
def test_weighted_mean_of_two_integrations(step):
    rng = np.random.default_rng(step)
    one, two = random_tile(rng), random_tile(rng)
    one.flag[0], two.flag[0] = True, True
    shape = (N_BASELINES, N_CHANNELS // step, 2)
    sums, weights = np.zeros(shape, complex), np.zeros(shape)
    for tile in (one, two):
        kernels.accumulate(tile, sums, weights)
    mean = kernels.averaged_tile(sums, weights)
    n = np.stack([np.where(tile.flag, 0, tile.nsamples) for tile in (one, two)])
    n = n.reshape(2, N_BASELINES, -1, step, 2)
    data = np.stack([one.data, two.data]).reshape(n.shape)
    total = n.sum(axis=(0, 3))
    good = total > 0
    assert np.array_equal(mean.flag, ~good)
    assert mean.flag[0].all()
    assert mean.nsamples == pytest.approx(total)
    assert mean.data[good] == pytest.approx((n * data).sum(axis=(0, 3))[good] / total[good], abs=1e-6)
    assert (mean.data[~good] == 0).all()


def test_take():
    rng = np.random.default_rng(6)
    values = rng.normal(size=SHAPE).astype(np.float32)
    place = rng.permutation(N_BASELINES)
    out = np.empty(SHAPE, np.float32)
    kernels.take(in_blocks(values, skip=5), place, out)
    assert np.array_equal(out[place], values)


def test_missing():
    tile = kernels.missing_tile(2, 3)
    assert not tile.data.any()
    assert tile.flag.all()
    assert not tile.nsamples.any()


def test_setting_up():
    kernels.compile_kernels()
