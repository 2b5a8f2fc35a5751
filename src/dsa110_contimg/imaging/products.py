"""What imaging leaves: FITS images, and the figures of the run as JSON."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from dsa110_contimg.config.plain import plain
from dsa110_contimg.images.fits import Card, ImageHeader, write_plane
from dsa110_contimg.imaging.noise import rms_map
from dsa110_contimg.naming import ImageKind, image_file_name, image_record_name
from dsa110_contimg.storage.files import output_errors
from dsa110_contimg.telescope.beams import lasting_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.images.fits import RestoringBeam
    from dsa110_contimg.imaging.cycle import Imaged

FORMAT: Final = 1
_PACKAGES = ("dsa110-contimg", "ducc0", "radler", "numpy", "scipy", "astropy", "python-casacore")


class Provenance(NamedTuple):
    """Where an image comes from.

    Attributes
    ----------
    group : str
        Group id.
    ms : str
        The Measurement Set that was imaged.
    calibration : mapping, optional
        What ``contimg.json`` of a calibrated Measurement Set says of its calibration: ``sets``, ``rung``, ``stale``,
        ``why``, ``scale_error``, ``tie``. Not given: it is as it was found.
    command : str
        What was called.
    target : str
        Name of the field.
    """

    group: str
    ms: str
    calibration: Mapping[str, Any] | None = None
    command: str = ""
    target: str = ""


def write_images(
    imaged: Imaged,
    directory: Path,
    stem: str,
    provenance: Provenance,
    settings: ImageSettings,
    *,
    kinds: Collection[str] | None = None,
    difference: NDArray[np.float32] | None = None,
    figures: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Write an image and all that belongs to it, into a directory that is published as a whole.

    Parameters
    ----------
    imaged : Imaged
        What was made.
    directory : Path
        It is there already; files of the same names are replaced.
    stem : str
        Begins all names (`naming.image_stem`).
    provenance : Provenance
        Where it comes from.
    settings : ImageSettings
        How it was made; beyond its `edge` the corrected image is blank.
    kinds : collection of str, optional
        Images to write, of those below; not given: all of them.
    difference : (N, N) float32, optional
        Dirty image of (XX - YY)/2 [Jy/beam].
    figures : mapping, optional
        More for the JSON file: how samples were averaged, what was subtracted.

    Returns
    -------
    dict of str to Path
        By kind: ``image``, ``pbcor``, ``pb``, ``residual``, ``model``, ``psf``, ``rms``, perhaps ``difference``; those
        of sub-bands are ``image-0000`` and so on; ``record`` is the JSON file.

    Raises
    ------
    OutputError
        Something cannot be written.
    """
    noise = rms_map(imaged.residual, beam_pixels(imaged.beam, imaged.grid.cell_rad))
    planes: dict[str, NDArray[np.float32]] = {
        "image": imaged.image,
        "pbcor": correct(imaged.image, imaged.pb, settings.edge),
        "pb": imaged.pb,
        "residual": imaged.residual,
        "model": imaged.model,
        "psf": imaged.psf,
        "rms": noise,
    }
    if difference is not None:
        planes["difference"] = difference
    header = image_header(imaged, provenance, settings)
    lines = history(imaged, provenance, settings)
    written: dict[str, Path] = {}
    for kind, pixels in planes.items():
        if kinds is not None and kind not in kinds:
            continue
        written[kind] = directory / image_file_name(stem, kind)
        write_plane(written[kind], pixels, _of_kind(header, kind), lines)
    for number, band in enumerate(imaged.bands):
        part = header._replace(freq_hz=band.freq_hz, bandwidth_hz=band.bandwidth_hz, beam=band.beam)
        for kind in ("image", "residual", "model", "psf"):
            if kind not in written:
                continue
            path = directory / image_file_name(stem, kind, number)
            write_plane(path, getattr(band, kind), _of_kind(part, kind), lines)
            written[f"{kind}-{number:04d}"] = path
    record = run_figures(imaged, noise, provenance, settings) | dict(figures or {})
    record["files"] = {kind: path.name for kind, path in written.items()}
    written["record"] = directory / image_record_name(stem)
    with output_errors(written["record"]):
        written["record"].write_text(json.dumps(plain(record), indent=1) + "\n")
    return written


def correct(image: NDArray[np.float32], pb: NDArray[np.float32], edge: float) -> NDArray[np.float32]:
    """Divide by the primary beam; NaN where it is below `edge`, or nothing at all."""
    seen = (pb >= edge) & (pb > 0.0)
    return np.divide(image, pb, out=np.full_like(image, np.nan), where=seen)


def beam_pixels(beam: RestoringBeam, cell_rad: float) -> float:
    """Width of a beam at half maximum: the geometric mean of its axes [pixels]."""
    return float(np.radians(np.sqrt(beam.major_deg * beam.minor_deg)) / cell_rad)


def image_header(imaged: Imaged, provenance: Provenance, settings: ImageSettings) -> ImageHeader:
    """Say in FITS cards what an image is, and where it comes from."""
    seen = imaged.observation
    return ImageHeader(
        seen.ra_deg,
        seen.dec_deg,
        float(np.degrees(imaged.grid.cell_rad)),
        imaged.freq_hz,
        imaged.bandwidth_hz,
        seen.start_mjd,
        seen.middle_mjd,
        seen.end_mjd,
        imaged.beam,
        seen.telescope,
        target=provenance.target or provenance.group,
        exposure_s=float(seen.times_mjd.size * seen.interval_s),
        cards=(*_origin_cards(provenance), *_making_cards(imaged, settings)),
    )


