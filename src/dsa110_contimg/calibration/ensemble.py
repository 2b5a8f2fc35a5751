"""The flux scale of a set from the reference sources that its own group saw.

The brightest sources of the catalogue are fitted at once to the calibrated data, each as what it should look like
through the drifting beam. For the dozen sources of one group an eighth of the channels and a quarter of the
integrations are more than enough: their noise is then 1 mJy.
"""

from __future__ import annotations

from math import log, log10
from typing import TYPE_CHECKING, NamedTuple

import erfa
import numpy as np

from dsa110_contimg.calibration.apply import ApplyOptions, Calibrator
from dsa110_contimg.calibration.calibrate import calibrate
from dsa110_contimg.calibration.flux_scale import (
    FEWEST_SOURCES,
    FluxFit,
    FluxScale,
    beam_error,
    rescaled,
    scale_from_calibrator,
    scale_from_ensemble,
)
from dsa110_contimg.calibration.sky_model import (
    SAME_DEG,
    ModelSource,
    Pointing,
    SkyModel,
    predict_integration,
    sky_model,
)
from dsa110_contimg.catalogue.spectra import REFERENCE_HZ, Spectrum
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.ms.information import pointing_dec_rad
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.prediction import PointSources

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.calibration.calibrate import SolutionSet
    from dsa110_contimg.calibration.solutions import Solutions
    from dsa110_contimg.catalogue.candidates import Candidate
    from dsa110_contimg.config.settings import CalibrateSettings
    from dsa110_contimg.ms.information import MsInfo

LEAST_JY = 0.05
"""Sources with less through the beam tell nothing of the scale."""
MOST_SOURCES = 24
LEAST_POWER = 0.3
_COUNTS = 0.1
# A calibrator that is off by this factor is another source, and one that agrees to so much is right.
_OFF = 0.2
_CONVERGED = 0.01
_MOST_ROUNDS = 3
_EVERY_CHANNEL = 8
_EVERY_TIME = 4
_LEAST_UV_M = 50.0
_NEAR_DEG, _FAR_DEG, _FAR_JY = 5.0, 25.0, 10.0


