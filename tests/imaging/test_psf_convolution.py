"""Components as the PSF shows them."""

import numpy as np
import pytest

from dsa110_contimg.imaging.psf_convolution import PsfConvolution


def by_hand(psf, components):
    """The PSF's corner, not its middle, in each component, cut to the image."""
    n_pixels = psf.shape[0]
    wide, half = np.zeros((2 * n_pixels,) * 2), n_pixels // 2
    for row, column in np.argwhere(components):
        wide[row : row + n_pixels, column : column + n_pixels] += components[row, column] * psf
    return wide[half : half + n_pixels, half : half + n_pixels]


@pytest.mark.parametrize("n_pixels", [64, 94])
def test_it_is_what_is_done_by_hand_and_nothing_wraps(n_pixels):
    rng = np.random.default_rng(1)
    psf = rng.normal(size=(n_pixels, n_pixels)).astype(np.float32)
    convolution = PsfConvolution(psf, threads=2)
    last = n_pixels - 1
    for places in ([(0, 0)], [(last, last), (last, 0)], [(3, 5), (30, last), (31, 0), (50, 22)]):
        components = np.zeros_like(psf)
        for row, column in places:
            components[row, column] = rng.normal()
        np.testing.assert_allclose(convolution.seen(components), by_hand(psf, components), atol=1e-5)


def test_of_nothing_nothing_is_seen():
    psf = np.ones((8, 8), np.float32)
    assert not PsfConvolution(psf).seen(np.zeros_like(psf)).any()