def history(imaged: Imaged, provenance: Provenance, settings: ImageSettings) -> tuple[str, ...]:
    """Say in lines of HISTORY where an image comes from, and how it was made."""
    calibration = provenance.calibration
    lines = [
        f"group {provenance.group}",
        f"imaged {provenance.ms}",
        "not calibrated here" if calibration is None else f"calibrated by {calibration.get('why', 'unnamed sets')}",
        *(f"calibration set {name}" for name in (calibration or {}).get("sets", ())),
        f"versions: {', '.join(f'{name} {number}' for name, number in versions().items())}",
        f"settings: {json.dumps(plain(settings))}",
        f"direction cosines magnified by the aberration {imaged.grid.magnification:.8f}: pixels are ICRS",
    ]
    return (*lines, f"command: {provenance.command}") if provenance.command else tuple(lines)


def run_figures(
    imaged: Imaged, noise: NDArray[np.float32], provenance: Provenance, settings: ImageSettings
) -> dict[str, Any]:
    """Collect what there is to say of an imaging run, in numbers.

    Parameters
    ----------
    imaged : Imaged
        What was made.
    noise : (N, N) float32
        Local noise of its residual [Jy/beam].
    provenance : Provenance
        Where it comes from.
    settings : ImageSettings
        How it was made.
    """
    seen, grid = imaged.observation, imaged.grid
    middle = noise[imaged.pb >= 0.5 * imaged.pb.max()]
    rms_jy = float(np.median(middle)) if middle.size else float(np.median(noise))
    peak_jy = float(imaged.image.max())
    return {
        "format": FORMAT,
        "provenance": provenance,
        "phase_centre_deg": (seen.ra_deg, seen.dec_deg),
        "start_mjd": seen.start_mjd,
        "end_mjd": seen.end_mjd,
        "integrations": seen.times_mjd.size,
        "antennas": len(seen.working),
        "freq_hz": imaged.freq_hz,
        "bandwidth_hz": imaged.bandwidth_hz,
        "pixels": grid.n_pixels,
        "cell_arcsec": float(np.degrees(grid.cell_rad) * 3600.0),
        "magnification": grid.magnification,
        "beam": {
            "major_arcsec": imaged.beam.major_deg * 3600.0,
            "minor_arcsec": imaged.beam.minor_deg * 3600.0,
            "pa_deg": imaged.beam.pa_deg,
        },
        "thermal_jy": imaged.thermal_jy,
        "rms_jy": rms_jy,
        "peak_jy": peak_jy,
        "dynamic_range": peak_jy / rms_jy if rms_jy > 0.0 else None,
        "residual_jy": (float(imaged.residual.min()), float(imaged.residual.max())),
        "model_jy": float(imaged.model.sum(dtype=np.float64)),
        "visibilities": imaged.n_visibilities,
        "sum_weights": imaged.sum_weights,
        "weighting": imaged.weighting,
        "cycles": imaged.cycles,
        "diverged": imaged.diverged,
        "settings": settings,
        "versions": versions(),
        "seconds": imaged.seconds,
    }


def versions() -> dict[str, str]:
    """Return the versions of what images are made with."""
    found = ((name, _version_of(name)) for name in _PACKAGES)
    return {name: number for name, number in found if number is not None}


@cache
def _version_of(package: str) -> str | None:
    """Look up the version that is installed, once: it is in a file, and each image says it several times."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _of_kind(header: ImageHeader, kind: str) -> ImageHeader:
    if kind == ImageKind.PB:
        return header._replace(unit="", quantity="PrimaryBeam")
    if kind == ImageKind.MODEL:
        return header._replace(unit="JY/PIXEL")
    return header


def _origin_cards(provenance: Provenance) -> tuple[Card, ...]:
    calibration = provenance.calibration or {}
    cards = [
        Card("GROUP", provenance.group, "group id"),
        *(Card(f"CALSET{k}", name, "calibration set") for k, name in enumerate(calibration.get("sets", ()), start=1)),
        Card("CONTIMGV", versions().get("dsa110-contimg", "not installed"), "version of dsa110-contimg"),
    ]
    for key, name, comment in (
        ("CALRUNG", "rung", "how well the calibration fits in time"),
        ("CALSTALE", "stale", "whether it is older than it should be"),
        ("CALERR", "scale_error", "relative error of the flux scale"),
    ):
        value = calibration.get(name)
        if value is not None:
            cards.append(Card(key, value, comment))
    return tuple(cards)


def _making_cards(imaged: Imaged, settings: ImageSettings) -> tuple[Card, ...]:
    robust = f" {settings.robust:g}" if settings.weighting == "briggs" else ""
    return (
        Card("IMWEIGHT", f"{settings.weighting}{robust}", "weighting of the uv plane"),
        Card("IMWGTSUM", imaged.sum_weights, "sum of the imaging weights"),
        Card("IMNVIS", imaged.n_visibilities, "samples with a weight, averaged"),
        Card("IMMAJOR", len(imaged.cycles), "major cycles"),
        Card("IMMINOR", imaged.cycles[-1].iterations if imaged.cycles else 0, "minor iterations"),
        Card("IMDRIFT", settings.drift, "the model drifts through the beam"),
        Card("IMTHERM", imaged.thermal_jy, "[Jy/beam] noise that the weights promise"),
        Card("PBMODEL", lasting_name(settings.beam), "model of the primary beam"),
        Card("PNTDEC", float(np.degrees(imaged.observation.pointing_dec_rad)), "[deg] of the dishes, apparent"),
    )
