"""The shapes that are searched for."""

import numpy as np
import pytest

from dsa110_contimg.lightcurves.shapes import LENSES, Shape, profile, templates


def test_lenses_dim_and_caustics_brighten():
    u = np.linspace(-6.0, 6.0, 2401)
    curves = {shape: profile(shape, u) for shape in Shape}
    for shape, curve in curves.items():
        assert np.abs(curve).max() == pytest.approx(1.0, abs=0.1), shape
        assert np.abs(curve[[0, -1]]).max() < 1e-3, shape
    assert curves[Shape.DIP].max() <= 0.0
    assert curves[Shape.CAUSTICS].max() > 0.9 > -0.9 > curves[Shape.CAUSTICS].min()
    np.testing.assert_allclose(curves[Shape.FALLING], curves[Shape.RISING][::-1], atol=1e-12)
    assert curves[Shape.FLARE].min() >= 0.0


def test_templates_are_no_longer_than_the_data_allow():
    assert {template.width_d for template in templates(60, 1.0)} == {2.0, 3.0, 5.0, 8.0}
    assert templates(11, 1.0) == []
    assert {template.width_d for template in templates(30, 2.0)} == {5.0, 8.0}
    for template in templates(300, 1.0):
        assert template.values[0] == pytest.approx(0.0, abs=0.06)
        assert template.values.size % 2 == 1
    assert set(Shape) > LENSES
