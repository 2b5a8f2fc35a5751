"""Numbers as people read them."""

import math

import pytest
from astropy.coordinates import Angle
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.qa import sayings


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.93, "0.930"),
        (61, "61"),
        (1234.5, "1 234"),
        (21_345_678, "21 345 678"),
        (0.0, "0"),
        (None, "–"),
        (3e-6, "3e-06"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert sayings.number(value) == text


@pytest.mark.parametrize(
    ("value_jy", "text"),
    [
        (1.234, "1.23 Jy"),
        (0.9999, "1.00 Jy"),
        (0.0021, "2.10 mJy"),
        (1.06e-4, "0.106 mJy"),
        (2e-6, "2.00 µJy"),
        (-0.0095, "-9.50 mJy"),
        (0, "0 Jy"),
        (math.nan, "–"),
    ],
)
def test_flux(value_jy: float, text: str) -> None:
    assert sayings.flux(value_jy) == text


@pytest.mark.parametrize(("part", "text"), [(0.0067, "0.67 %"), (0.9, "90 %"), (0.0, "0 %"), (None, "–")])
def test_percent(part: float | None, text: str) -> None:
    assert sayings.percent(part) == text


def test_seconds() -> None:
    assert [sayings.seconds(value) for value in (0.9, 38.3, None)] == ["0.90 s", "38 s", "–"]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (4.1, 0.23, "4.10 ± 0.23"),
        (801.2, 24.0, "801 ± 24"),
        (0.93, 0.012, "0.930 ± 0.012"),
        (2.0, None, "2.00"),
        (None, 1.0, "–"),
    ],
)
def test_with_error(value: float | None, error: float | None, text: str) -> None:
    assert sayings.with_error(value, error) == text


@given(st.floats(0, 359.9999))
def test_right_ascension(degrees: float) -> None:
    said = Angle(sayings.right_ascension(degrees) + " hours").deg
    assert abs((said - degrees + 180) % 360 - 180) < 0.0051 * 15 / 3600


@given(st.floats(-90, 90))
def test_declination(degrees: float) -> None:
    assert Angle(sayings.declination(degrees) + " degrees").deg == pytest.approx(degrees, abs=0.051 / 3600)
