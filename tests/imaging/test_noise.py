import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dsa110_contimg.imaging.noise import rms_map

BEAM = 4.0


def smooth_noise(shape, sigma=1.0, seed=1):
    """Noise as of an image: correlated over a beam."""
    image = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), BEAM / 2.355, mode="wrap")
    return (image * sigma / image.std()).astype(np.float32)


def test_even_noise_is_measured():
    measured = rms_map(smooth_noise((512, 512), 0.2), BEAM)
    assert measured.shape == (512, 512)
    assert measured.dtype == np.float32
    assert np.median(measured) == pytest.approx(0.2, rel=0.03)
    assert measured.min() > 0.15
    assert measured.max() < 0.25


def test_sources_do_not_count():
    image = smooth_noise((512, 512))
    rng = np.random.default_rng(2)
    spots = np.zeros_like(image)
    spots[tuple(rng.integers(0, 512, (2, 300)))] = 1.0
    image += 3000.0 * ndimage.gaussian_filter(spots, BEAM / 2.355)
    assert image.std() > 5.0
    assert np.median(rms_map(image, BEAM)) == pytest.approx(1.0, rel=0.1)


def test_it_follows_the_noise_from_place_to_place():
    rising = np.linspace(1.0, 3.0, 512, dtype=np.float32)
    measured = rms_map(smooth_noise((512, 512)) * rising, BEAM)
    inside = slice(64, -64)
    assert np.allclose(measured[inside, inside].mean(axis=0), rising[inside], rtol=0.15)


def test_a_level_is_not_noise():
    assert np.median(rms_map(smooth_noise((256, 256)) + 50.0, BEAM)) == pytest.approx(1.0, rel=0.1)


def test_blank_pixels_are_left_out():
    image = smooth_noise((300, 260))
    image[:150] = np.nan
    measured = rms_map(image, BEAM)
    assert np.isfinite(measured).all()
    assert np.median(measured) == pytest.approx(1.0, rel=0.1)
    assert not rms_map(np.full((64, 64), np.nan, np.float32), BEAM).any()


@pytest.mark.parametrize("shape", [(8, 8), (32, 32), (33, 500), (90, 70)])
def test_small_and_odd_images(shape):
    measured = rms_map(smooth_noise(shape), BEAM)
    assert measured.shape == shape
    assert (measured > 0.0).all()


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(-100, 100))
def test_it_scales_with_the_image(scale, level):
    image = smooth_noise((96, 96))
    expected = rms_map(image, BEAM) * scale
    assert np.allclose(rms_map((image.astype(np.float64) + level) * scale, BEAM), expected, rtol=1e-3)
