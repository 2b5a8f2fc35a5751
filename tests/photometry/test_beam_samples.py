"""The way of a source through the beam: where the dishes point, and means that are as good as those of the imager."""

import numpy as np
import pytest

from dsa110_contimg.errors import HeaderValueError
from dsa110_contimg.images.fits import Card, ImageHeader, RestoringBeam
from dsa110_contimg.photometry.beam_samples import model_name, model_of, pointing_dec_deg, track
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.beams import AiryBeam, beam_offsets
from dsa110_contimg.telescope.geometry import apparent_directions, meridian_icrs

GROUP_DAYS = 309.2376 / 86400.0
POINTING_DEG = 54.5734


def header(*, cards=(), dec_deg=POINTING_DEG, start=60953.5):
    middle = start + GROUP_DAYS / 2
    ra, dec = meridian_icrs(np.radians(dec_deg), middle, HEADER_SITE)
    beam = RestoringBeam(0.02, 0.01, 0.0)
    return ImageHeader(
        float(ra[0]), float(dec[0]), 1e-3, 1.452e9, 9.375e7, start, middle, start + GROUP_DAYS, beam, "X", cards=cards
    )


@pytest.mark.parametrize("dec_deg", [POINTING_DEG, -10.0, 71.6])
def test_the_mean_power_is_that_of_all_integrations_and_channels(dec_deg):
    seen = header(dec_deg=dec_deg, cards=(Card("PNTDEC", dec_deg),))
    ra = seen.ra_deg + np.array([0.0, 0.6, -1.3, 0.2]) / np.cos(np.radians(dec_deg))
    dec = seen.dec_deg + np.array([0.0, 0.7, 0.1, -1.4])
    moments = seen.start_mjd + (np.arange(48) + 0.5) / 48 * GROUP_DAYS
    freqs = seen.freq_hz + (np.arange(96) - 47.5) / 96 * seen.bandwidth_hz
    x, y = beam_offsets(apparent_directions(ra, dec, moments, HEADER_SITE), np.radians(dec_deg))
    exact = AiryBeam().power(x[..., None], y[..., None], freqs).mean(axis=(0, 2))
    assert track(seen, ra, dec).mean_power(AiryBeam().power) == pytest.approx(exact, abs=5e-5)


def test_the_pointing_is_what_the_image_says_or_else_its_centre():
    assert pointing_dec_deg(header()) == pytest.approx(POINTING_DEG, abs=1e-6)
    assert pointing_dec_deg(header(cards=(Card("PNTDEC", 54.0),))) == 54.0
    # An image that says nothing has its centre on the axis at mid-time, wherever it is.
    far = header()._replace(ra_deg=10.0, dec_deg=20.0)
    east, north = track(far, [10.0], [20.0]).middle
    assert (east[0], north[0]) == (pytest.approx(0.0, abs=1e-6), pytest.approx(0.0, abs=1e-4))


def test_behind_the_dishes_there_is_no_beam():
    seen = header(cards=(Card("PNTDEC", POINTING_DEG),))
    assert track(seen, [(seen.ra_deg + 180.0) % 360.0], [-seen.dec_deg]).mean_power(AiryBeam().power) < 1e-4


def test_the_model_is_the_one_that_the_image_names():
    assert model_name(header()) == "airy"
    assert model_of(header(cards=(Card("PBMODEL", "gaussian:2.5"),))).description == "Gaussian, FWHM 2.5 deg at 1.4 GHz"


def test_an_image_that_ends_before_it_begins():
    with pytest.raises(HeaderValueError, match="begins"):
        track(header()._replace(end_mjd=60000.0), [0.0], [0.0])
