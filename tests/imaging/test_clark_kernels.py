"""The inner loop of CLEAN."""

import numpy as np
import pytest

from dsa110_contimg.imaging.clark_kernels import compile_kernels, take_peaks

SIZE = 8


def problem():
    """A PSF, places of pixels, their thresholds, and what they hold."""
    rng = np.random.default_rng(3)
    psf = rng.normal(0.0, 0.05, (SIZE, SIZE)).astype(np.float32)
    psf[SIZE // 2, SIZE // 2] = 1.0
    rows, columns = np.divmod(np.sort(rng.choice(SIZE * SIZE, 20, replace=False)), SIZE)
    thresholds = rng.uniform(0.1, 0.2, 20).astype(np.float32)
    return psf, rows, columns, thresholds, rng.normal(0.0, 1.0, 20).astype(np.float32)


def by_hand(psf, rows, columns, thresholds, residual, gain, most):
    """One peak after the other, with the PSF in room enough."""
    wide = np.pad(psf, SIZE)
    residual, taken = residual.copy(), np.zeros_like(residual)
    for done in range(most):
        place = np.argmax(np.abs(residual) / thresholds)
        if np.abs(residual[place]) <= thresholds[place]:
            return done, residual, taken
        flux = np.float32(gain) * residual[place]
        taken[place] += flux
        middle = SIZE + SIZE // 2
        residual -= flux * wide[rows - rows[place] + middle, columns - columns[place] + middle]
    return most, residual, taken


@pytest.mark.kernel
@pytest.mark.parametrize("n_kept", [0, 1, 3, 20])
@pytest.mark.parametrize("most", [0, 7, 1000])
def test_it_is_what_is_done_by_hand_however_much_is_kept(n_kept, most):
    psf, rows, columns, thresholds, residual = problem()
    done, left, flux = by_hand(psf, rows, columns, thresholds, residual, 0.2, most)
    taken = np.zeros_like(residual)
    assert take_peaks(psf, rows, columns, thresholds, 0.2, most, 100.0, n_kept, residual, taken) == done
    assert most < 1000 or 20 < done < 1000
    np.testing.assert_allclose(residual, left, atol=1e-5)
    np.testing.assert_allclose(taken, flux, atol=1e-5)


@pytest.mark.kernel
def test_what_grows_is_not_gone_on_with():
    psf, rows, columns, thresholds, residual = problem()
    psf[SIZE // 2, SIZE // 2] = -1.0
    taken = np.zeros_like(residual)
    limit = 1.2 * float(np.abs(residual).max())
    assert 0 < take_peaks(psf, rows, columns, thresholds, 0.2, 1000, limit, 20, residual, taken) < 10
    assert np.isfinite(taken).all()


@pytest.mark.kernel
def test_what_is_not_a_number_ends_it():
    psf, rows, columns, thresholds, residual = problem()
    psf[:] = np.nan
    taken = np.zeros_like(residual)
    assert take_peaks(psf, rows, columns, thresholds, 0.2, 1000, 100.0, 20, residual, taken) <= 20


@pytest.mark.kernel
def test_it_is_compiled_without_an_error():
    compile_kernels()
