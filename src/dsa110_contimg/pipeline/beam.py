"""From images, or epochs that were measured, to a fitted beam that is kept."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.matching import SkyIndex, match
from dsa110_contimg.catalogue.spectra import REFERENCE_HZ
from dsa110_contimg.catalogue.strips import reference_around
from dsa110_contimg.errors import NamingError, UsageError
from dsa110_contimg.imaging.products import versions
from dsa110_contimg.mosaic.epochs import strip_at
from dsa110_contimg.mosaic.inputs import find_inputs
from dsa110_contimg.naming import MEASUREMENTS_NAME, epoch_record_name, parse_epoch_directory_name
from dsa110_contimg.photometry.beam_check import findings, known_fluxes, worst_flux
from dsa110_contimg.photometry.beam_crossings import Known, band_headers, gather
from dsa110_contimg.photometry.beam_fit import fit_beam, fitted_beam
from dsa110_contimg.photometry.beam_keeping import keep_beam
from dsa110_contimg.photometry.beam_samples import pointing_dec_deg
from dsa110_contimg.photometry.forced_images import images_of_record, measure_group, read_measurements, together
from dsa110_contimg.photometry.measurements import position_of
from dsa110_contimg.photometry.reference import current_reference, make_reference, strips_with_lists
from dsa110_contimg.qa.beam_figure import draw_beam
from dsa110_contimg.telescope.fitted_beams import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from dsa110_contimg.catalogue.tables import Reference
    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.photometry.beam_crossings import BeamData
    from dsa110_contimg.photometry.beam_fit import BeamFit

log = logging.getLogger(__name__)

_NAME_SOME = "Name *-images or *-epoch directories."
# Around the middle of an image sources may be seen so far away [deg].
_RADIUS_DEG = 3.0
# A source of a catalogue is one that was measured if it is so near.
_SAME_BEAMS = 0.5
# Sources nearer to one another than this are one, for fluxes are measured with a beam.
_DISTINCT_ARCSEC = 1.0


class Fitted(NamedTuple):
    """A beam, fitted, and what it was fitted to.

    Attributes
    ----------
    data : BeamData
        What was measured.
    fit : BeamFit
        The beam.
    warnings : tuple of str
        In what it is not the one that the images were made with.
    facts : dict
        For its record.
    """

    data: BeamData
    fit: BeamFit
    warnings: tuple[str, ...]
    facts: dict[str, Any]


def fit_from(
    paths: Sequence[Path],
    settings: Settings,
    catalogue: Path | None = None,
    base: str | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Fitted:
    """Fit a beam to the sources of images of one strip.

    Parameters
    ----------
    paths : sequence of Path
        Directories ``*-epoch``, of which the measurements are taken as they are; images, directories ``*-images``, or
        what has those below it, which are measured here.
    settings : Settings
        Where catalogues and lists of sources are, how to measure, what is worth a warning.
    catalogue : Path, optional
        With fluxes of sources (`catalogue.strips.reference_around`). Not given: ``catalogue.reference``; if that is not
        set, what the strip's list of sources has from catalogues.
    base : str, optional
        Name of the model to be shaped. Not given: that of the images.
    progress : callable
        Is told which part is done.

    Raises
    ------
    BeamFitError
        The measurements do not determine a beam.
    UsageError
        There is no image, or no list of sources to measure.
    UnreadableFileError, HeaderKeyError, HeaderValueError, MosaicError
        An image cannot be read, or is none.
    """
    for path in paths:
        if not path.exists():
            raise UsageError("there is no such directory or image", path=path, remedy=_NAME_SOME)
    tables, images = _measured(paths)
    unmeasured = [one for one in _images(paths) if one not in set(images)]
    headers = band_headers([*images, *unmeasured])
    if not headers:
        raise UsageError("there are no images to fit a beam to", remedy=_NAME_SOME)
    chosen = catalogue or settings.catalogue.reference
    outer = None if chosen is None else _around(chosen, settings.catalogue.directory, list(headers.values()))
    first = next(iter(headers.values()))
    strip = strip_at(pointing_dec_deg(first), strips_with_lists(settings.lightcurves_directory))
    listed = current_reference(settings.lightcurves_directory, strip) if outer is None else _listed(strip, outer)
    if unmeasured and not len(listed.source_id):
        raise UsageError(
            f"the strip {strip} has no list of sources to measure, and no catalogue is named",
            remedy="Name one: --catalogue; or dsa110-contimg photometry reference build.",
        )
    for done, image in enumerate(unmeasured):
        tables.append(measure_group(image.parent, listed, settings.photometry))
        progress((done + 1) / len(unmeasured))
    measurements = together(tables)
    known = known_fluxes(listed) if outer is None else _matched(measurements, outer, first)
    data = gather(measurements, headers, known)
    fit = fit_beam(data, base)
    origin = f"list of {strip}" if outer is None else outer.origin
    warnings = findings(fit, data.model, settings.beams)
    return Fitted(data, fit, warnings, _facts(data, fit, warnings, origin, strip))


def keep(fitted: Fitted, directory: Path) -> Path:
    """Keep a fitted beam as the next version, with its figure beside it.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    made = datetime.now(UTC).isoformat(timespec="seconds")
    path = keep_beam(directory, lambda version: fitted_beam(fitted.fit, version, fitted.facts | {"made_utc": made}))
    draw(fitted, path.with_suffix(".png"), path.stem)
    return path


