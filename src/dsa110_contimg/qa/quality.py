"""What an image is worth: its noise and what that is made of, its beam, its sources, its ties, and a verdict."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.calibration.grading import Verdict
from dsa110_contimg.config.plain import plain
from dsa110_contimg.naming import image_record_name, quality_name
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.qa.directories import read_facts, read_planes
from dsa110_contimg.qa.gates import ORDER, Check, found, judge, not_judged, worst
from dsa110_contimg.qa.holes import Holes, count_holes
from dsa110_contimg.qa.noise_parts import NoiseParts, confusion_jy, take_apart
from dsa110_contimg.qa.stripes import Stripes, measure_stripes
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import QualitySettings
    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.photometry.sources import Sources
    from dsa110_contimg.photometry.ties import Ties
    from dsa110_contimg.qa.directories import Planes

FORMAT = 1
"""Of the JSON."""

# Where the primary beam is more than this, the noise of an image is judged.
_MIDDLE = 0.5
# ... and where it is more than this, sources are looked for.
_SEARCHED = 0.1
# Beyond these something is worth a remark.
_SUN_DEG, _BRIGHT_DEG = 15.0, 3.0
_FRINGE_SIGMA, _FRINGE_OF_NOISE = 8.0, 0.2
_ANISOTROPY = 2.0
_UNEVEN = 2.0
_NEGATIVE = -8.0


class Quality(NamedTuple):
    """Figures of an image, and what they are worth.

    Attributes
    ----------
    verdict : Verdict
        On the worst of the checks.
    reasons : tuple of str
        Why it is not better, the worst first.
    remarks : tuple of str
        What else to know; nothing of it is judged.
    checks : tuple of Check
        What was judged, and within which limits.
    noise : NoiseParts
        Where the primary beam is more than half [Jy/beam].
    figures : dict
        Everything else, as JSON says it: ``noise_map``, ``peak``, ``holes``, ``beam``, ``sources``,
        ``stripes``, ``ties``, ``surroundings``.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]
    checks: tuple[Check, ...]
    noise: NoiseParts
    figures: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON; it is what `report.write_report` takes as ``quality``."""
        return {
            "format": FORMAT,
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "remarks": list(self.remarks),
            "checks": [check.as_json() for check in self.checks],
            "noise": self.noise.as_json(),
            **self.figures,
        }

    def __str__(self) -> str:
        return self.verdict.value + (f" ({'; '.join(self.reasons)})" if self.reasons else "")


class Figures(NamedTuple):
    """What the images themselves say, before it is known what was found in them.

    Attributes
    ----------
    header : ImageHeader
        Of the image.
    empty, diverged : bool
        Whether there is nothing in the image; whether the deconvolution diverged.
    noise, stripes, holes
        As `take_apart`, `measure_stripes` and `count_holes` say.
    noise_map, peak, surroundings : mapping
        As in `Quality.figures`.
    """

    header: ImageHeader
    empty: bool
    diverged: bool
    noise: NoiseParts
    stripes: Stripes | None
    holes: Holes
    noise_map: Mapping[str, Any]
    peak: Mapping[str, Any]
    surroundings: Mapping[str, Any] | None


def measure_images(directory: Path, stem: str) -> Figures:
    """Measure the images in a directory, which takes most of the time of `judge_images`; its errors.

    Parameters
    ----------
    directory, stem
        Where `imaging.products.write_images` wrote them; thermal noise and surroundings are in its JSON file.
    """
    planes, header = read_planes(directory, stem)
    record = read_facts(directory / image_record_name(stem))
    return measure_planes(
        planes,
        header,
        thermal_jy=record.get("thermal_jy"),
        surroundings=record.get("surroundings"),
        diverged=bool(record.get("diverged")),
    )


def judge_images(
    directory: Path,
    stem: str,
    settings: QualitySettings,
    *,
    sources: Sources | None = None,
    ties: Ties | None = None,
    figures: Figures | None = None,
) -> Quality:
    """Measure and judge the images in a directory, and leave the figures beside them (`naming.quality_name`).

    Parameters
    ----------
    directory, stem
        Where `imaging.products.write_images` wrote them; thermal noise and surroundings are in its JSON file.
    settings : QualitySettings
        The gates.
    sources : Sources, optional
        What was found in the image.
    ties : Ties, optional
        How it compares with a reference catalogue.
    figures : Figures, optional
        What `measure_images` said of them, if that was done before.

    Raises
    ------
    UnreadableFileError
        Image, residual or noise are not there.
    OutputError
        The figures cannot be written.
    """
    quality = _judge(figures or measure_images(directory, stem), settings, sources=sources, ties=ties)
    path = directory / quality_name(stem)
    with output_errors(path):
        path.write_text(json.dumps(plain(quality.as_json()), indent=1) + "\n")
    return quality


def measure_quality(
    planes: Planes,
    header: ImageHeader,
    settings: QualitySettings,
    *,
    thermal_jy: float | None = None,
    sources: Sources | None = None,
    ties: Ties | None = None,
    surroundings: Mapping[str, Any] | None = None,
    diverged: bool = False,
) -> Quality:
    """Measure and judge an image.

    Parameters
    ----------
    planes : Planes
        The image, residual, noise, and if there are primary beam and PSF.
    header : ImageHeader
        Of the image.
    settings : QualitySettings
        The gates.
    thermal_jy : float, optional
        Noise that the weights of the visibilities tell [Jy/beam].
    sources : Sources, optional
        What was found in it.
    ties : Ties, optional
        How it compares with a reference catalogue.
    surroundings : mapping, optional
        As `imaging.surroundings.surroundings` says.
    diverged : bool
        Whether the deconvolution did; what was before is what the image is made of.
    """
    figures = measure_planes(planes, header, thermal_jy=thermal_jy, surroundings=surroundings, diverged=diverged)
    return _judge(figures, settings, sources=sources, ties=ties)


def measure_planes(
    planes: Planes,
    header: ImageHeader,
    *,
    thermal_jy: float | None = None,
    surroundings: Mapping[str, Any] | None = None,
    diverged: bool = False,
) -> Figures:
    """Measure an image; parameters as of `measure_quality`."""
    middle = _middle(planes)
    noise_map = _noise_map(planes.rms, middle)
    noise = take_apart(
        noise_map["rms_jy"], thermal_jy, confusion_jy(header.beam, header.freq_hz) * _level(planes.pb, middle)
    )
    searched = np.ones(planes.image.shape, bool) if planes.pb is None else planes.pb > _SEARCHED
    return Figures(
        header=header,
        empty=not np.isfinite(planes.image).any() or not np.nan_to_num(planes.image).any(),
        diverged=diverged,
        noise=noise,
        stripes=measure_stripes(planes.residual, header.cell_deg, planes.psf),
        holes=count_holes(planes.image, planes.rms, searched, header.beam.major_deg / header.cell_deg),
        noise_map=noise_map,
        peak=_peak(planes, noise.rms_jy),
        surroundings=surroundings,
    )


def _judge(figures: Figures, settings: QualitySettings, *, sources: Sources | None, ties: Ties | None) -> Quality:
    applied = sources is not None and "ties" in sources.meta
    header, noise, stripes = figures.header, figures.noise, figures.stripes
    checks = (
        *_image_checks(figures),
        _noise_check(noise, settings),
        *_hole_checks(figures.holes, settings),
        *_tie_checks(ties, header, settings, applied=applied),
    )
    judged = sorted(
        (check for check in checks if check.verdict not in {None, Verdict.GOOD}),
        key=lambda check: -ORDER.index(check.verdict or Verdict.GOOD),
    )
    return Quality(
        verdict=worst(checks),
        reasons=tuple(check.reason for check in judged),
        remarks=(
            *(check.reason for check in checks if check.verdict is None),
            *(["offset and flux scale were taken off the catalogue"] if applied else []),
            *_remarks(figures),
        ),
        checks=checks,
        noise=noise,
        figures={
            "noise_map": figures.noise_map,
            "stripes": None if stripes is None else stripes.as_json(),
            "peak": figures.peak,
            "holes": figures.holes.as_json(),
            "beam": _beam(header),
            "sources": None if sources is None else _sources(sources),
            "ties": None if ties is None else ties.as_json() | {"applied": applied},
            "surroundings": None if figures.surroundings is None else dict(figures.surroundings),
        },
    )


def _middle(planes: Planes) -> NDArray[np.bool_]:
    """Where the primary beam is more than half of its maximum and the image has values; everywhere if unknown."""
    there = np.isfinite(planes.rms) & (planes.rms > 0.0)
    if planes.pb is None or not np.nanmax(planes.pb) > 0.0:
        return there
    return np.asarray(there & (planes.pb > _MIDDLE * np.nanmax(planes.pb)))


def _level(pb: NDArray[np.float32] | None, middle: NDArray[np.bool_]) -> float:
    """Root mean square of the primary beam there: confusion is seen through it."""
    if pb is None or not middle.any():
        return 1.0
    return float(np.sqrt(np.mean(np.square(pb[middle], dtype=np.float64))))


def _noise_map(rms: NDArray[np.float32], middle: NDArray[np.bool_]) -> dict[str, Any]:
    """Say how large the noise is in the middle and how it varies [Jy/beam]; the quarters are those of the sky."""
    if not middle.any():
        return dict.fromkeys(("rms_jy", "least_jy", "most_jy"), float("nan")) | {"quarters_jy": {}, "unevenness": None}
    low, usual, high = (float(value) for value in np.percentile(rms[middle], (5, 50, 95)))
    rows, columns = (size // 2 for size in rms.shape)
    parts = {
        "north-east": np.s_[rows:, :columns],
        "north-west": np.s_[rows:, columns:],
        "south-east": np.s_[:rows, :columns],
        "south-west": np.s_[:rows, columns:],
    }
    quarters = {name: float(np.median(rms[at][middle[at]])) for name, at in parts.items() if middle[at].any()}
    return {
        "rms_jy": usual,
        "least_jy": low,
        "most_jy": high,
        "quarters_jy": quarters,
        "unevenness": max(quarters.values()) / min(quarters.values()),
    }


def _peak(planes: Planes, rms_jy: float) -> dict[str, Any]:
    """Say how bright and how deep it is."""
    finite = np.isfinite(planes.image)
    if not finite.any():
        return {"image_jy": None, "least_jy": None, "least_sigma": None, "residual_jy": None, "dynamic_range": None}
    image = np.where(finite, planes.image, 0.0)
    low, high = float(image.min()), float(image.max())
    significance = np.divide(image, planes.rms, out=np.zeros_like(image), where=planes.rms > 0.0)
    residual = float(np.nanmax(np.abs(planes.residual)))
    return {
        "image_jy": high,
        "least_jy": low,
        "least_sigma": float(significance.min()),
        "residual_jy": residual,
        "dynamic_range": high / rms_jy if rms_jy > 0.0 else None,
    }


def _beam(header: ImageHeader) -> dict[str, float]:
    beam = header.beam
    area = np.pi / (4.0 * np.log(2.0)) * beam.major_deg * beam.minor_deg / header.cell_deg**2
    return {
        "major_arcsec": 3600.0 * beam.major_deg,
        "minor_arcsec": 3600.0 * beam.minor_deg,
        "pa_deg": beam.pa_deg,
        "area_pixels": float(area),
    }


def _sources(sources: Sources) -> dict[str, Any]:
    flux, apparent = values(sources, "flux"), values(sources, "apparent")
    brightest = int(np.argmax(apparent)) if len(sources) else None
    return {
        "number": len(sources),
        "resolved": int(np.count_nonzero(values(sources, "resolved"))),
        "flux_jy": float(flux.sum()),
        "apparent_jy": float(apparent.sum()),
        "brightest": None if brightest is None else str(sources["name"][brightest]),
        "brightest_jy": None if brightest is None else float(flux[brightest]),
        "faintest_jy": float(flux.min()) if len(sources) else None,
    }


def _image_checks(figures: Figures) -> list[Check]:
    checks = []
    if figures.empty:
        checks.append(found("pixels", Verdict.BAD, "there is nothing in the image"))
    if figures.diverged:
        checks.append(found("deconvolution", Verdict.USABLE, "the deconvolution diverged and was stopped early"))
    return checks


def _noise_check(noise: NoiseParts, settings: QualitySettings) -> Check:
    limits = (settings.good_rms_mjy, settings.usable_rms_mjy)
    said = "the noise is {value} mJy/beam, more than {limit}"
    why = {
        "dynamic range": ", most of it sidelobes and errors of calibration",
        "thermal": ", most of it thermal: little data, or bad receivers",
        "confusion": ", most of it confusion: a large beam",
    }
    return judge("noise", 1e3 * noise.rms_jy, "mJy/beam", limits, said + why.get(noise.largest or "", ""))


def _hole_checks(holes: Holes, settings: QualitySettings) -> list[Check]:
    """Judge how many of the sources may be sidelobes; the bright ones are usable whatever the faint ones are."""
    if holes.ratio is None:
        return []
    said = (
        f"{holes.number} negative peaks beyond 5 times the noise, for {holes.peaks} positive ones: "
        "faint sources may be sidelobes"
    )
    return [judge("negative peaks", holes.ratio, "", (settings.good_holes, math.inf), said)]


def _tie_checks(ties: Ties | None, header: ImageHeader, settings: QualitySettings, *, applied: bool) -> list[Check]:
    """Judge offset and flux scale against a reference catalogue; what was taken off only has to be usable."""
    offsets = (settings.good_offset_beams, settings.usable_offset_beams)
    ratios = (settings.good_flux_ratio, settings.usable_flux_ratio)
    if ties is None:
        return [not_judged("offset", "beams", offsets, "not compared with a reference catalogue")]
    if ties.n < settings.least_matches:
        n = ties.n
        few = "no source matches" if n == 0 else f"only {n} source{'s match' if n > 1 else ' matches'}"
        return [not_judged("offset", "beams", offsets, f"{few} {ties.reference}: offset and flux scale are not judged")]
    if applied:
        offsets, ratios = (offsets[1], offsets[1]), (ratios[1], ratios[1])
    offset_arcsec = math.hypot(ties.d_ra_arcsec, ties.d_dec_arcsec)
    ratio = ties.flux_ratio
    factor = max(ratio, 1.0 / ratio) if ratio > 0.0 else math.inf
    return [
        judge(
            "offset",
            offset_arcsec / (3600.0 * header.beam.major_deg),
            "beams",
            offsets,
            f"positions are off by {offset_arcsec:.2g} arcsec, {{value}} of the beam (more than {{limit}})",
        ),
        judge(
            "flux scale",
            factor,
            "",
            ratios,
            f"fluxes are {ratio:.3g} times those of {ties.reference} (more than a factor {{limit}} off)",
        ),
    ]


def _remarks(figures: Figures) -> list[str]:
    """Say what else an astronomer wants to know before using the image."""
    noise, noise_map, stripes, peak = figures.noise, figures.noise_map, figures.stripes, figures.peak
    said = []
    if noise.largest == "dynamic range" and noise.thermal_jy:
        said.append(f"the noise is {noise.rms_jy / noise.thermal_jy:.1f} times thermal: limited by dynamic range")
    uneven = noise_map["unevenness"]
    if uneven is not None and uneven > _UNEVEN:
        quarters = noise_map["quarters_jy"]
        said.append(f"the noise is uneven: {uneven:.1f} times more in the {max(quarters, key=quarters.get)}")
    if stripes is not None and stripes.anisotropy > _ANISOTROPY:
        said.append(f"the noise has a direction: stripes along PA {stripes.pa_deg:.0f} deg")
    strong = stripes is not None and stripes.fringe_jy > _FRINGE_OF_NOISE * noise.rms_jy
    if stripes is not None and strong and stripes.fringe_sigma > _FRINGE_SIGMA:
        said.append(
            f"a fringe of {1e3 * stripes.fringe_jy:.2g} mJy/beam runs along PA {stripes.fringe_pa_deg:.0f} deg, "
            f"{stripes.fringe_arcsec:.0f} arcsec from crest to crest: a bad baseline?"
        )
    if peak["least_sigma"] is not None and peak["least_sigma"] < _NEGATIVE:
        said.append(f"there are negative holes down to {peak['least_sigma']:.0f} times the noise")
    return said + _near(figures.surroundings or {})


def _near(surroundings: Mapping[str, Any]) -> list[str]:
    """Name what is bright and near."""
    said = []
    sun = surroundings.get("sun")
    if sun is not None and sun["distance_deg"] < _SUN_DEG and sun["elevation_deg"] > 0.0:
        said.append(f"the Sun is {sun['distance_deg']:.1f} deg away")
    for name, figures in surroundings.get("bright_sources", {}).items():
        if figures["distance_deg"] < _BRIGHT_DEG:
            said.append(f"{name} is {figures['distance_deg']:.1f} deg away")
    return said
