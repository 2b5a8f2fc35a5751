"""Whether the primary beam is what the images were made with; what to say if it is not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import BeamFitError
from dsa110_contimg.photometry.beam_crossings import Known, band_headers, gather
from dsa110_contimg.photometry.beam_fit import fit_beam
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.fitted_beams import N_SHAPE, FittedBeam, Shape, shaped_power

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Protocol

    import pyarrow as pa
    from numpy.typing import NDArray

    from dsa110_contimg.config.sections_lightcurves import BeamSettings
    from dsa110_contimg.photometry.beam_fit import BeamFit

    class ListedFluxes(Protocol):
        """What is used of a strip's list of sources (`photometry.reference`), arrays (S,)."""

        @property
        def source_id(self) -> NDArray[np.int64]:
            """Numbers."""

        @property
        def flux_jy(self) -> NDArray[np.float64]:
            """Flux densities [Jy]."""

        @property
        def e_flux_jy(self) -> NDArray[np.float64]:
            """Their errors [Jy]."""

        @property
        def freq_hz(self) -> NDArray[np.float64]:
            """At which frequencies [Hz]."""

        @property
        def alpha(self) -> NDArray[np.float64]:
            """Spectral indices."""

        @property
        def origin(self) -> NDArray[np.str_]:
            """Where they are from."""


log = logging.getLogger(__name__)

_CATALOGUE = "catalogue:"
# Fluxes count as off where the beam is at least this, which is where a mosaic ends.
_FLOOR = 0.2


class BeamCheck(NamedTuple):
    """What was found of a beam.

    Attributes
    ----------
    warnings : tuple of str
        What is not as the images take it to be, a sentence each; none: nothing, or too little is known.
    fit : BeamFit or None
        What was fitted.
    why : str
        Why nothing was.
    """

    warnings: tuple[str, ...]
    fit: BeamFit | None
    why: str = ""


def check_beam(
    measurements: pa.Table, images: Sequence[Path], known: Known | None, settings: BeamSettings
) -> BeamCheck:
    """Fit a beam to forced measurements of groups' images, and say where it is not the one that they were made with.

    Parameters
    ----------
    measurements : pyarrow.Table
        See `photometry.measurements`; rows of groups count.
    images : sequence of Path
        ``*-image.fits`` of the full band, of the groups.
    known : Known, optional
        Flux densities of a catalogue: `known_fluxes`.
    settings : BeamSettings
        What is worth a warning.

    Raises
    ------
    UnreadableFileError, HeaderKeyError, HeaderValueError
        An image cannot be read.
    """
    try:
        data = gather(measurements, band_headers(images), known)
        fit = fit_beam(data)
    except BeamFitError as error:
        log.info("the primary beam is not checked: %s", error)
        return BeamCheck((), None, str(error))
    return BeamCheck(findings(fit, data.model, settings), fit)


def known_fluxes(reference: ListedFluxes) -> Known:
    """Choose the sources of a strip's list whose flux is from a catalogue: what came through no beam of ours."""
    outer = np.char.startswith(np.asarray(reference.origin, dtype=str), _CATALOGUE)
    outer &= np.isfinite(reference.flux_jy) & (reference.flux_jy > 0.0)
    return Known(
        reference.source_id[outer],
        reference.flux_jy[outer],
        np.nan_to_num(reference.e_flux_jy[outer]),
        reference.freq_hz[outer],
        reference.alpha[outer],
    )


def findings(fit: BeamFit, model: str, settings: BeamSettings) -> tuple[str, ...]:
    """Say what of a fit differs from the model that images were made with.

    By more than the tolerance, and by more than so many times the error; a parameter that the data say little of is
    passed over.
    """
    thought = _assumed(fit, model)
    shape, errors = fit.mean
    off = Shape(*(np.array(shape) - thought.mean(axis=0)).tolist())
    clear = np.asarray(fit.measured.all(axis=0))
    said = []

    def counts(number: float, error: float, tolerance: float) -> bool:
        return abs(number) > max(tolerance, settings.significance * error)

    for k, name, positive, negative in ((3, "east_deg", "east", "west"), (4, "north_deg", "north", "south")):
        value, error = getattr(off, name), getattr(errors, name)
        if clear[k] and counts(value, error, settings.tolerance_deg):
            towards = positive if value > 0 else negative
            said.append(f"the beam's axis is {abs(value):.2f} +- {error:.2f} deg {towards} of where it should be")
    if clear[0] and counts(off.width, errors.width, settings.tolerance_width):
        wider = "wider" if off.width > 0 else "narrower"
        percent = 100.0 * abs(np.expm1(off.width))
        said.append(f"the beam is {percent:.1f} +- {100.0 * errors.width:.1f} % {wider} than that of the images")
    long, e_long = np.hypot(off.stretch, off.shear), max(errors.stretch, errors.shear)
    if clear[1:3].all() and counts(2.0 * long, 2.0 * e_long, settings.tolerance_width):
        said.append(
            f"the beam is {100.0 * off.ellipticity:.1f} +- {200.0 * e_long:.1f} % longer than wide, "
            f"at position angle {off.pa_deg:.0f} deg"
        )
    if fit.squint is not None:
        squint, e_squint = fit.squint
        apart = thought[1] - thought[0]
        for k, name, word in ((3, "east_deg", "east"), (4, "north_deg", "north")):
            value, error = getattr(squint, name) - apart[k], getattr(e_squint, name)
            if clear[k] and counts(value, error, settings.tolerance_deg):
                said.append(f"the upper half of the band points {value:+.2f} +- {error:.2f} deg {word} of the lower")
    if said:
        said.append(
            f"fluxes are off by up to {100.0 * worst_flux(fit, model):.0f} % inside of where the beam is {_FLOOR:g}"
        )
    return tuple(said)


def worst_flux(fit: BeamFit, model: str) -> float:
    """Relative error that the model makes of a flux, at worst, inside of where its power is a fifth."""
    east, north = np.meshgrid(np.radians(np.linspace(-2.5, 2.5, 51)), np.radians(np.linspace(-2.5, 2.5, 51)))
    thought, base, worst = beam_model(model), beam_model(fit.base), 0.0
    for one in fit.bands:
        assumed = thought.power(east, north, one.freq_hz)
        inside = assumed >= _FLOOR
        ratio = shaped_power(base, one.shape, east, north, one.freq_hz)[inside] / assumed[inside]
        # What is the same everywhere is of the scale, not of the beam.
        worst = max(worst, float(np.max(abs(ratio / np.median(ratio) - 1.0))))
    return worst


def _assumed(fit: BeamFit, model: str) -> NDArray[np.float64]:
    """Shapes (B, 5) of the model that the images were made with."""
    beam = beam_model(model)
    if isinstance(beam, FittedBeam):
        return np.array([beam.shape_at(one.freq_hz) for one in fit.bands])
    return np.zeros((len(fit.bands), N_SHAPE))
