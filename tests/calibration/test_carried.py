"""A flux scale from another set of the day."""

import numpy as np
import pytest

from dsa110_contimg.calibration.carried import STABILITY, scale_from_set
from dsa110_contimg.calibration.flux_scale import rescaled
from solution_sets import changed, healthy_set, without


def test_a_model_that_was_too_faint_is_found_out_and_mended():
    k, b, g = healthy_set(n_antennas=20)
    brighter = 1.35  # the source, than the model
    solved = (k, changed(b, np.s_[:], np.sqrt(brighter)), g)
    scale = scale_from_set(solved, (k, b, g), 0.03, "other.cal")
    assert scale.kind == "carried"
    assert scale.factor == pytest.approx(1 / brighter)
    assert scale.error == pytest.approx(np.hypot(0.03, STABILITY))
    assert "other.cal" in scale.text
    right = rescaled(solved[2], scale)
    np.testing.assert_allclose(abs(right.values * solved[1].values), abs(g.values * b.values))


def test_antennas_that_changed_do_not_count_and_widen_the_error():
    k, b, g = healthy_set(n_antennas=20)
    odd = changed(b, np.s_[:, :4], 0.5)
    assert scale_from_set((k, b, g), (k, odd, g), 0.03, "x").factor == pytest.approx(1.0)


def test_with_too_little_in_common_there_is_none():
    k, b, g = healthy_set(n_antennas=6)
    assert scale_from_set((k, without(b, np.s_[:, :3]), g), (k, without(b, np.s_[:, 2:]), g), 0.03, "x") is None
