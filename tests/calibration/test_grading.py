"""Verdicts on sets."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.calibration.grading import LIMITS, Verdict, grade
from dsa110_contimg.calibration.measures import Judged, Measures, measure
from dsa110_contimg.calibration.residuals import Residuals
from solution_sets import changed, healthy_set, without

FINE = Measures(0.02, 80.0, 0.02, 1.0, 0.3, 0.0, 0.03, 0.5, 1.01)
ORDER = list(Verdict)


def test_there_is_a_limit_for_each_measure():
    assert set(LIMITS) == set(Measures._fields)


def test_a_healthy_set_is_good_without_reasons():
    given_grade = grade(measure(*healthy_set(), Residuals(2.62, 2.59, 0.4, 10000)))
    assert given_grade.verdict is Verdict.GOOD
    assert str(given_grade) == "good"


@pytest.mark.parametrize("name", Measures._fields)
def test_each_measure_alone_can_make_a_set_usable_or_bad_and_is_the_reason(name):
    limit = LIMITS[name]
    between, beyond = (limit.usable + limit.bad) / 2, limit.bad + 0.01 * (limit.bad - limit.usable)
    for value, verdict in [(between, Verdict.USABLE), (beyond, Verdict.BAD)]:
        found = grade(Judged(FINE._replace(**{name: value}), {}))
        assert found.verdict is verdict
        assert len(found.reasons) == 1


@given(st.sampled_from(Measures._fields), st.floats(0, 2), st.floats(0, 2))
def test_a_worse_measure_never_gets_a_better_verdict(name, a, b):
    limit = LIMITS[name]
    worse, better = (
        (limit.usable + max(a, b) * (limit.bad - limit.usable)),
        limit.usable + min(a, b) * (limit.bad - limit.usable),
    )
    found = [ORDER.index(grade(Judged(FINE._replace(**{name: v}), {})).verdict) for v in (better, worse)]
    assert found == sorted(found)


def test_what_is_not_known_does_not_count():
    assert grade(Judged(FINE._replace(closure_deg=np.nan, residual_ratio=np.nan), {})).verdict is Verdict.GOOD


def test_the_worst_reason_comes_first():
    found = grade(Judged(FINE._replace(snr=8.0, closure_deg=40.0), {}))
    assert found.verdict is Verdict.BAD
    assert "triangles" in found.reasons[0]
    assert "signal-to-noise" in found.reasons[1]


def test_a_set_of_noise_alone_is_bad():
    k, b, g = healthy_set(noise=5.0)
    assert grade(measure(k, b, g)).verdict is Verdict.BAD


def test_half_an_array_is_bad_and_three_dead_antennas_are_good():
    k, b, g = healthy_set(n_antennas=40)
    assert grade(measure(k, without(b, np.s_[:, :25]), g, working=np.arange(40))).verdict is Verdict.BAD
    assert grade(measure(k, without(b, np.s_[:, :3]), g, working=np.arange(40))).verdict is Verdict.GOOD


def test_delays_that_all_jumped_are_bad():
    k, b, g = healthy_set()
    rng = np.random.default_rng(2)
    jumped = changed(k, np.s_[:], rng.uniform(-50e-9, 50e-9, k.values.shape))
    found = grade(measure(jumped, b, g, previous_delays=k))
    assert found.verdict is Verdict.BAD
    assert "delays" in " ".join(found.reasons)


def test_a_grade_goes_into_json():
    text = json.dumps(grade(measure(*healthy_set())).as_json(), allow_nan=False)
    assert json.loads(text)["verdict"] == "good"
