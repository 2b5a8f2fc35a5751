"""What an epoch is worth: good, usable, or bad and kept apart, with the reasons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.calibration.grading import Verdict
from dsa110_contimg.qa.gates import ORDER, Check, found, judge, not_judged, worst

if TYPE_CHECKING:
    from dsa110_contimg.config.settings import EpochSettings, QualitySettings
    from dsa110_contimg.qa.epoch_figures import EpochFigures


class EpochQuality(NamedTuple):
    """The verdict on an epoch.

    Attributes
    ----------
    verdict : Verdict
        On the worst of the checks. What is measured in a bad epoch is flagged so, and adds nothing to the strip's list.
    reasons : tuple of str
        Why it is not better, the worst first.
    remarks : tuple of str
        What could not be judged, and why.
    checks : tuple of Check
        What was judged, and within which limits.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]
    checks: tuple[Check, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "remarks": list(self.remarks),
            "checks": [check.as_json() for check in self.checks],
        }

    def __str__(self) -> str:
        return self.verdict.value + (f" ({'; '.join(self.reasons)})" if self.reasons else "")


def judge_epoch(figures: EpochFigures, settings: EpochSettings, quality: QualitySettings) -> EpochQuality:
    """Judge an epoch by its noise, its flux scale, what of the list it lacks, and its astrometry.

    Parameters
    ----------
    figures : EpochFigures
        What is known of it.
    settings : EpochSettings
        The gates.
    quality : QualitySettings
        Those of the offset, as for an image.
    """
    checks = (
        _images(figures, settings),
        _noise(figures, settings),
        _missing(figures, settings),
        *_ratios(figures, settings),
        _offset(figures, settings, quality),
    )
    told = [check for check in checks if check.verdict is not None and check.reason]
    told.sort(key=lambda check: -ORDER.index(check.verdict or Verdict.GOOD))
    remarks = tuple(check.reason for check in checks if check.verdict is None)
    return EpochQuality(worst(checks), tuple(check.reason for check in told), remarks, checks)


def _images(figures: EpochFigures, settings: EpochSettings) -> Check:
    if figures.n_images < settings.least_images:
        reason = f"only {figures.n_images} images, and {settings.least_images} make an hour"
        return found("images", Verdict.USABLE, reason)
    return found("images", Verdict.GOOD, "")


def _noise(figures: EpochFigures, settings: EpochSettings) -> Check:
    return judge(
        "noise",
        1e3 * figures.rms_jy,
        "mJy/beam",
        (settings.good_rms_mjy, settings.usable_rms_mjy),
        "noise {value} mJy/beam is above {limit}",
    )


def _missing(figures: EpochFigures, settings: EpochSettings) -> Check:
    limits = (settings.good_missing, settings.usable_missing)
    if figures.n_expected < settings.least_sources:
        reason = f"only {figures.n_expected} sources of the list should stand out: what is missing is not judged"
        return not_judged("missing sources", "", limits, reason)
    many = f"{figures.n_missing} of {figures.n_expected} sources of the list that should stand out were not found"
    return judge("missing sources", figures.missing, "", limits, many)


def _ratios(figures: EpochFigures, settings: EpochSettings) -> list[Check]:
    ties = figures.ties
    compared = [("the list", figures.flux_ratio.value, figures.n_compared)]
    if ties is not None:
        compared.append((ties.reference, ties.flux_ratio, ties.n))
    return [_ratio(against, ratio, n, settings) for against, ratio, n in compared]


def _ratio(against: str, ratio: float, n_sources: int, settings: EpochSettings) -> Check:
    limits = (settings.good_flux_ratio, settings.usable_flux_ratio)
    if n_sources < settings.least_sources:
        return not_judged("flux scale", "", limits, f"flux scale: only {n_sources} sources to compare with {against}")
    off = max(ratio, 1.0 / ratio) if ratio > 0 else math.nan
    reason = f"flux scale: fluxes are {ratio:.3g} times those of {against}, {{value}} is above {{limit}}"
    return judge("flux scale", off, "", limits, reason)


def _offset(figures: EpochFigures, settings: EpochSettings, quality: QualitySettings) -> Check:
    limits = (quality.good_offset_beams, quality.usable_offset_beams)
    offset = figures.offset
    if offset.n < settings.least_sources:
        return not_judged("offset", "beams", limits, f"offset: only {offset.n} sources to compare")
    off = math.hypot(offset.east, offset.north)
    return judge(
        "offset",
        off / figures.beam_arcsec,
        "beams",
        limits,
        f"places are {off:.2g} arcsec off those of the list, {{value}} beams is above {{limit}}",
    )
