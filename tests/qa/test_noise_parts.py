"""The parts of a noise: their squares add up, and confusion is what sources of 1.4 GHz make."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.images.fits import RestoringBeam
from dsa110_contimg.qa.noise_parts import confusion_jy, take_apart

noises = st.floats(1e-6, 1.0)


def test_confusion_of_the_array() -> None:
    """About 0.1 mJy/beam at Briggs 0.5, 64 x 38 arcsec."""
    assert confusion_jy(RestoringBeam(64 / 3600, 38 / 3600, 0.0), 1.405e9) == pytest.approx(1.06e-4, rel=0.02)


@given(st.floats(15.0, 300.0), st.floats(1e9, 2e9))
def test_confusion_goes_with_the_beams_area(arcsec: float, freq_hz: float) -> None:
    one, wide = (confusion_jy(RestoringBeam(size / 3600, arcsec / 3600, 0.0), freq_hz) for size in (arcsec, 2 * arcsec))
    assert wide == pytest.approx(2 * one)


@given(noises, noises, noises)
def test_squares_add_up(thermal: float, confused: float, rest: float) -> None:
    rms = math.sqrt(thermal**2 + confused**2 + rest**2)
    parts = take_apart(rms, thermal, confused)
    assert parts.dynamic_range_jy is not None
    assert parts.dynamic_range_jy**2 + thermal**2 + confused**2 == pytest.approx(rms**2, rel=1e-9)
    assert parts.dynamic_range_jy**2 == pytest.approx(rest**2, abs=1e-9 * rms**2)


def test_no_part_is_imaginary() -> None:
    """Noise below what the weights tell leaves nothing for the rest."""
    parts = take_apart(1e-3, 2e-3, 1e-4)
    assert parts.dynamic_range_jy == 0.0
    assert parts.largest == "thermal"


def test_largest() -> None:
    assert take_apart(10e-3, 1e-3, 1e-4).largest == "dynamic range"
    assert take_apart(1e-3, 1e-4, 0.999e-3).largest == "confusion"


def test_without_weights_nothing_is_made_up() -> None:
    parts = take_apart(1e-3, None, 1e-4)
    assert parts.dynamic_range_jy is None
    assert parts.largest is None
    assert parts.as_json()["rms_jy"] == 1e-3
