"""Beam models: their widths, their symmetry, and where east and north are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.beams import AiryBeam, GaussianBeam, TaperedBeam, beam_model, beam_offsets
from dsa110_contimg.telescope.geometry import meridian_direction

MODELS = [AiryBeam(), TaperedBeam(), GaussianBeam(2.9)]


@pytest.mark.parametrize(
    ("beam", "fwhm_deg"),
    [(AiryBeam(), 2.72), (TaperedBeam(), 3.17), (GaussianBeam(2.9), 2.9)],
    ids=["airy", "taper", "gauss"],
)
def test_half_power_width_at_1p4_ghz(beam, fwhm_deg):
    angle_deg = np.linspace(0.0, 4.0, 4001)
    power = beam.power(np.sin(np.radians(angle_deg)), 0.0, 1.4e9)
    assert 2 * angle_deg[np.argmax(power < 0.5)] == pytest.approx(fwhm_deg, abs=0.01)


def test_taper_and_airy_disagree_as_much_as_we_know_the_beam():
    for angle_deg, apart in ((1.0, 0.09), (1.5, 0.22)):
        x = np.sin(np.radians(angle_deg))
        ratio = AiryBeam().power(x, 0, 1.4e9) / TaperedBeam().power(x, 0, 1.4e9)
        assert 1 - ratio == pytest.approx(apart, abs=0.01)


def test_airy_first_null_and_sidelobe():
    # The first zero of J1 is at 3.8317; the first sidelobe of (2 J1(a)/a)^2 is 1.75%.
    sine = np.linspace(0.0, 0.2, 200001)
    power = AiryBeam().power(sine, 0.0, 1.4e9)
    null = 3.8317059702 * 299792458.0 / (np.pi * 4.65 * 1.4e9)
    assert sine[:100000][np.argmin(power[: np.searchsorted(sine, 1.2 * null)])] == pytest.approx(null, rel=1e-3)
    assert power[sine > null].max() == pytest.approx(0.0175, abs=1e-4)


@pytest.mark.parametrize("beam", MODELS, ids=["airy", "taper", "gauss"])
@given(x=st.floats(-0.3, 0.3), y=st.floats(-0.3, 0.3), angle=st.floats(0, 2 * np.pi), freq_hz=st.floats(1.3e9, 1.5e9))
def test_round_scales_with_frequency_and_never_exceeds_the_axis(beam, x, y, angle, freq_hz):
    power = beam.power(x, y, freq_hz)
    turned = beam.power(x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), freq_hz)
    assert 0.0 <= power <= 1.0 + 1e-12
    assert turned == pytest.approx(power, abs=1e-9)
    assert beam.power(0.0, 0.0, freq_hz) == pytest.approx(1.0, abs=1e-12)


def test_arguments_broadcast():
    x, y = np.full((3, 1), 0.01), np.full((3, 1), 0.02)
    power = AiryBeam().power(x, y, np.array([1.3e9, 1.4e9]))
    assert power.shape == (3, 2)
    assert np.all(power[:, 0] > power[:, 1])


def test_offsets_are_direction_cosines_to_the_east_and_north():
    dec, step = np.radians(54.57), np.radians(0.4)
    north = meridian_direction(dec + step)
    hour_angle = -step  # before it crosses the meridian a source is in the east
    east = np.array([np.cos(hour_angle), -np.sin(hour_angle), 0.0])
    x, y = beam_offsets(np.stack([meridian_direction(dec), north]), dec)
    assert x == pytest.approx([0.0, 0.0], abs=1e-15)
    assert y == pytest.approx([0.0, np.sin(step)], abs=1e-15)
    assert beam_offsets(east, 0.0)[0] == pytest.approx(np.sin(step))


def test_offsets_and_axis_complete_a_unit_vector():
    directions = np.random.default_rng(1).normal(size=(5, 7, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    x, y = beam_offsets(directions, 0.7)
    along = directions @ meridian_direction(0.7)
    assert x.shape == (5, 7)
    assert x**2 + y**2 + along**2 == pytest.approx(np.ones((5, 7)))


def test_models_by_name():
    assert beam_model("airy") == AiryBeam()
    assert beam_model("tapered") == TaperedBeam()
    assert beam_model("gaussian:2.5") == GaussianBeam(2.5)
    for model in MODELS:
        assert model.description


@pytest.mark.parametrize("name", ["", "disc", "gaussian", "gaussian:", "gaussian:wide", "gaussian:-1", "gaussian:nan"])
def test_unknown_models(name):
    with pytest.raises(UsageError, match="beam model"):
        beam_model(name)
