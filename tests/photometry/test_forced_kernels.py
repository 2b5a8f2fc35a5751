"""The kernels of forced photometry, compiled or not, against plain arrays."""

import numpy as np
import pytest

from dsa110_contimg.photometry.forced_kernels import (
    beam_sums,
    blank_within,
    compile_kernels,
    local_scatter,
    residual_sums,
    slope_sums,
)

pytestmark = pytest.mark.kernel
SHAPE, REACH = (24, 22), 3.0
PLACE = np.array([[9.3, 11.6], [12.0, 13.0]])
NARROW, WIDE = np.array([[0.5, 0.1, 0.4]] * 2), np.array([[0.2, 0.03, 0.25]] * 2)
STARTS, OTHERS = np.array([0, 2, 4]), np.array([0, 1, 1, 0])


def exponent(form, place):
    y, x = np.indices(SHAPE)
    dx, dy = x - place[0], y - place[1]
    return form[0] * dx**2 + 2 * form[1] * dx * dy + form[2] * dy**2


def image():
    pixels = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    pixels[12, 10] = np.nan
    return pixels


def under(k):
    return (exponent(NARROW[k], PLACE[k]) <= REACH**2) & np.isfinite(image())


def test_sums_are_over_the_ellipse_around_a_source_without_blanks():
    flux, overlap, noise = np.zeros(2), np.zeros(4), np.zeros(4)
    for k in range(2):
        beam_sums(image(), PLACE, NARROW, WIDE, REACH, STARTS, OTHERS, k, k + 1, flux, overlap, noise)
    for k in range(2):
        beam = np.exp(-0.5 * exponent(NARROW[k], PLACE[k]))[under(k)]
        assert flux[k] == pytest.approx(np.sum(beam * image()[under(k)]), rel=1e-5)
        for at in range(STARTS[k], STARTS[k + 1]):
            other = OTHERS[at]
            assert overlap[at] == pytest.approx(beam @ np.exp(-0.5 * exponent(NARROW[other], PLACE[other]))[under(k)])
            assert noise[at] == pytest.approx(beam @ np.exp(-0.5 * exponent(WIDE[other], PLACE[other]))[under(k)])


def test_what_is_left_of_the_image_is_squared_and_counted():
    flux, squares, counts = np.array([2.0, -1.0]), np.zeros(2), np.zeros(2, np.int64)
    residual_sums(image(), PLACE, NARROW, REACH, STARTS, OTHERS, 0, 2, flux, squares, counts)
    model = sum(f * np.exp(-0.5 * exponent(form, place)) for f, form, place in zip(flux, NARROW, PLACE, strict=True))
    for k in range(2):
        assert counts[k] == under(k).sum()
        assert squares[k] == pytest.approx(np.sum((image() - model)[under(k)] ** 2), rel=1e-5)


def test_slopes_are_those_of_the_beam():
    slopes, squares = np.zeros((2, 2)), np.zeros((2, 2, 2))
    slope_sums(image(), PLACE, NARROW, REACH, 0, 2, np.array([2.0, -1.0]), slopes, squares)
    for k, peak in enumerate((2.0, -1.0)):
        step, here = 1e-4, under(k)

        def beam(*moved, k=k):
            return np.exp(-0.5 * exponent(NARROW[k], PLACE[k] + moved))

        slope = np.stack([(beam(*s) - beam(*-s))[here] / (2 * step) for s in step * np.eye(2)])
        np.testing.assert_allclose(slopes[k], slope @ (image() - peak * beam(0, 0))[here], rtol=1e-4)
        np.testing.assert_allclose(squares[k], slope @ slope.T, rtol=1e-4)


def test_the_scatter_leaves_out_what_is_far_off():
    pixels = np.random.default_rng(2).normal(size=(40, 40)).astype(np.float32)
    pixels[::7, ::7] = 30.0
    found = local_scatter(pixels, np.array([[20.0, 20.0], [3.0, 3.0]]), 18, 1, 0, 2)
    np.testing.assert_allclose(found, 1.0, rtol=0.12)
    assert np.isnan(local_scatter(pixels, np.array([[20.0, 20.0]]), 2, 1, 0, 1)).all()


def test_blanks_and_the_image_s_end_are_seen_within_a_radius():
    place = np.array([[10.0, 16.5], [10.0, 15.9], [4.0, 8.0], [3.0, 8.0], [18.5, 4.5], [16.0, 4.0]])
    found = blank_within(image(), place, 4.0, 0, len(place))
    assert found.tolist() == [False, True, False, True, True, False]


def test_the_kernels_are_compiled_without_an_error():
    compile_kernels()
