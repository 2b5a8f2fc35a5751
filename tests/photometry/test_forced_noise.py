"""The noise of an image, and how far it is correlated, against noise that was made so."""

import numpy as np
import pytest

from dsa110_contimg.photometry.forced_fit import threaded
from dsa110_contimg.photometry.forced_noise import correlation_width, noise_around, usual_noise

COVARIANCE = np.array([[6.0, 1.5], [1.5, 3.0]])
CHUNKS = threaded(2)


def noise(n, width, seed=1):
    """Noise (n, n) of standard deviation 1, correlated like a Gaussian so much wider than the beam."""
    v, u = np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None, :]
    c = COVARIANCE * width**2 / 2.0
    smooth = np.exp(-2 * np.pi**2 * (c[0, 0] * u * u + 2 * c[0, 1] * u * v + c[1, 1] * v * v))
    made = np.fft.irfft2(np.fft.rfft2(np.random.default_rng(seed).standard_normal((n, n))) * smooth, s=(n, n))
    return (made / made.std()).astype(np.float32)


@pytest.mark.parametrize("width", [0.8, 1.0, 1.4])
def test_the_width_of_the_correlation_is_measured_beside_sources_and_blanks(width):
    pixels = noise(384, width)
    pixels[::40, ::40] += 50.0
    pixels[200:230] = np.nan
    assert correlation_width(pixels, COVARIANCE) == pytest.approx(width, rel=0.04)


def test_where_nothing_can_be_measured_noise_is_as_wide_as_the_beam():
    assert correlation_width(np.ones((8, 8), np.float32), COVARIANCE) == 1.0
    assert correlation_width(np.full((99, 99), np.nan, np.float32), COVARIANCE) == 1.0
    assert correlation_width(np.zeros((99, 99), np.float32), COVARIANCE) == 1.0


def test_noise_is_measured_around_places_beside_sources():
    pixels = noise(384, 1.0)
    pixels[:, 192:] *= 3.0
    pixels[::30, ::30] += 50.0
    found = noise_around(pixels, np.array([[80.0, 200.0], [320.0, 200.0]]), 4.0, CHUNKS)
    np.testing.assert_allclose(found, [1.0, 3.0], rtol=0.1)


def test_the_noise_of_an_image_is_that_of_most_of_it():
    pixels = noise(384, 1.0)
    pixels[:80, :80] *= 20.0
    assert usual_noise(pixels, 4.0, CHUNKS) == pytest.approx(1.0, rel=0.05)
    assert np.isnan(usual_noise(np.full((64, 64), np.nan, np.float32), 4.0, CHUNKS))


def test_where_all_is_blank_there_is_no_noise():
    pixels = np.full((64, 64), np.nan, np.float32)
    assert np.isnan(noise_around(pixels, np.array([[30.0, 30.0]]), 4.0, CHUNKS)).all()
    assert noise_around(pixels, np.zeros((0, 2)), 4.0, CHUNKS).size == 0
