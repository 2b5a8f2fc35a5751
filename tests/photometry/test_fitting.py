"""PyBDSF in its own process: what comes back, and what is said if it fails."""

import signal

import numpy as np
import pytest

from dsa110_contimg.errors import SourceFindingError
from dsa110_contimg.photometry.fitting import Fitter, PixelBeam, fit_gaussians

BEAM = PixelBeam(8.0, 5.0, 30.0)


def gaussian(n, x, y, peak, major, minor, pa_deg):
    """A Gaussian in pixels: position angle from +y towards -x."""
    row, column = np.mgrid[:n, :n]
    sin, cos = np.sin(np.radians(pa_deg)), np.cos(np.radians(pa_deg))
    along, across = -(column - x) * sin + (row - y) * cos, (column - x) * cos + (row - y) * sin
    return peak * np.exp(-4 * np.log(2) * ((along / major) ** 2 + (across / minor) ** 2))


def test_pixels_axes_and_angles_are_as_the_image_has_them(tmp_path):
    rng = np.random.default_rng(1)
    image = rng.normal(0, 1e-3, (120, 150))[:, :150]
    image[:, :120] += gaussian(120, 40.25, 70.75, 1.0, *BEAM)
    image[:, :120] += gaussian(120, 90.5, 30.0, 0.5, 14.0, 6.0, 120.0)
    rms = np.full(image.shape, 1e-3)
    found = fit_gaussians(image, rms, BEAM, island_sigma=3, peak_sigma=5, n_cores=1, scratch=tmp_path)
    order = np.argsort(-found.peak)
    assert found.x[order] == pytest.approx([40.25, 90.5], abs=0.02)
    assert found.y[order] == pytest.approx([70.75, 30.0], abs=0.02)
    assert found.peak[order] == pytest.approx([1.0, 0.5], rel=0.01)
    assert found.major[order] == pytest.approx([8.0, 14.0], rel=0.01)
    assert found.minor[order] == pytest.approx([5.0, 6.0], rel=0.01)
    assert found.pa_deg[order] % 180 == pytest.approx([30.0, 120.0], abs=1.0)
    assert found.rms == pytest.approx(1e-3)
    assert found.fitted.all()
    assert len(set(found.island)) == len(set(found.source)) == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_above_the_noise():
    found = fit_gaussians(np.zeros((64, 64)), np.ones((64, 64)), BEAM, island_sigma=3, peak_sigma=5, n_cores=1)
    assert len(found.x) == 0


def test_a_failure_of_pybdsf_is_told():
    with pytest.raises(SourceFindingError, match=r"PyBDSF ended with status 1: .*unphysical rms"):
        fit_gaussians(np.zeros((64, 64)), None, BEAM, island_sigma=3, peak_sigma=5, n_cores=1)


def test_a_process_may_be_started_before_and_there_is_time_while_it_works(tmp_path):
    image = np.random.default_rng(3).normal(0, 1e-3, (120, 120)) + gaussian(120, 60.0, 50.0, 1.0, *BEAM)
    rms, called = np.full(image.shape, 1e-3), []
    alone = fit_gaussians(image, rms, BEAM, island_sigma=3, peak_sigma=5, n_cores=1)
    with Fitter() as fitter:
        found = fit_gaussians(
            image, rms, BEAM, island_sigma=3, peak_sigma=5, n_cores=1, scratch=tmp_path, fitter=fitter,
            meanwhile=lambda: called.extend(path.name for path in tmp_path.iterdir()),
        )  # fmt: skip
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(called) == 1


def test_a_process_that_is_not_used_goes_and_one_that_died_is_told(tmp_path):
    with Fitter() as unused:
        pass
    assert unused._process.returncode == -signal.SIGKILL
    with Fitter() as fitter:
        fitter._process.kill()
        fitter._process.wait()
        fitter.begin(tmp_path)
        with pytest.raises(SourceFindingError, match=r"PyBDSF ended with status -9: it said nothing"):
            fitter.end()
