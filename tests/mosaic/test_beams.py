"""Smoothing to one beam keeps fluxes."""

import numpy as np
import pytest

from dsa110_contimg.errors import MosaicError
from dsa110_contimg.images.fits import RestoringBeam
from dsa110_contimg.mosaic.beams import common_beam, covariance, smooth
from restored_image import CELL_ARCSEC, Source, header_of, restored

CELL_DEG = CELL_ARCSEC / 3600.0
SMALL = RestoringBeam(64 / 3600, 38 / 3600, 20.0)
LARGE = RestoringBeam(90 / 3600, 75 / 3600, -35.0)


def gaussian(beam, n=128):
    inverse = np.linalg.inv(covariance(beam, CELL_DEG))
    y, x = np.indices((n, n)) - n // 2
    return np.exp(-0.5 * (inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y)).astype(np.float32)


def test_a_point_becomes_the_other_beam_with_the_same_flux():
    np.testing.assert_allclose(smooth(gaussian(SMALL), SMALL, LARGE, CELL_DEG), gaussian(LARGE), atol=2e-5)


def test_position_angles_are_those_of_the_sky():
    header = header_of(128)._replace(beam=LARGE)
    image = restored(128, [Source(header.ra_deg, header.dec_deg, 1.0)], 0.0, header)
    np.testing.assert_allclose(image.pixels, gaussian(LARGE), atol=1e-4)


def test_the_same_beam_changes_nothing():
    image = gaussian(SMALL)
    np.testing.assert_array_equal(smooth(image, SMALL, SMALL, CELL_DEG), image)


def test_a_smaller_beam_is_refused():
    with pytest.raises(MosaicError, match="smaller"):
        smooth(gaussian(LARGE), LARGE, SMALL, CELL_DEG)


def test_blanks_do_not_spread():
    image = gaussian(SMALL)
    image[:, :40] = np.nan
    assert np.isfinite(smooth(image, SMALL, LARGE, CELL_DEG)).all()


def test_the_common_beam_holds_all_and_is_no_larger_than_need_be():
    beams = [SMALL._replace(pa_deg=angle) for angle in (15.0, 20.0, 25.0)]
    found = common_beam(beams)
    for beam in beams:
        assert np.linalg.eigvalsh(covariance(found, CELL_DEG) - covariance(beam, CELL_DEG)).min() > -1e-6
    assert found.major_deg * found.minor_deg < 1.2 * SMALL.major_deg * SMALL.minor_deg
    assert common_beam([SMALL, SMALL]) == SMALL


@pytest.mark.parametrize(
    "widths",
    [
        [(0.033346, 0.030543, 31.921268), (0.033344, 0.030506, 31.084785), (0.033464, 0.030642, 27.888794)],
        [(0.033207, 0.030498, 30.123978), (0.033101, 0.030535, 26.262267), (0.03326, 0.030506, 29.0511)],
    ],
)
def test_beams_that_are_nearly_the_same_have_a_common_one(widths):
    beams = [RestoringBeam(*each) for each in widths]
    found = common_beam(beams)
    for beam in beams:
        assert np.linalg.eigvalsh(covariance(found, CELL_DEG) - covariance(beam, CELL_DEG)).min() > -1e-6
    assert found.major_deg * found.minor_deg < 1.02 * max(beam.major_deg * beam.minor_deg for beam in beams)
    assert abs(found.pa_deg - 30.0) < 10.0