class References(NamedTuple):
    """Reference sources of a group, the calibrator the first: their model, and how far from the beam's centre [deg]."""

    sky: SkyModel
    offset_deg: NDArray[np.float64]

    @property
    def flux_jy(self) -> NDArray[np.float64]:
        """The catalogue's flux densities in the middle of the band, (S,) [Jy]."""
        return self.sky.flux_jy[:, self.sky.flux_jy.shape[1] // 2]


def nearby(catalogue: PointSources, info: MsInfo) -> PointSources:
    """Leave out the sources of a catalogue that are nowhere near a group's phase centre.

    Within 5 deg all are kept, and to 25 deg those of 10 Jy and more, which come through sidelobes.
    """
    centre = np.radians(info.phase_centres_deg[info.field_id[info.n_times // 2]])
    apart_deg = np.degrees(erfa.seps(*centre, np.radians(catalogue.ra_deg), np.radians(catalogue.dec_deg)))
    kept = (apart_deg < _NEAR_DEG) | ((apart_deg < _FAR_DEG) & (catalogue.flux_jy > _FAR_JY))
    return PointSources(*(column[kept] for column in catalogue))


def calibrate_to_scale(
    info: MsInfo, settings: CalibrateSettings, candidate: Candidate, catalogue: PointSources | None
) -> tuple[SolutionSet, FluxScale]:
    """Solve on a calibrator, and bring the solutions to the best scale there is.

    That is a standard's; else that of the field's sources, with which the calibrator's own flux density is found and
    the solutions are then found again; else the one that was assumed.

    Parameters
    ----------
    info : MsInfo
        The Measurement Set.
    settings : CalibrateSettings
        How to solve.
    candidate : Candidate
        The calibrator, as the strip sees it.
    catalogue : PointSources or None
        Reference sources.

    Raises
    ------
    CalibrationError
        Nothing can be solved.
    """
    own, source = scale_from_calibrator(candidate), candidate.calibrator
    model = ModelSource(source.label, source.ra_deg, source.dec_deg, source.spectrum)
    found = calibrate(info.path, settings, model, catalogue)
    if own.kind == "standard" or catalogue is None:
        return found, own
    pointing = Pointing(info.site, pointing_dec_rad(info.path), beam_model(settings.beam), info.phase_centre_deg)
    seen = compare(info, found.tables, model, catalogue, pointing)
    if seen is None:
        return found, own
    for _ in range(_MOST_ROUNDS):
        off = seen.calibrator_ratio / seen.scale.factor
        if not _OFF < off < 1 / _OFF or abs(log(off)) < _CONVERGED:
            break
        model = model._replace(spectrum=brighter(model.spectrum, off))
        found = calibrate(info.path, settings, model, catalogue)
        seen = compare(info, found.tables, model, catalogue, pointing) or seen
    flux_jy = float(model.spectrum.flux_jy(REFERENCE_HZ))
    scale = seen.scale._replace(text=f"{seen.scale.text}; {source.label} has {flux_jy:.2f} Jy at 1.4 GHz then")
    return found._replace(gains=rescaled(found.gains, scale)), scale


class Compared(NamedTuple):
    """What the reference sources say, and the calibrator's flux density as measured over that of its model."""

    scale: FluxScale
    calibrator_ratio: float


def brighter(spectrum: Spectrum, factor: float) -> Spectrum:
    """Multiply a spectrum."""
    first, *others = spectrum.coefficients
    text = f"{spectrum.origin}, times {factor:.3f} to agree with reference sources"
    return Spectrum((first + log10(factor), *others), text)


def compare(
    info: MsInfo,
    tables: tuple[Solutions, ...],
    calibrator: ModelSource,
    catalogue: PointSources,
    pointing: Pointing,
) -> Compared | None:
    """Compare the group's reference sources with their catalogue; the calibrator does not count among them.

    Parameters
    ----------
    info : MsInfo
        The Measurement Set that was solved.
    tables : tuple of Solutions
        K, B and G.
    calibrator : ModelSource
        What was solved on.
    catalogue : PointSources
        Reference sources of the field.
    pointing : Pointing
        Where the dishes looked, and their beam.

    Returns
    -------
    Compared or None
        None: too few are bright enough.
    """
    found = references(calibrator, catalogue, info, pointing, info.freq_hz[::_EVERY_CHANNEL])
    if found.flux_jy.size <= FEWEST_SOURCES:
        return None
    fit = FluxFit(found.flux_jy.size)
    _fill(fit, info.path, tables, found.sky, pointing)
    ratio, error = fit.solve()
    others = found.flux_jy[1:]
    beams = np.array([beam_error(offset) for offset in found.offset_deg[1:]])
    noise = error[1:] * np.sqrt(fit.reduced_chi2)
    scale = scale_from_ensemble(ratio[1:] * others, others, np.hypot(noise, beams * ratio[1:]) * others)
    return None if scale is None else Compared(scale, float(ratio[0]))


def references(
    calibrator: ModelSource, catalogue: PointSources, info: MsInfo, pointing: Pointing, freq_hz: NDArray[np.float64]
) -> References:
    """Choose the calibrator and the sources that are bright through the beam, in the middle of the group."""
    sky = sky_model(calibrator, catalogue, freq_hz)
    mjd = float(info.times_mjd[info.n_times // 2])
    directions, apparent = sky.apparent(mjd, pointing, freq_hz)
    middle = freq_hz.size // 2
    seen = apparent[:, middle]
    power = seen / sky.flux_jy[:, middle]
    fit = (seen >= LEAST_JY) & (power >= LEAST_POWER) & _alone(sky, seen)
    fit[0] = False
    chosen = np.flatnonzero(fit)[np.argsort(-seen[fit])][:MOST_SOURCES]
    rows = np.concatenate([[0], chosen]).astype(np.int64)
    centre = np.array([np.cos(pointing.dec_rad), 0.0, np.sin(pointing.dec_rad)])
    offset_deg = np.degrees(np.arccos(np.clip(directions[rows] @ centre, -1.0, 1.0)))
    return References(SkyModel(sky.ra_deg[rows], sky.dec_deg[rows], sky.flux_jy[rows]), offset_deg)


def _alone(sky: SkyModel, seen_jy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which sources have no other that counts within the beam of the array: of two together, neither is measured."""
    counts = np.flatnonzero(seen_jy >= _COUNTS * LEAST_JY)
    ra, dec = np.radians(sky.ra_deg[counts]), np.radians(sky.dec_deg[counts])
    apart = np.degrees(erfa.seps(ra[:, None], dec[:, None], ra[None], dec[None]))
    result = np.zeros(seen_jy.size, np.bool_)
    result[counts] = (apart < 2 * SAME_DEG).sum(axis=1) == 1
    return result


def _fill(fit: FluxFit, ms: Path, tables: tuple[Solutions, ...], sky: SkyModel, pointing: Pointing) -> None:
    """Add some of the integrations, calibrated, with some of their channels."""
    every = slice(None, None, _EVERY_CHANNEL)
    with OpenMs(ms) as opened:
        info = opened.info
        calibrator = Calibrator(info, tables, ApplyOptions())
        for time in range(info.n_times // 2 % _EVERY_TIME, info.n_times, _EVERY_TIME):
            uvw_m = opened.read("UVW", time)[0]
            cross = np.flatnonzero(info.is_cross & (np.hypot(uvw_m[:, 0], uvw_m[:, 1]) >= _LEAST_UV_M))
            first, second = info.antenna1[cross], info.antenna2[cross]
            data, flags = (opened.read(column, time)[0][cross][:, every] for column in ("DATA", "FLAG"))
            inverse, missing, power, _ = calibrator.correction(time)
            inverse, missing, power = inverse[:, every], missing[:, every], power[:, every]
            good = ~(flags | missing[first] | missing[second]) & np.isfinite(data)
            weights = np.where(good, power[first] * power[second], 0.0)
            # Stokes I of the unpolarized: the polarizations together, before anything is multiplied.
            total = weights.sum(axis=2)
            summed = np.where(good, weights * data * inverse[first] * np.conj(inverse[second]), 0.0).sum(axis=2)
            calibrated = np.divide(summed, total, out=np.zeros(total.shape, np.complex128), where=total > 0)
            pairs = (first.astype(np.int64), second.astype(np.int64))
            mjd = float(info.times_mjd[time])
            fit.add(calibrated, total, _models(sky, mjd, pointing, info, pairs))


def _models(
    sky: SkyModel, mjd: float, pointing: Pointing, info: MsInfo, pairs: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> list[NDArray[np.complex64]]:
    """What each source alone should look like."""
    freq_hz = info.freq_hz[::_EVERY_CHANNEL]
    rows = [slice(k, k + 1) for k in range(sky.ra_deg.size)]
    ones = [SkyModel(sky.ra_deg[row], sky.dec_deg[row], sky.flux_jy[row]) for row in rows]
    return [predict_integration(one, mjd, pointing, info.antenna_itrf_m, pairs, freq_hz) for one in ones]
