"""Fitted beams: what is stretched is as wide as it says, where it says, and a file gives back the beam."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.beams import AiryBeam, GaussianBeam, beam_model, lasting_name
from dsa110_contimg.telescope.fitted_beams import FittedBeam, Shape, beam_document, shaped_power

LOWER = Shape(0.05, 0.02, -0.01, 0.03, 0.40)
UPPER = Shape(0.07, 0.03, 0.02, 0.05, 0.42)
FREQ_HZ = np.array([1.358e9, 1.452e9])


def made(shapes=(LOWER, UPPER), freq_hz=FREQ_HZ, bands=("lower", "upper")):
    n = len(shapes)
    return FittedBeam(
        "beam-0003",
        AiryBeam(),
        "airy",
        bands,
        np.asarray(freq_hz)[:n],
        np.array(shapes),
        1e-4 * np.eye(5 * n),
        {"n": 1},
    )


def written(path, beam, **changes):
    path.write_text(json.dumps(beam_document(beam) | changes))
    return path


def half_power_deg(power, towards_deg, centre):
    """Where a pattern is a half, from its axis along a position angle."""
    radii = np.linspace(0.5, 2.5, 4001)
    east = np.radians(radii * np.sin(np.radians(towards_deg))) + np.sin(np.radians(centre[0]))
    north = np.radians(radii * np.cos(np.radians(towards_deg))) + np.sin(np.radians(centre[1]))
    return radii[np.argmin(abs(power(east, north) - 0.5))]


@given(st.floats(-0.2, 0.2), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_a_shape_is_as_wide_as_it_says(width, stretch, shear, east, north):
    shape = Shape(width, stretch, shear, east, north)

    def power(x, y):
        return shaped_power(GaussianBeam(2.6), np.array(shape), x, y, 1.4e9)

    # The angle off axis and its sine differ by 1e-4 here.
    assert power(np.sin(np.radians(east)), np.sin(np.radians(north))) == pytest.approx(1.0, abs=1e-12)
    across = [half_power_deg(power, angle, (east, north)) for angle in (shape.pa_deg, shape.pa_deg + 90.0)]
    assert across[0] / across[1] == pytest.approx(1.0 + shape.ellipticity, rel=2e-3)
    assert np.sqrt(across[0] * across[1]) == pytest.approx(1.3 * np.exp(width), rel=2e-3)


def test_shapes_change_with_frequency_and_no_farther_than_the_band():
    beam = made()
    assert beam.shape_at(FREQ_HZ) == pytest.approx(np.array([LOWER, UPPER]))
    assert beam.shape_at(FREQ_HZ.mean()) == pytest.approx((np.array(LOWER) + np.array(UPPER)) / 2)
    assert beam.shape_at(5e9) == pytest.approx(beam.shape_at(1.52e9))
    x, y = np.radians(0.7), np.radians(0.2)
    there = beam.power(x, y, FREQ_HZ)
    assert there[0] == pytest.approx(shaped_power(AiryBeam(), np.array(LOWER), x, y, FREQ_HZ[0]))
    assert there[1] == pytest.approx(shaped_power(AiryBeam(), np.array(UPPER), x, y, FREQ_HZ[1]))
    alone = made((LOWER,), bands=("full",))
    assert alone.power(np.full((3, 1), x), y, FREQ_HZ).shape == (3, 2)
    assert alone.shape_at(1.5e9) == pytest.approx(np.array(LOWER))


def test_no_change_is_the_base():
    x, y = np.meshgrid(np.radians([-2.0, 0.0, 1.0]), np.radians([-1.0, 0.5]))
    plain = made((Shape(), Shape()))
    assert plain.power(x, y, 1.4e9) == pytest.approx(AiryBeam().power(x, y, 1.4e9), rel=1e-12)


def test_a_file_gives_back_the_beam(tmp_path):
    beam = made()
    read = beam_model(str(written(tmp_path / "beam-0003.json", beam)))
    assert read.power(0.01, 0.02, 1.4e9) == beam.power(0.01, 0.02, 1.4e9)
    assert read.description == beam.description
    assert read.description.startswith(f"beam-0003 {beam.fingerprint}: airy x 1.06")
    assert made((LOWER, LOWER)).fingerprint != beam.fingerprint
    assert lasting_name("beam-0003.json").startswith("/")
    assert lasting_name("gaussian:2.6") == "gaussian:2.6"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 7}, "format is 7"),
        ({"base": "beam-0001.json"}, "another fitted beam"),
        ({"base": "round"}, "not a beam model"),
        ({"bands": []}, "one or two bands"),
        ({"covariance": [[1.0]]}, "one or two bands"),
        ({"covariance": [[float("nan")] * 10] * 10}, "finite"),
        ({"bands": beam_document(made())["bands"][::-1]}, "ascend"),
        ({"bands": [beam_document(made())["bands"][k] | {"width": 3.0} for k in (0, 1)]}, "no beam"),
        ({"facts": 3}, "TypeError"),
    ],
    ids=["format", "nested", "base", "none", "shape", "nan", "order", "wide", "facts"],
)
def test_what_is_not_a_fitted_beam_is_refused(tmp_path, changes, says):
    with pytest.raises(UsageError, match=says):
        beam_model(str(written(tmp_path / "beam.json", made(), **changes)))


def test_a_file_that_is_not_there_or_not_json(tmp_path):
    (tmp_path / "text.json").write_text("not json")
    for name in ("gone.json", "text.json"):
        with pytest.raises(UsageError, match=name):
            beam_model(str(tmp_path / name))