def draw(fitted: Fitted, path: Path, name: str = "a fit that was not kept") -> None:
    """Draw a fit."""
    facts = fitted.facts
    title = (
        f"{name}: strip {facts['strip']}, {facts['images']} images from {facts['groups'][0]}, "
        f"{facts['sources']} sources ({facts['known']} in {facts['catalogue']}); images made with {facts['model']}"
    )
    draw_beam(path, fitted.data, fitted.fit, title)


def _facts(data: BeamData, fit: BeamFit, warnings: tuple[str, ...], origin: str, strip: str) -> dict[str, Any]:
    measured = fit.measured.all(axis=0)
    shape, errors = fit.mean
    return {
        "strip": strip,
        "pointing_dec_deg": data.pointing_dec_deg,
        "model": data.model,
        "start_mjd": data.start_mjd,
        "end_mjd": data.end_mjd,
        "images": len(data.groups),
        "groups": list(data.groups),
        "sources": len(data.source_id),
        "known": int(np.count_nonzero(np.isfinite(data.bands[0].known_jy))),
        "catalogue": origin,
        "measurements": {one.band: len(one.source) for one in data.bands},
        "mean": shape._asdict(),
        "mean_errors": errors._asdict(),
        "squint": None if fit.squint is None else [part._asdict() for part in fit.squint],
        "scatter": {one.band: {"catalogue": one.departure, "measurements": one.fraction} for one in fit.bands},
        "not_measured": [name for name, is_so in zip(Shape._fields, np.asarray(measured), strict=True) if not is_so],
        "cost": fit.cost,
        "worst_flux": worst_flux(fit, data.model),
        "warnings": list(warnings),
        "versions": versions(),
    }


def _measured(paths: Sequence[Path]) -> tuple[list[pa.Table], list[Path]]:
    """Read the measurements of the epochs among some paths, and say of which images they are."""
    tables, images = [], []
    for path in paths:
        epoch = _epoch(path)
        if epoch is not None:
            tables.append(read_measurements(path / MEASUREMENTS_NAME))
            images += [image for image, _ in images_of_record(path / epoch_record_name(epoch))]
    return tables, images


def _images(paths: Sequence[Path]) -> list[Path]:
    return [one.image for one in find_inputs(path for path in paths if _epoch(path) is None)]


def _epoch(path: Path) -> str | None:
    try:
        return parse_epoch_directory_name(path.name)
    except NamingError:
        return None


def _around(catalogue: Path, directory: Path, headers: Sequence[ImageHeader]) -> Reference:
    """Read the sources of a catalogue around images."""
    places = sorted({(round(one.ra_deg, 1), round(one.dec_deg, 1)) for one in headers})
    found = [reference_around(catalogue, directory, ra, dec, _RADIUS_DEG) for ra, dec in places]
    parts = [np.stack([*one.sources, one.e_flux_jy, one.e_ra_arcsec, one.e_dec_arcsec]) for one in found]
    columns = np.unique(np.concatenate(parts, axis=1), axis=1)
    sources = type(found[0].sources)(*columns[:4])
    return found[0]._replace(sources=sources, e_flux_jy=columns[4], e_ra_arcsec=columns[5], e_dec_arcsec=columns[6])


def _listed(strip: str, outer: Reference) -> Any:
    """Make a list to be measured of a catalogue."""
    sources = outer.sources
    if not len(sources.ra_deg):
        raise UsageError("the catalogue has no source there", remedy="Name another: --catalogue.")
    # Of two at one place the brighter.
    order = np.argsort(-sources.flux_jy, kind="stable")
    ra, dec = sources.ra_deg[order], sources.dec_deg[order]
    sky, kept = SkyIndex(ra, dec), np.ones(len(ra), bool)
    for k in np.flatnonzero(sky.nearest(ra, dec, neighbour=2)[1] < _DISTINCT_ARCSEC):
        near = sky.within(ra[k], dec[k], _DISTINCT_ARCSEC / 3600.0)
        kept[k] = not kept[near[near < k]].any()
    index = order[kept]
    return make_reference(
        strip,
        {
            "ra_deg": sources.ra_deg[index],
            "dec_deg": sources.dec_deg[index],
            "flux_jy": sources.flux_jy[index],
            "e_flux_jy": outer.e_flux_jy[index],
            "freq_hz": REFERENCE_HZ,
            "alpha": sources.alpha[index],
            "origin": f"catalogue:{outer.origin}",
        },
    )


def _matched(measurements: pa.Table, outer: Reference, header: ImageHeader) -> Known:
    """Give the catalogue's fluxes to the sources that were measured, by their places."""
    ids = np.unique(measurements["source_id"].to_numpy())
    if not ids.size or not len(outer.sources.ra_deg):
        return Known(*(np.zeros(0, np.int64), *np.zeros((4, 0))))
    radius = _SAME_BEAMS * header.beam.minor_deg * 3600.0
    pairs = match(*position_of(ids), outer.sources.ra_deg, outer.sources.dec_deg, radius)
    sources, theirs = outer.sources, pairs.second
    return Known(
        ids[pairs.first],
        sources.flux_jy[theirs],
        outer.e_flux_jy[theirs],
        np.full(len(theirs), REFERENCE_HZ),
        sources.alpha[theirs],
    )
