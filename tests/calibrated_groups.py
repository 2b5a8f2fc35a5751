"""A calibrator's transit and what follows it, simulated as raw counts; and what calibrated data say of its sources."""

import json
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from dsa110_contimg.calibration.flux_scale import FluxFit
from dsa110_contimg.calibration.sky_model import Pointing, SkyModel, predict_integration
from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.ms.information import pointing_dec_rad, read_info
from dsa110_contimg.simulation import SimulationOptions, simulate
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.beams import AiryBeam
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT, meridian_icrs
from dsa110_contimg.telescope.prediction import REFERENCE_HZ
from dsa110_contimg.telescope.transits import find_transits, utc_of

ANTENNAS = (1, 14, 30, 45, 51, 70, 85, 102, 103, 105, 107, 116)
ALPHA = -0.7


class Night(NamedTuple):
    """Groups one after the other, a calibrator crossing the middle of the first; the last has the targets."""

    files: object
    sources: tuple[dict, ...]
    catalogue: object


OFFSETS = ((0.12, 0.10, 1.5), (-0.2, 0.05, 1.0), (0.05, -0.3, 2.0))
"""Targets: east and north of the meridian in mid-group [deg], and flux densities [Jy]."""


def transit_of(name, day):
    """The moment at which a calibrator crosses the meridian on a day."""
    source = find_calibrator(name)
    (transit,) = find_transits(source.ra_deg, source.dec_deg, day, day + 0.99, HEADER_SITE)
    return transit.mjd


def calibrator(name):
    """It, as the list has it."""
    source = find_calibrator(name)
    flux = float(source.spectrum.flux_jy(REFERENCE_HZ))
    return {"ra": source.ra_deg, "dec": source.dec_deg, "flux": flux, "alpha": ALPHA}


def targets(dec_deg, mjd):
    """Sources around the pointing at a moment."""
    ra, dec = (float(value[0]) for value in meridian_icrs(np.radians(dec_deg), [mjd], HEADER_SITE))
    stretch = 1 / np.cos(np.radians(dec))
    return [{"ra": ra + x * stretch, "dec": dec + y, "flux": flux, "alpha": ALPHA} for x, y, flux in OFFSETS]


def observe_at(base, start_mjd, dec_deg, sources, *, integrations=8, gains=11, **options):
    """Simulate groups from a moment on."""
    base.mkdir(parents=True, exist_ok=True)
    catalogue = base / "sky.json"
    catalogue.write_text(json.dumps(sources))
    said = SimulationOptions(
        start=utc_of(start_mjd) + timedelta(microseconds=1),
        dec_deg=dec_deg,
        integrations=integrations,
        antennas=ANTENNAS,
        sky=str(catalogue),
        gains=gains,
        **options,
    )
    simulate(base / "in", said)
    return Night(base / "in", tuple(sources), catalogue)


def observe(base, name, dec_deg, *, n_groups=2, integrations=8, day=60953.0, **options):
    """Simulate a night; the targets are where the meridian is in the last group."""
    length_d = integrations * INTEGRATION_S / 86400
    start_mjd = transit_of(name, day) - length_d / 2
    sources = [calibrator(name), *targets(dec_deg, start_mjd + (n_groups - 0.5) * length_d)]
    return observe_at(base, start_mjd, dec_deg, sources, integrations=integrations, groups=n_groups, **options)


class Found(NamedTuple):
    """What data say of a source: flux density over the true one, its error, offsets from the true place ["]."""

    ratio: float
    error: float
    east_arcsec: float
    north_arcsec: float


def look(ms, blocks, sources):
    """Fit the flux densities and places of some sources at once to calibrated integrations."""
    info = read_info(ms)
    pointing = Pointing(info.site, pointing_dec_rad(ms), AiryBeam(), info.phase_centre_deg)
    fit = FluxFit(3 * len(sources))
    for block in blocks:
        cross = np.flatnonzero(block.antenna1 != block.antenna2)
        pairs = (block.antenna1[cross].astype(np.int64), block.antenna2[cross].astype(np.int64))
        per_rad = 2j * np.pi / SPEED_OF_LIGHT * block.freq_hz
        u, v = (block.uvw_m[cross, axis, None] * per_rad for axis in (0, 1))
        models = []
        for source in sources:
            flux = source["flux"] * (block.freq_hz / REFERENCE_HZ) ** source["alpha"]
            sky = SkyModel(np.array([source["ra"]]), np.array([source["dec"]]), flux[None])
            seen = predict_integration(sky, block.mjd, pointing, info.antenna_itrf_m, pairs, block.freq_hz)
            models += [seen[..., None], (seen * u)[..., None], (seen * v)[..., None]]
        shape = block.visibilities[cross].shape
        weights = np.where(block.flags[cross], 0, block.weights[cross])
        fit.add(block.visibilities[cross], weights, [np.broadcast_to(model, shape) for model in models])
    ratio, error = fit.solve()
    arcsec = np.degrees(1) * 3600
    return [
        Found(ratio[k], error[k], ratio[k + 1] / ratio[k] * arcsec, ratio[k + 2] / ratio[k] * arcsec)
        for k in range(0, ratio.size, 3)
    ]
