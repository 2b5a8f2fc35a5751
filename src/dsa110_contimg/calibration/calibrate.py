"""From a calibrator's Measurement Set to a set of solutions K, B and G, ready to be judged and kept."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.calibration.assembly import history_of, solution_tables
from dsa110_contimg.calibration.casa_tables import write_caltable
from dsa110_contimg.calibration.flux_scale import scale_from_calibrator
from dsa110_contimg.calibration.observed import Observed
from dsa110_contimg.calibration.sets import table_name
from dsa110_contimg.calibration.sky_model import ModelSource, Pointing, sky_model
from dsa110_contimg.calibration.solve import solve
from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.catalogue.candidates import Strip, look_at
from dsa110_contimg.catalogue.spectra import Spectrum, power_law
from dsa110_contimg.errors import CalibrationError, UsageError
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.ms.information import pointing_dec_rad
from dsa110_contimg.naming import PROVENANCE_NAME, group_id_from_mjd
from dsa110_contimg.storage.publish import partial_directory, publish
from dsa110_contimg.telescope.beams import beam_model

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.calibration.residuals import Residuals
    from dsa110_contimg.calibration.sky_model import SkyModel
    from dsa110_contimg.calibration.solutions import Solutions
    from dsa110_contimg.config.settings import CalibrateSettings
    from dsa110_contimg.ms.information import MsInfo
    from dsa110_contimg.telescope.prediction import PointSources

log = logging.getLogger(__name__)

#: Part of its flux density with which a calibrator has to come through the beam at some time.
LEAST_POWER = 0.1
_HALF_DAY = 0.5
_DAY_S = 86400.0


class SolutionSet(NamedTuple):
    """What came of one calibrator.

    Attributes
    ----------
    delays, bandpass, gains : Solutions
        K, B, and G; their facts and history are the same.
    residuals : Residuals
        What they leave of the data.
    ailments : tuple of str
        What ails which antenna, in words.
    seconds : float
        How long it took.
    """

    delays: Solutions
    bandpass: Solutions
    gains: Solutions
    residuals: Residuals
    ailments: tuple[str, ...]
    seconds: float

    @property
    def tables(self) -> tuple[Solutions, Solutions, Solutions]:
        """K, B and G."""
        return self.delays, self.bandpass, self.gains


def calibrate(
    ms: Path,
    settings: CalibrateSettings,
    calibrator: ModelSource | None = None,
    catalogue: PointSources | None = None,
) -> SolutionSet:
    """Solve a calibrator's Measurement Set.

    Parameters
    ----------
    ms : Path
        The Measurement Set, flagged.
    settings : CalibrateSettings
        How.
    calibrator : ModelSource, optional
        The calibrator; by default what the Measurement Set says (see `calibrator_of`).
    catalogue : PointSources, optional
        Reference sources of the field; the calibrator may be among them.

    Raises
    ------
    MeasurementSetError
        It cannot be read.
    UsageError
        It does not say what its calibrator is, or there is no such beam.
    CalibrationError
        Nothing can be solved.
    """
    begun = time.perf_counter()
    with OpenMs(ms) as opened:
        info = opened.info
        source = calibrator or calibrator_of(ms, info)
        pointing = Pointing(info.site, pointing_dec_rad(ms), beam_model(settings.beam), info.phase_centre_deg)
        sky = sky_model(source, catalogue, info.freq_hz)
        _require_in_beam(source, sky, pointing, info)
        sky = sky.pruned(info.times_mjd, pointing, info.freq_hz)
        solved = solve(Observed(opened, pointing, sky), settings)
    facts = {
        "ms": ms.name,
        "calibrator": _source_facts(source),
        "catalogue_sources": 0 if catalogue is None else int(catalogue.ra_deg.size),
        "pointing_dec_deg": float(np.degrees(pointing.dec_rad)),
        "settings": settings.model_dump(mode="json"),
        "residual_ratio": solved.residuals.ratio,
        "closure_deg": solved.residuals.closure_deg,
        **solved.facts,
    }
    scale = _scale(source, pointing, info)
    if scale:
        facts["flux_scale"] = scale
    seconds = time.perf_counter() - begun
    log.info("calibrate %s on %s: %.1f s", ms.name, source.name, seconds)
    tables = solution_tables(solved, info, source, history_of(facts), facts)
    return SolutionSet(*tables, solved.residuals, tuple(map(str, solved.ailments)), seconds)


def write_tables(found: SolutionSet, ms: Path, directory: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write a set of solutions as CASA's tables, all of them or none.

    Parameters
    ----------
    found : SolutionSet
        From `calibrate`.
    ms : Path
        The Measurement Set that was solved.
    directory : Path
        Directory of the tables, which is made.
    overwrite : bool
        Whether one that is there already gives way.

    Returns
    -------
    tuple of Path
        The tables of K, B and G.

    Raises
    ------
    OutputExistsError
        The directory is there already.
    OutputError
        It cannot be written.
    """
    gains = found.gains
    group = group_id_from_mjd(float(gains.times_mjd[0] - gains.interval_s[0] / 2 / _DAY_S))
    with partial_directory(directory.absolute().parent, group) as partial:
        for table in found.tables:
            write_caltable(partial / directory.name / table_name(table.kind), table, ms)
        publish(partial / directory.name, directory, replace=overwrite)
    return tuple(directory / table_name(table.kind) for table in found.tables)


