"""Gates: good, usable, bad, in that order, and a reason where it is not good."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.calibration.grading import Verdict
from dsa110_contimg.qa.gates import ORDER, found, judge, not_judged, worst

LIMITS = (1.0, 3.0)


@pytest.mark.parametrize(
    ("value", "verdict", "reason"),
    [
        (0.5, Verdict.GOOD, ""),
        (1.0, Verdict.GOOD, ""),
        (2.0, Verdict.USABLE, "it is 2, more than 1"),
        (3.0, Verdict.USABLE, "it is 3, more than 1"),
        (3.1, Verdict.BAD, "it is 3.1, more than 3"),
        (math.nan, Verdict.BAD, "it cannot be measured"),
        (math.inf, Verdict.BAD, "it cannot be measured"),
    ],
)
def test_judge(value: float, verdict: Verdict, reason: str) -> None:
    check = judge("it", value, "mJy", LIMITS, "it is {value}, more than {limit}")
    assert (check.verdict, check.reason) == (verdict, reason)


@given(st.floats(0, 10), st.floats(0, 10))
def test_more_is_never_better(one: float, other: float) -> None:
    less, more = (judge("it", value, "", LIMITS, "{value}").verdict for value in sorted((one, other)))
    assert less is not None
    assert more is not None
    assert ORDER.index(less) <= ORDER.index(more)


@given(st.lists(st.sampled_from(ORDER)))
def test_one_bad_check_is_enough(verdicts: list[Verdict]) -> None:
    checks = [found(str(k), verdict, "so") for k, verdict in enumerate(verdicts)]
    expected = max(verdicts, key=ORDER.index, default=Verdict.GOOD)
    assert worst([*checks, not_judged("other", "", LIMITS, "no data")]) is expected


def test_as_json() -> None:
    assert judge("it", 2.0, "mJy", LIMITS, "{value}").as_json() == {
        "name": "it", "value": 2.0, "unit": "mJy", "good": 1.0, "usable": 3.0, "verdict": "usable", "reason": "2",
    }  # fmt: skip
    assert not_judged("it", "", LIMITS, "no data").as_json()["verdict"] is None
