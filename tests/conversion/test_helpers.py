"""Phase centres: as they are typed, and where they are."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.conversion.helpers import (
    PhaseCentre,
    get_meridian_coords,
    parse_phase_centre,
    phase_centre_fields,
    position_name,
)
from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.uvh5.header import read_header
from point_source_truth import meridian_in_icrs
from subband_files import path_of, write_subband

MAS_DEG = 1 / 3600e3


@pytest.mark.parametrize("text", ["meridian", "drift"])
def test_words(text):
    assert parse_phase_centre(text).kind == text


@pytest.mark.parametrize(
    ("text", "ra", "dec"),
    [
        ("83.76,54.56", 83.76, 54.56), (" 83.76 , -54.56 ", 83.76, -54.56), ("-0.5,1", 359.5, 1), ("360,90", 0, 90),
        ("1e1,-9e1", 10, -90), ("0,0", 0, 0),
    ],
)  # fmt: skip
def test_positions(text, ra, dec):
    centre = parse_phase_centre(text)
    assert centre.kind == "given"
    assert (centre.ra_deg, centre.dec_deg) == pytest.approx((ra, dec))


@pytest.mark.parametrize(
    "text",
    ["", "Meridian", "zenith", "83.76", "83.76 54.56", "83.76,54.56,1", "a,b", "10,91", "400,0", "nan,0", "0,inf", ","],
)
def test_what_is_none(text):
    with pytest.raises(UsageError, match='Give meridian, drift, or "RA,DEC"'):
        parse_phase_centre(text)


@given(ra=st.floats(0, 360, exclude_max=True), dec=st.floats(-90, 90))
def test_position_names(ra, dec):
    """Read back they are at most the last digit away, never beyond the position."""
    match = re.fullmatch(r"J(\d\d)(\d\d)(\d\d\.\d\d)([+-])(\d\d)(\d\d)(\d\d\.\d)", position_name(ra, dec))
    h, m, s, sign, d, arcmin, arcsec = match.groups()
    assert int(h) < 24
    assert max(int(m), int(arcmin)) < 60
    assert max(float(s), float(arcsec)) < 60
    seconds = int(h) * 3600 + int(m) * 60 + float(s)
    assert -1e-6 <= ra * 240 - seconds < 0.01 + 1e-6
    assert -1e-6 <= abs(dec) * 3600 - (int(d) * 3600 + int(arcmin) * 60 + float(arcsec)) < 0.1 + 1e-6
    assert (sign == "-") == (dec < 0)


def test_a_known_name():
    # 3C 286, J2000.
    assert position_name(202.784533, 30.509155) == "J133108.28+303032.9"


@pytest.fixture(scope="module")
def header(tmp_path_factory):
    path = path_of(tmp_path_factory.mktemp("file"), 4)
    return read_header(write_subband(path, 4, n_times=3))


def test_meridian(header):
    (field,) = phase_centre_fields(PhaseCentre("meridian"), header)
    middle = header.times_mjd.mean()
    ra, dec = meridian_in_icrs(np.degrees(header.dec_rad), middle, header.site)
    assert field.name == "meridian_20251005T123000"
    assert field.ra_deg == pytest.approx(float(ra), abs=MAS_DEG)
    assert field.dec_deg == pytest.approx(float(dec), abs=MAS_DEG)
    assert field.mjd == middle


def test_drift(header):
    fields = phase_centre_fields(PhaseCentre("drift"), header)
    ra, dec = meridian_in_icrs(np.degrees(header.dec_rad), header.times_mjd, header.site)
    assert [field.ra_deg for field in fields] == pytest.approx(ra, abs=MAS_DEG)
    assert [field.dec_deg for field in fields] == pytest.approx(dec, abs=MAS_DEG)
    assert [field.mjd for field in fields] == header.times_mjd.tolist()
    assert [field.name for field in fields] == [f"drift_20251005T123000_{k:02d}" for k in range(3)]
    # 12.9 s of the sky's turning.
    assert np.diff([field.ra_deg for field in fields]) == pytest.approx(12.884902 / 86164.09 * 360, rel=1e-3)


def test_given(header):
    (field,) = phase_centre_fields(PhaseCentre("given", 202.784533, 30.509155), header)
    assert field[:3] == ("J133108.28+303032.9", 202.784533, 30.509155)
    (field,) = phase_centre_fields(PhaseCentre("given", 1.0, 2.0, "3C286"), header)
    assert field[:3] == ("3C286", 1.0, 2.0)


def test_meridian_coordinates():
    ra, dec = get_meridian_coords(0.9, [60953.5, 60953.6], HEADER_SITE)
    expected = meridian_in_icrs(np.degrees(0.9), np.array([60953.5, 60953.6]), HEADER_SITE)
    assert ra == pytest.approx(expected[0], abs=MAS_DEG)
    assert dec == pytest.approx(expected[1], abs=MAS_DEG)