def calibrator_of(ms: Path, info: MsInfo) -> ModelSource:
    """Find which calibrator a Measurement Set is of: what its conversion recorded, or the name of its field.

    Raises
    ------
    UsageError
        Neither says.
    """
    path = ms / PROVENANCE_NAME
    facts = json.loads(path.read_text()).get("calibrator") if path.is_file() else None
    if facts:
        spectrum = Spectrum(tuple(facts["log10_jy_ghz_coefficients"]), facts["spectrum"])
        return ModelSource(facts["name"], facts["ra_deg"], facts["dec_deg"], spectrum)
    try:
        return named_calibrator(info.field_names[0])
    except UsageError:
        raise UsageError(
            "does not say what its calibrator is",
            path=ms,
            remedy="Give --calibrator NAME, or convert with --calibrator",
        ) from None


def named_calibrator(name: str, flux_jy: float | None = None) -> ModelSource:
    """Look a calibrator up in the VLA's list; with a flux density at 1.4 GHz [Jy], that is used instead of the list's.

    Raises
    ------
    UsageError
        The list has no such source, or no flux density for it.
    """
    found = find_calibrator(name)
    spectrum = found.spectrum if flux_jy is None else power_law(flux_jy, origin="as given")
    return ModelSource(found.label, found.ra_deg, found.dec_deg, spectrum)


def _require_in_beam(source: ModelSource, sky: SkyModel, pointing: Pointing, info: MsInfo) -> None:
    """Raise if the calibrator, the first of the model, is not seen at any time."""
    moments = info.times_mjd[[0, info.n_times // 2, -1]]
    seen = max(sky.apparent(float(mjd), pointing, info.freq_hz)[1][0].mean() for mjd in moments)
    if seen < LEAST_POWER * sky.flux_jy[0].mean():
        raise CalibrationError(
            f"{source.name} does not come through the beam, {100 * seen / sky.flux_jy[0].mean():.1f}% of it at most",
            path=info.path,
            remedy="Check the calibrator and the group",
        )


def _source_facts(source: ModelSource) -> dict[str, Any]:
    return {
        "name": source.name,
        "ra_deg": source.ra_deg,
        "dec_deg": source.dec_deg,
        "flux_1p4ghz_jy": float(source.spectrum.flux_jy(1.4e9)),
        "spectrum": source.spectrum.origin,
    }


def _scale(source: ModelSource, pointing: Pointing, info: MsInfo) -> dict[str, Any] | None:
    """What the flux scale rests on, for a source of the list; None for any other."""
    try:
        listed = find_calibrator(source.name)
    except UsageError:
        return None
    middle = float(info.times_mjd.mean())
    strip = Strip(float(np.degrees(pointing.dec_rad)), pointing.site, pointing.beam)
    return scale_from_calibrator(look_at(listed, strip, middle - _HALF_DAY, middle + _HALF_DAY)).as_json()
