"""What an image is worth: measured where it matters, judged by the gates, and said in sentences."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.calibration.grading import Verdict
from dsa110_contimg.config.settings import QualitySettings
from dsa110_contimg.naming import quality_name
from dsa110_contimg.photometry.ties import Ties
from dsa110_contimg.qa.quality import judge_images, measure_images, measure_quality
from judged_images import RMS_JY, STEM, make_planes, write_made

GATES = QualitySettings()
MADE = make_planes()
FAR_SUN = {"sun": {"distance_deg": 90.0, "elevation_deg": 20.0}, "bright_sources": {}}


def ties_of(n: int = 40, east_arcsec: float = 0.0, ratio: float = 1.0) -> Ties:
    return Ties(n, east_arcsec, 0.0, ratio, 0.2, 0.2, 0.01, 1.0, 1.0, 0.1, n, "NVSS", 32.0)


def test_a_good_image() -> None:
    quality = measure_quality(
        MADE.planes, MADE.header, GATES, thermal_jy=0.9 * RMS_JY, sources=MADE.sources, ties=ties_of(),
        surroundings=FAR_SUN,
    )  # fmt: skip
    assert quality.verdict is Verdict.GOOD
    assert quality.reasons == ()
    assert quality.remarks == ()
    assert quality.noise.rms_jy == pytest.approx(RMS_JY)
    assert quality.figures["sources"]["number"] == len(MADE.sources)
    assert quality.figures["beam"]["major_arcsec"] == pytest.approx(64)
    assert str(quality) == "good"


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 100.0))
def test_the_noise_is_judged(rms_mjy: float) -> None:
    factor = np.float32(rms_mjy / 1e3 / RMS_JY)
    planes = MADE.planes._replace(
        **{name: factor * getattr(MADE.planes, name) for name in ("image", "residual", "rms")}, psf=None
    )
    quality = measure_quality(planes, MADE.header, GATES, thermal_jy=1e-5)
    expected = Verdict.GOOD if rms_mjy <= 5 else Verdict.USABLE if rms_mjy <= 30 else Verdict.BAD
    if abs(rms_mjy - 5) > 1e-3 and abs(rms_mjy - 30) > 1e-3:
        assert quality.verdict is expected
    assert bool(quality.reasons) == (quality.verdict is not Verdict.GOOD)


def test_the_noise_counts_where_the_beam_is() -> None:
    """A bad rim, where the beam is low, does not spoil the middle."""
    rms = np.where(MADE.planes.pb > 0.5, 1e-3, 1.0).astype(np.float32)
    quality = measure_quality(MADE.planes._replace(rms=rms), MADE.header, GATES)
    assert quality.noise.rms_jy == pytest.approx(1e-3)


def test_quarters_are_those_of_the_sky() -> None:
    """East is to the left, north above."""
    rms = MADE.planes.rms.copy()
    rms[128:, :128] *= 5
    quality = measure_quality(MADE.planes._replace(rms=rms), MADE.header, GATES)
    assert quality.figures["noise_map"]["unevenness"] == pytest.approx(5)
    assert any("5.0 times more in the north-east" in remark for remark in quality.remarks)


@pytest.mark.parametrize(
    ("ties", "verdict", "said"),
    [
        (ties_of(east_arcsec=5.0), Verdict.GOOD, ""),
        (ties_of(east_arcsec=16.0), Verdict.USABLE, "off by 16 arcsec, 0.25 of the beam"),
        (ties_of(east_arcsec=40.0), Verdict.BAD, "0.625 of the beam (more than 0.5)"),
        (ties_of(ratio=1.2), Verdict.USABLE, "fluxes are 1.2 times those of NVSS"),
        (ties_of(ratio=0.6), Verdict.BAD, "fluxes are 0.6 times those of NVSS"),
    ],
)
def test_ties_are_judged(ties: Ties, verdict: Verdict, said: str) -> None:
    quality = measure_quality(MADE.planes, MADE.header, GATES, ties=ties)
    assert quality.verdict is verdict
    assert said in " ".join(quality.reasons)


def test_ties_that_were_applied_have_to_be_usable() -> None:
    tied = MADE.sources.copy()
    tied.meta["ties"] = {}
    quality = measure_quality(MADE.planes, MADE.header, GATES, sources=tied, ties=ties_of(east_arcsec=16.0))
    assert quality.verdict is Verdict.GOOD
    assert "offset and flux scale were taken off the catalogue" in quality.remarks
    worse = measure_quality(MADE.planes, MADE.header, GATES, sources=tied, ties=ties_of(east_arcsec=40.0))
    assert worse.verdict is Verdict.BAD


@pytest.mark.parametrize(
    ("n", "said"), [(0, "no source matches NVSS"), (1, "only 1 source matches"), (4, "only 4 sources match")]
)
def test_few_matches_are_not_judged(n: int, said: str) -> None:
    quality = measure_quality(MADE.planes, MADE.header, GATES, ties=ties_of(n, east_arcsec=np.nan, ratio=np.nan))
    assert quality.verdict is Verdict.GOOD
    assert any(said in remark for remark in quality.remarks)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_empty_image_is_bad(value: float) -> None:
    empty = MADE.planes._replace(
        **{name: np.full_like(MADE.planes.image, value) for name in ("image", "residual", "rms")}
    )
    quality = measure_quality(empty, MADE.header, GATES)
    assert quality.verdict is Verdict.BAD
    assert "there is nothing in the image" in quality.reasons
    json.dumps(quality.as_json())


def test_a_divergence_is_not_good() -> None:
    quality = measure_quality(MADE.planes, MADE.header, GATES, diverged=True)
    assert quality.verdict is Verdict.USABLE
    assert "diverged" in quality.reasons[0]


def test_the_worst_reason_is_first() -> None:
    rms = np.full_like(MADE.planes.rms, 10e-3)
    quality = measure_quality(MADE.planes._replace(rms=rms), MADE.header, GATES, ties=ties_of(ratio=2.0))
    assert [word in reason for word, reason in zip(("fluxes", "noise"), quality.reasons, strict=True)] == [True, True]


def test_negative_peaks_are_not_good() -> None:
    """Whatever the noise: faint sources beside as many holes may be sidelobes, bright ones are usable."""
    image = MADE.planes.image.copy()
    image[100:160:6, 100:160:6] = -0.03
    quality = measure_quality(MADE.planes._replace(image=image), MADE.header, GATES)
    assert quality.verdict is Verdict.USABLE
    assert quality.reasons[0].startswith("100 negative peaks")
    json.dumps(quality.as_json(), allow_nan=False)


def test_remarks() -> None:
    near = {
        "sun": {"distance_deg": 8.0, "elevation_deg": 30.0},
        "bright_sources": {"Cas A": {"distance_deg": 2.5, "elevation_deg": 60.0}},
    }
    image = MADE.planes.image.copy()
    image[100, 100] = -50 * RMS_JY
    rows = np.arange(256)[:, None] * np.ones((1, 256))
    residual = MADE.planes.residual + 5e-3 * np.cos(2 * np.pi * rows / 16).astype(np.float32)
    planes = MADE.planes._replace(image=image, residual=residual)
    said = " / ".join(measure_quality(planes, MADE.header, GATES, thermal_jy=1e-4, surroundings=near).remarks)
    for part in (
        "not compared with a reference", "20.0 times thermal", "the noise has a direction", "a fringe of 5 mJy/beam",
        "holes down to -50 times", "the Sun is 8.0 deg away", "Cas A is 2.5 deg away",
    ):  # fmt: skip
        assert part in said


def test_judge_images(tmp_path) -> None:
    write_made(MADE, tmp_path, surroundings=FAR_SUN, diverged=True)
    quality = judge_images(tmp_path, STEM, GATES, sources=MADE.sources)
    kept = json.loads((tmp_path / quality_name(STEM)).read_text())
    assert kept["verdict"] == quality.verdict.value == "usable"
    assert kept["noise"]["thermal_jy"] == 0.5 * RMS_JY
    assert kept["surroundings"] == FAR_SUN
    assert kept["sources"]["brightest"] == quality.figures["sources"]["brightest"]


def test_what_was_measured_before_is_judged_the_same(tmp_path) -> None:
    write_made(MADE, tmp_path, surroundings=FAR_SUN)
    figures = measure_images(tmp_path, STEM)
    before = judge_images(tmp_path, STEM, GATES, sources=MADE.sources, ties=ties_of(), figures=figures)
    assert before == judge_images(tmp_path, STEM, GATES, sources=MADE.sources, ties=ties_of())


def test_without_sources(tmp_path) -> None:
    none = MADE.sources[:0]
    quality = measure_quality(MADE.planes, MADE.header, GATES, sources=none)
    assert quality.figures["sources"]["brightest"] is None
