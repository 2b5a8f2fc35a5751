"""The drifting beam on pixels, against the beam itself."""

import numpy as np
import pytest

from dsa110_contimg.imaging.primary_beam import average_power, lattice, lattice_power, weigh
from dsa110_contimg.telescope.beams import AiryBeam, beam_offsets
from dsa110_contimg.telescope.geometry import uvw_basis
from sampled_fields import sampled_field

BEAM = AiryBeam()
FIELD = sampled_field([(0, 0)], [1.0], n_pixels=250, stations=(1, 40, 90), n_times=6, every=96)


def exact(mjd, freq_hz, rows, columns):
    seen, m = FIELD.observation, FIELD.grid.offsets
    east, north = -m[columns], m[rows]
    s = np.stack([east, north, np.sqrt(1 - east**2 - north**2)], axis=-1)
    basis = uvw_basis(seen.ra_deg, seen.dec_deg, mjd, seen.site)[0]
    return BEAM.power(*beam_offsets(s @ basis, seen.pointing_dec_rad), freq_hz)


def on_pixels(mjd):
    """The beam at one moment, carried from the lattice to the pixels."""
    over = lattice(FIELD.grid)
    return over.pixels(lattice_power(FIELD.observation, BEAM, over, mjd, 1.4e9)[0, 0])


def test_every_pixel_has_the_beams_power():
    rows, columns = np.random.default_rng(0).integers(0, 250, (2, 500))
    for mjd in FIELD.observation.times_mjd[[0, -1]]:
        power = on_pixels(mjd)
        assert np.abs(power[rows, columns] - exact(mjd, 1.4e9, rows, columns)).max() < 2e-6


def test_the_sky_drifts_westwards():
    first, last = (on_pixels(mjd) for mjd in FIELD.observation.times_mjd[[0, -1]])
    east = slice(0, 60), slice(0, 60)
    # What is east of the phase centre comes into the beam, what is west of it leaves.
    assert (last[128, :40] > first[128, :40]).all()
    assert (last[128, -40:] < first[128, -40:]).all()
    assert first[east].shape == (60, 60)


def test_the_average_has_the_weights_of_the_image():
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.0, 1.0, FIELD.samples.weights.shape).astype(np.float32)
    weights[: len(weights) // 2] *= 3.0
    rows, columns = rng.integers(0, 250, (2, 40))
    mean = np.zeros(40)
    for k, mjd in enumerate(FIELD.observation.times_mjd):
        by_channel = weights[3 * k : 3 * k + 3].sum(axis=0)
        for freq_hz, weight in zip(FIELD.samples.freq_hz, by_channel, strict=True):
            mean += weight * exact(mjd, freq_hz, rows, columns)
    power = average_power(FIELD.observation, BEAM, FIELD.grid, FIELD.samples, weights)
    assert np.abs(power[rows, columns] - mean / weights.sum()).max() < 5e-6


def test_an_average_of_nothing_is_nothing():
    nothing = np.zeros_like(FIELD.samples.weights)
    assert not average_power(FIELD.observation, BEAM, FIELD.grid, FIELD.samples, nothing).any()


def test_weights_by_integration_and_block():
    weights = FIELD.samples.weights.copy()
    weights[:, 2:4] = 0.0
    seen = weigh(FIELD.observation, FIELD.samples, weights, 4)
    assert seen.edges.tolist() == list(range(0, 19, 3))
    assert seen.weights.tolist() == [[6.0, 0.0, 6.0, 6.0]] * 6
    assert seen.freq_hz == pytest.approx(FIELD.samples.freq_hz.reshape(4, 2).mean(axis=1))


def test_a_small_image_has_a_lattice_too():
    over = lattice(FIELD.grid._replace(n_pixels=32))
    plane = np.add.outer(over.m, -2 * over.m)
    offsets = FIELD.grid._replace(n_pixels=32).offsets
    assert over.pixels(plane) == pytest.approx(np.add.outer(offsets, -2 * offsets), abs=1e-8)
