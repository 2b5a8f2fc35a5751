"""What sources did as they crossed the beam: forced measurements of groups' images, made ready to fit the beam to.

What counts is what was seen (the flux before it was divided by the beam), against where the source was in the beam
while the image was taken. The flux of a catalogue is a second witness: only it says what the beam is to the north, for
the sky drifts to the west. Fluxes of our own mosaics are no witness, since they were divided by the beam as it was
thought to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.io import fits

from dsa110_contimg.catalogue.spectra import DEFAULT_ALPHA
from dsa110_contimg.errors import BeamFitError, NamingError, UnreadableFileError
from dsa110_contimg.images.fits import parse_header
from dsa110_contimg.naming import Band, ImageKind, expand, image_file_name, image_stem, parse_image_name
from dsa110_contimg.photometry.beam_samples import Track, model_name, pointing_dec_deg, track
from dsa110_contimg.photometry.measurements import Flag, position_of
from dsa110_contimg.telescope.beams import beam_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import ImageHeader

FULL = "full"
# What may be wrong with a measurement so that it says nothing of the beam.
_UNFIT = Flag.EDGE | Flag.BLEND | Flag.BAD_IMAGE | Flag.EXTENDED | Flag.BAD_EPOCH
# A source counts if it is so bright in all its images together, in so many of them, which see this of it.
_LEAST_SNR, _LEAST_IMAGES, _LEAST_POWER = 25.0, 3, 0.1
# More sources than this make the answer no better.
_MOST_SOURCES = 3000
# Images of one strip point alike.
_SAME_POINTING_DEG = 0.05


class Known(NamedTuple):
    """Flux densities of a catalogue; each (K,).

    Attributes
    ----------
    source_id : int64
        Numbers of the sources.
    flux_jy, e_flux_jy : float64
        Flux densities and their errors [Jy].
    freq_hz : float64
        At which frequency [Hz].
    alpha : float64
        Spectral indices; NaN where they are not known.
    """

    source_id: NDArray[np.int64]
    flux_jy: NDArray[np.float64]
    e_flux_jy: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    alpha: NDArray[np.float64]


class Crossings(NamedTuple):
    """N measurements in one band.

    Attributes
    ----------
    band : str
        ``full``, ``lower`` or ``upper``.
    freq_hz : float
        Mean frequency [Hz].
    source, image : (N,) int64
        Which source (of S), which image (of I).
    apparent_jy, noise_jy : (N,) float64
        Flux density as seen through the beam, and its error of noise alone [Jy].
    way : Track
        Where it was in the beam.
    exactness : (N,) float64
        The power by which the image was corrected over that of the sum over the way: 1 within what the image's own
        weights of times and channels do.
    known_jy, e_known : (S,) float64
        Flux density of the catalogue in this band, and its relative error; NaN where there is none.
    """

    band: str
    freq_hz: float
    source: NDArray[np.int64]
    image: NDArray[np.int64]
    apparent_jy: NDArray[np.float64]
    noise_jy: NDArray[np.float64]
    way: Track
    exactness: NDArray[np.float64]
    known_jy: NDArray[np.float64]
    e_known: NDArray[np.float64]


class BeamData(NamedTuple):
    """All that a beam is fitted to.

    Attributes
    ----------
    bands : tuple of Crossings
        ``full``, or ``lower`` and ``upper``.
    source_id : (S,) int64
        The sources.
    groups : tuple of str
        The I images.
    model : str
        Name of the beam that the images were made with.
    pointing_dec_deg : float
        Apparent declination of the dishes [deg].
    start_mjd, end_mjd : float
        From the first image to the last [MJD, UTC].
    """

    bands: tuple[Crossings, ...]
    source_id: NDArray[np.int64]
    groups: tuple[str, ...]
    model: str
    pointing_dec_deg: float
    start_mjd: float
    end_mjd: float


def band_headers(images: Sequence[Path]) -> dict[tuple[str, str], ImageHeader]:
    """Read the headers of groups' images, and of the half bands that are beside them, by group id and band.

    Parameters
    ----------
    images : sequence of Path
        ``*-image.fits`` of the full band.

    Raises
    ------
    NamingError
        One is no image of ours.
    UnreadableFileError, HeaderKeyError, HeaderValueError
        One cannot be read.
    """
    found: dict[tuple[str, str], ImageHeader] = {}
    for path in images:
        group = parse_image_name(path.name).group
        for band in (None, *Band):
            beside = path.with_name(image_file_name(image_stem(group, band), ImageKind.IMAGE))
            if band is None or beside.exists():
                found[group, band or FULL] = _read_header(beside)
    return found


def gather(
    measurements: pa.Table, headers: Mapping[tuple[str, str], ImageHeader], known: Known | None = None
) -> BeamData:
    """Put together what forced measurements say of the beam.

    Both halves of the band if they were measured, or else the whole. Left out are blends, extended sources, edges and
    bad images; and sources that are too faint, or in fewer than three images.

    Parameters
    ----------
    measurements : pyarrow.Table
        As `photometry.measurements` describes them; rows of mosaics and of images without a header are passed over.
    headers : mapping
        Headers of the images by group id and band: `band_headers`.
    known : Known, optional
        Flux densities of a catalogue, of some of the sources.

    Raises
    ------
    BeamFitError
        Nothing is left, or images are not of one pointing, or were made with different beams.
    """
    model, pointing = _common(headers)
    columns = {name: _plain(measurements, name) for name in ("image", "band", "kind")}
    columns |= {name: measurements[name].to_numpy() for name in ("source_id", "flux", "e_flux", "pb", "flags")}
    columns["image"] = np.array([_group_id(str(name)) for name in columns["image"]], dtype=object)
    seen = np.array([key in headers for key in zip(columns["image"], columns["band"], strict=True)], bool)
    good = seen & (columns["kind"] == "group") & ((columns["flags"] & int(_UNFIT)) == 0)
    good &= np.isfinite(columns["flux"]) & (columns["e_flux"] > 0.0) & (columns["pb"] >= _LEAST_POWER)
    halves = [str(band) for band in Band]
    both = all(np.any(good & (columns["band"] == band)) for band in halves)
    bands = halves if both else [FULL]
    good &= np.isin(columns["band"].astype(str), bands)
    chosen = _bright(columns, good)
    good &= np.isin(columns["source_id"], chosen)
    if not good.any():
        raise BeamFitError(
            f"there is no source bright enough in {_LEAST_IMAGES} images or more to say anything of the beam",
            remedy="Take more groups, or images of groups that follow one another.",
        )
    groups = tuple(sorted(set(columns["image"][good])))
    return BeamData(
        tuple(_crossings(band, columns, good, chosen, groups, headers, model, known) for band in bands),
        chosen,
        groups,
        model,
        pointing,
        min(header.start_mjd for (group, _), header in headers.items() if group in groups),
        max(header.end_mjd for (group, _), header in headers.items() if group in groups),
    )


def _crossings(
    band: str,
    columns: Mapping[str, NDArray[Any]],
    good: NDArray[np.bool_],
    chosen: NDArray[np.int64],
    groups: tuple[str, ...],
    headers: Mapping[tuple[str, str], ImageHeader],
    model: str,
    known: Known | None,
) -> Crossings:
    beam, rows, ways = beam_model(model), [], []
    for group in groups:
        here = np.flatnonzero(good & (columns["image"] == group) & (columns["band"] == band))
        if here.size:
            way = track(headers[group, band], *position_of(columns["source_id"][here]))
            ways.append(way._replace(freq_hz=np.broadcast_to(way.freq_hz, (here.size, way.freq_hz.size))))
            rows.append(here)
    if not rows:
        raise BeamFitError(f"no bright source was measured in the {band} half of the band", remedy="Take more groups.")
    index = np.concatenate(rows)
    joined = ways[0]._replace(
        x=np.concatenate([way.x for way in ways]),
        y=np.concatenate([way.y for way in ways]),
        freq_hz=np.concatenate([way.freq_hz for way in ways]),
    )
    pb = columns["pb"][index].astype(np.float64)
    freq_hz = float(np.mean([headers[group, band].freq_hz for group in groups if (group, band) in headers]))
    known_jy, e_known = _known_fluxes(chosen, freq_hz, known)
    return Crossings(
        band,
        freq_hz,
        np.searchsorted(chosen, columns["source_id"][index]),
        np.searchsorted(np.array(groups), columns["image"][index].astype(str)),
        columns["flux"][index].astype(np.float64) * pb,
        columns["e_flux"][index].astype(np.float64) * pb,
        joined,
        pb / joined.mean_power(beam.power),
        known_jy,
        e_known,
    )


def _bright(columns: Mapping[str, NDArray[Any]], good: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Choose the sources that are bright and in many images, in the order of their numbers."""
    ids, of = np.unique(columns["source_id"][good], return_inverse=True)
    signal = np.bincount(of, np.clip(columns["flux"][good] / columns["e_flux"][good], 0.0, None) ** 2, len(ids))
    pairs = np.unique(np.stack([of, np.unique(columns["image"][good].astype(str), return_inverse=True)[1]]), axis=1)
    often = np.bincount(pairs[0], minlength=len(ids)) >= _LEAST_IMAGES
    fit = np.flatnonzero(often & (signal >= _LEAST_SNR**2))
    brightest = fit[np.argsort(-signal[fit], kind="stable")[:_MOST_SOURCES]]
    return np.asarray(np.sort(ids[brightest]), np.int64)


