"""What is not known of the beam, in fluxes: as large as when the beam is really another, and with its sign."""

import json

import numpy as np
import pytest

from dsa110_contimg.errors import UsageError
from dsa110_contimg.images.fits import Card, ImageHeader, RestoringBeam
from dsa110_contimg.photometry.beam_error import beam_error
from dsa110_contimg.photometry.beam_samples import track
from dsa110_contimg.telescope.beams import AiryBeam, TaperedBeam
from dsa110_contimg.telescope.fitted_beams import FittedBeam, beam_document, shaped_power

GROUP_DAYS = 309.2376 / 86400.0
RA_DEG, DEC_DEG, START = 129.0, 54.57, 60953.5


def header(start=START, ra_deg=RA_DEG, *, cards=()):
    end = start + GROUP_DAYS
    beam = RestoringBeam(0.02, 0.01, 0.0)
    return ImageHeader(
        ra_deg, DEC_DEG, 1e-3, 1.405e9, 1.875e8, start, (start + end) / 2, end, beam, "OVRO_MMA", cards=cards
    )


def around(east_deg, north_deg):
    return RA_DEG + np.atleast_1d(east_deg) / np.cos(np.radians(DEC_DEG)), DEC_DEG + np.atleast_1d(north_deg)


def fitted(tmp_path, errors, name="beam-0001"):
    beam = FittedBeam(
        name, AiryBeam(), "airy", ("lower", "upper"), np.array([1.358e9, 1.452e9]), np.zeros((2, 5)),
        np.outer(errors, errors), {},
    )  # fmt: skip
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(beam_document(beam)))
    return (Card("PBMODEL", str(path)),)


def test_a_beam_that_was_not_fitted_may_be_half_way_to_the_other():
    ra, dec = around([0.0, 0.0, 1.0], [0.0, 1.0, -1.0])
    way = track(header(), ra, dec)
    airy, tapered = way.mean_power(AiryBeam().power), way.mean_power(TaperedBeam().power)
    error = beam_error([header()], ra, dec)
    assert error == pytest.approx((tapered / airy - 1.0) / 2.0, rel=1e-6)
    assert error[0] < 0.005
    assert 0.04 < error[1] < 0.07


def test_the_error_of_a_fitted_beam_is_what_its_parameters_do(tmp_path):
    # Both halves are 2% wider and 0.1 deg farther north than they may be, together.
    moved = np.array([0.02, 0.01, -0.01, 0.03, 0.1])
    cards = fitted(tmp_path, np.concatenate([moved, moved]))
    ra, dec = around([0.0, 0.8, -0.8], [1.0, 0.5, 0.3])
    way = track(header(), ra, dec)
    change = [
        way.mean_power(lambda x, y, f, sign=sign: shaped_power(AiryBeam(), sign * moved, x, y, f)) for sign in (1, -1)
    ]
    expected = abs(change[0] - change[1]) / 2.0 / way.mean_power(AiryBeam().power)
    assert beam_error([header(cards=cards)], ra, dec) == pytest.approx(expected, rel=0.02, abs=5e-4)


def test_in_a_mosaic_east_and_west_cancel(tmp_path):
    east = np.array([0.0, 0.0, 0.0, 0.1, 0.0])
    cards = fitted(tmp_path, np.concatenate([east, east]))
    step = 360.0 * GROUP_DAYS * 1.0027379
    before, after = (header(START + k * GROUP_DAYS, RA_DEG + k * step, cards=cards) for k in (-1, 1))
    ra, dec = around(0.0, 0.4)
    alone = beam_error([before], ra, dec)
    assert alone > 0.03
    assert beam_error([before, after], ra, dec) < 0.02 * alone
    # What one image has little weight for, it cancels little of.
    assert beam_error([before, after], ra, dec, [1.0, 0.01]) == pytest.approx(alone, rel=0.03)


def test_two_beams_have_errors_of_their_own(tmp_path):
    north = np.array([0.0, 0.0, 0.0, 0.0, 0.05])
    one, other = (fitted(tmp_path, np.concatenate([k * north, k * north]), f"beam-000{k}") for k in (1, 2))
    ra, dec = around(0.0, 0.7)
    single = beam_error([header(cards=one)], ra, dec), beam_error([header(cards=other)], ra, dec)
    assert beam_error([header(cards=one), header(cards=other)], ra, dec) == pytest.approx(
        np.hypot(*single) / 2.0, rel=0.01
    )


def test_where_there_is_no_beam_nothing_is_known():
    assert beam_error([header()], [RA_DEG, RA_DEG + 180.0], [DEC_DEG - 40.0, 0.0]).tolist() == [1.0, 1.0]


def test_a_beam_that_is_gone():
    with pytest.raises(UsageError, match=r"gone\.json"):
        beam_error([header(cards=(Card("PBMODEL", "/gone.json"),))], [RA_DEG], [DEC_DEG])
