"""The verdict on an epoch, and why."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import EpochSettings, QualitySettings
from dsa110_contimg.photometry.association import Offset
from dsa110_contimg.photometry.ties import Estimate, Ties
from dsa110_contimg.qa.epoch_figures import EpochFigures
from dsa110_contimg.qa.epoch_gates import judge_epoch

NAN = float("nan")
FINE = EpochFigures(
    n_images=12, n_left_out=0, rms_jy=1e-3, predicted_rms_jy=0.9e-3, flux_ratio=Estimate(1.02, 0.01, 0.03),
    n_compared=40, n_expected=50, n_missing=1, offset=Offset(1.0, -0.5, 0.1, 0.1, 0.0, 40), beam_arcsec=64.0, ties=None,
)  # fmt: skip


def tied(ratio, n=20):
    return Ties(n, 0.0, 0.0, ratio, 0.1, 0.1, 0.01, 1.0, 1.0, 0.05, 30, "nvss", 32.0)


def judged(**changes):
    return judge_epoch(FINE._replace(**changes), EpochSettings(), QualitySettings())


def test_an_hour_as_it_should_be():
    quality = judged()
    assert (str(quality), quality.reasons, quality.remarks) == ("good", (), ())
    assert quality.as_json()["checks"][1]["value"] == pytest.approx(1.0)
    assert str(judged(ties=tied(0.95))) == "good"


@pytest.mark.parametrize(
    ("changes", "verdict", "why"),
    [
        ({"n_images": 4}, "usable", "only 4 images, and 6 make an hour"),
        ({"rms_jy": 5e-3}, "usable", "noise 5 mJy/beam is above 3"),
        ({"rms_jy": 50e-3}, "bad", "noise 50 mJy/beam is above 20"),
        ({"rms_jy": NAN}, "bad", "noise cannot be measured"),
        ({"n_missing": 10}, "usable", "10 of 50 sources of the list that should stand out were not found"),
        ({"n_missing": 30}, "bad", "30 of 50 sources"),
        ({"flux_ratio": Estimate(1.2, 0.01, 0.1)}, "usable", "flux scale: fluxes are 1.2 times those of the list"),
        ({"flux_ratio": Estimate(0.6, 0.01, 0.1)}, "bad", "1.67 is above 1.3"),
        ({"flux_ratio": Estimate(NAN, NAN, NAN)}, "bad", "flux scale cannot be measured"),
        ({"ties": tied(0.7)}, "bad", "flux scale: fluxes are 0.7 times those of nvss"),
        ({"offset": FINE.offset._replace(east=10.0)}, "usable", "places are 10 arcsec off those of the list"),
        ({"offset": FINE.offset._replace(north=-40.0)}, "bad", "beams is above 0.5"),
    ],
)
def test_what_is_wrong_is_said(changes, verdict, why):
    quality = judged(**changes)
    assert quality.verdict == verdict
    assert why in quality.reasons[0]
    assert verdict in str(quality)


def test_the_worst_is_said_first():
    quality = judged(n_images=4, rms_jy=50e-3, n_missing=10)
    assert [("images" in reason, "noise" in reason) for reason in quality.reasons[:1]] == [(False, True)]
    assert len(quality.reasons) == 3


def test_what_cannot_be_judged_is_remarked_and_does_not_count():
    first = judged(n_expected=0, n_missing=0, n_compared=0, offset=Offset(), ties=tied(np.nan, n=0))
    assert first.verdict == "good"
    assert len(first.remarks) == 4
    assert any("what is missing is not judged" in remark for remark in first.remarks)
    assert np.isnan(FINE._replace(n_expected=0).missing)