def _known_fluxes(
    chosen: NDArray[np.int64], freq_hz: float, known: Known | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    flux, error = np.full((2, len(chosen)), np.nan)
    if known is None or not len(known.source_id):
        return flux, error
    order = np.argsort(known.source_id)
    at = np.clip(np.searchsorted(known.source_id[order], chosen), 0, len(order) - 1)
    row = order[at]
    there = (known.source_id[row] == chosen) & (known.flux_jy[row] > 0.0)
    alpha = np.where(np.isfinite(known.alpha[row]), known.alpha[row], DEFAULT_ALPHA)
    flux[there] = (known.flux_jy[row] * (freq_hz / known.freq_hz[row]) ** alpha)[there]
    error[there] = (known.e_flux_jy[row] / known.flux_jy[row])[there]
    return flux, np.nan_to_num(error, nan=0.0)


def _common(headers: Mapping[tuple[str, str], ImageHeader]) -> tuple[str, float]:
    """Say which beam the images were made with, and where the dishes pointed, if that is the same for all."""
    if not headers:
        raise BeamFitError("there are no images to fit a beam to", remedy="Name *-images directories.")
    models = sorted({model_name(header) for header in headers.values()})
    if len(models) > 1:
        raise BeamFitError(
            f"the images were made with different beams: {', '.join(models)}",
            remedy="Take images that were made with one, or make them again.",
        )
    pointings = {key: pointing_dec_deg(header) for key, header in headers.items()}
    middle = float(np.median(list(pointings.values())))
    (group, _), worst = max(pointings.items(), key=lambda item: abs(item[1] - middle))
    if abs(worst - middle) > _SAME_POINTING_DEG:
        raise BeamFitError(
            f"the dishes pointed to {worst:.2f} deg for {group}, but to {middle:.2f} for the others",
            remedy="Take the images of one strip.",
        )
    return models[0], middle


def _read_header(path: Path) -> ImageHeader:
    try:
        return parse_header(fits.getheader(path), path)
    except OSError as error:
        raise UnreadableFileError(f"cannot be read as FITS ({error})", path=path) from error


def _group_id(name: str) -> str:
    """Give the group id, of which measurements may have the short form."""
    try:
        return expand(name)
    except NamingError:
        return name


def _plain(table: pa.Table, name: str) -> NDArray[Any]:
    return np.asarray(table[name].to_pylist(), dtype=object)
