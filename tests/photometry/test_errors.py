"""Condon's errors, in the cases that he writes out, and against fits to noise."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from dsa110_contimg.photometry.errors import fit_errors
from dsa110_contimg.photometry.shapes import shape_of
from restored_image import BEAM, CELL_ARCSEC, Source, header_of, noise, restored

BEAM_SHAPE = shape_of(BEAM.major_deg * 3600, BEAM.minor_deg * 3600, BEAM.pa_deg)


def test_a_point():
    """rho^2 = 2 snr^2 for all parameters: his equations 21 and 41 with a source as wide as the beam."""
    errors = fit_errors([50.0], BEAM_SHAPE[None], BEAM_SHAPE)
    assert errors.peak[0] == pytest.approx(1 / 50)
    assert errors.flux[0] == pytest.approx(np.sqrt(3) / 50)
    assert errors.major[0] == pytest.approx(64 / 50)
    assert errors.minor[0] == pytest.approx(38 / 50)
    assert np.sqrt(np.linalg.eigvalsh(errors.position[0])) == pytest.approx(
        np.array([38, 64]) / 50 / np.sqrt(8 * np.log(2))
    )
    assert errors.pa_deg[0] == pytest.approx(np.degrees(np.sqrt(2) * 64 * 38 / (64**2 - 38**2) / 50))


def test_a_round_source_has_any_position_angle():
    assert fit_errors([50.0], shape_of([64.0], [64.0], [0.0]), shape_of(64.0, 64.0, 0.0)).pa_deg[0] == 90.0


def test_a_wide_source_averages_noise():
    """Far wider than the beam: rho^2 = (theta_M theta_m / 4 theta_N^2) snr^2, his equation 20."""
    beam = shape_of(10.0, 10.0, 0.0)
    errors = fit_errors([10.0], shape_of([2000.0], [1000.0], [30.0]), beam)
    assert errors.peak[0] == pytest.approx(np.sqrt(2 / (2000 * 1000 / (4 * 100) * 100)), rel=1e-3)


def test_nothing():
    assert len(fit_errors([], np.zeros((0, 2, 2)), BEAM_SHAPE).peak) == 0


def test_fits_scatter_as_said():
    """The Gaussian that is added is measured by a plain fit, again and again on other noise."""
    header, reach, n = header_of(512), 6, 512
    true = restored(n, [Source(header.ra_deg, header.dec_deg, 0.03)], 0.0, header).pixels
    middle = np.s_[n // 2 - reach : n // 2 + reach + 1]
    near = true[middle, middle] > 0.3 * true.max()
    y, x = (axis[near] for axis in np.mgrid[-reach : reach + 1, -reach : reach + 1] * CELL_ARCSEC)

    def gaussian(at, peak, east, north, xx, xy, yy):
        d = at[0] + east, at[1] - north
        return peak * np.exp(-(xx * d[0] ** 2 + xy * d[0] * d[1] + yy * d[1] ** 2))

    found = []
    start = [0.03, 0.0, 0.0, 1e-3, 0.0, 1e-3]
    for seed in range(3):
        field = 1e-3 * noise(n, header, seed)
        for shift in range(0, n, 64):
            for other in range(0, n, 64):
                pixels = true[middle, middle] + np.roll(field, (shift, other), (0, 1))[middle, middle]
                found.append(curve_fit(gaussian, np.stack([x, y]), pixels[near], start)[0][:3])
    scatter = np.std(found, axis=0)
    errors = fit_errors([30.0], BEAM_SHAPE[None], BEAM_SHAPE)
    assert scatter[0] == pytest.approx(errors.peak[0] * 0.03, rel=0.25)
    assert scatter[1] == pytest.approx(np.sqrt(errors.position[0, 0, 0]), rel=0.35)
    assert scatter[2] == pytest.approx(np.sqrt(errors.position[0, 1, 1]), rel=0.35)
