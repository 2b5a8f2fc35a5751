"""Stripes: none in plain noise, and those that are put in are found, with their direction, period and height."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.qa.stripes import measure_stripes
from judged_images import BEAM, gaussian, noise_like

N = 192
CELL_DEG = 15 / 3600


def plain_noise(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    psf = gaussian((N, N), N // 2, N // 2, BEAM, CELL_DEG)
    return noise_like(psf, 1e-3, np.random.default_rng(seed)), psf


def fringe(pa_deg: float, period_arcsec: float, height: float) -> np.ndarray:
    """Crests run along `pa_deg`, from north through east, which is to the left."""
    rows, columns = np.mgrid[:N, :N]
    north, east = rows * CELL_DEG * 3600, -columns * CELL_DEG * 3600
    pa = np.radians(pa_deg)
    return height * np.cos(2 * np.pi * (east * np.cos(pa) - north * np.sin(pa)) / period_arcsec)


def apart(one_deg: float, other_deg: float) -> float:
    return abs((one_deg - other_deg + 90) % 180 - 90)


def test_plain_noise_has_no_direction() -> None:
    """Though the beam is long and narrow: the PSF says so."""
    noise, psf = plain_noise()
    found = measure_stripes(noise, CELL_DEG, psf)
    assert found is not None
    assert found.anisotropy < 1.3
    assert found.fringe_sigma < 6


@settings(max_examples=12, deadline=None)
@given(st.floats(0, 179.9), st.floats(150, 400))
def test_a_fringe_is_found(pa_deg: float, period_arcsec: float) -> None:
    noise, psf = plain_noise()
    found = measure_stripes(noise + fringe(pa_deg, period_arcsec, 2e-3), CELL_DEG, psf)
    assert found is not None
    assert found.fringe_sigma > 8
    assert found.fringe_jy == pytest.approx(2e-3, rel=0.35)  # it may fall between two cells
    assert found.fringe_arcsec == pytest.approx(period_arcsec, rel=0.08)
    assert apart(found.fringe_pa_deg, pa_deg) < 6
    assert found.anisotropy > 1.5
    assert apart(found.pa_deg, pa_deg) < 15


def test_what_is_not_finite_is_left_out() -> None:
    noise, psf = plain_noise()
    noise[:20] = np.nan
    found = measure_stripes(noise, CELL_DEG, psf)
    assert found is not None
    assert np.isfinite(list(found.as_json().values())).all()


def test_nothing_in_nothing() -> None:
    assert measure_stripes(np.zeros((64, 64)), CELL_DEG) is None


def test_without_a_psf_all_baselines_count_alike() -> None:
    found = measure_stripes(np.random.default_rng(1).normal(size=(101, 128)), CELL_DEG)
    assert found is not None
    assert found.anisotropy < 1.3
