"""Whole images of simulated fields against what is true of them."""

import numpy as np
import pytest

from dsa110_contimg.telescope.band import HEADER_SITE
from imaged_fields import image_of, look
from simulated_fields import CORE, make_field, mean_power

AUTUMN, WINTER = 60953.52, 61100.0
# At this moment right ascension 0h is on the meridian.
ZERO_HOURS = 60953.2886
# No farther apart than half of the image: there its PSF ends, and what lies beyond takes more cycles.
OFFSETS_DEG = ((0.05, -0.6), (-0.6, 0.1), (0.55, 0.35), (0.1, 0.25))
FLUX_JY = (2.0, 1.0, 3.0, 0.3)
# Data without noise are not averaged, and are gridded with care; the spectrum is that of the sources.
CAREFUL = {"size": 720, "cell_arcsec": 12.0, "smearing": 1e-5, "epsilon": 1e-6, "alpha": 0.0}
# In a mask of where the sources are.
DEEP = {"auto_mask": 1000.0, "auto_threshold": 0.1, "major_cycles": 5, "iterations": 3000}


def noiseless(path, **options):
    """Four sources that drift through the beam."""
    return make_field(path, OFFSETS_DEG, FLUX_JY, stations=CORE[::2], every=32, n_times=8, step=3, **options)


def assert_true(imaged, ms, rel):
    """Fluxes through the beam, and places, are those of the sky."""
    for seen, flux_jy, even in zip(look(imaged, ms.sources), FLUX_JY, mean_power(ms, HEADER_SITE), strict=True):
        # The weights of an image are not quite the same at all times and frequencies.
        assert seen.power == pytest.approx(even, rel=0.02)
        assert seen.peak_jy / seen.power == pytest.approx(flux_jy, rel=rel)
        assert np.hypot(seen.east_arcsec, seen.north_arcsec) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dec_deg", "start_mjd"),
    [(54.57, AUTUMN), (54.57, ZERO_HOURS), (16.27, WINTER), (71.6, ZERO_HOURS), (-10.0, AUTUMN), (-10.0, WINTER)],
)
def test_of_a_drifting_field_nothing_is_left(tmp_path, dec_deg, start_mjd):
    ms = noiseless(tmp_path / "a.ms", dec_deg=dec_deg, start_mjd=start_mjd)
    imaged = image_of(ms.path, ms.sources, **CAREFUL, **DEEP)
    assert np.abs(imaged.residual).max() < 3e-4 * imaged.image.max()
    assert_true(imaged, ms, rel=1e-3)


@pytest.mark.slow
def test_a_model_that_stands_still_leaves_a_residue(tmp_path):
    """So that the test above shows something: sources at the beam's flank rise or fall while they are observed."""
    ms = noiseless(tmp_path / "a.ms")
    still = image_of(ms.path, ms.sources, drift=False, **CAREFUL, **DEEP | {"major_cycles": 3})
    assert np.abs(still.residual).max() > 2e-3 * still.image.max()
