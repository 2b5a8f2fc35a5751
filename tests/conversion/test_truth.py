"""Converted visibilities against a truth of their own: astropy's apparent places and the interferometer's equation."""

import logging
from datetime import UTC, datetime

import numpy as np
import pytest

from dsa110_contimg.telescope.geometry import aberration_scale
from point_source_truth import directions, in_meridian_frame, meridian_in_icrs, visibilities

log = logging.getLogger(__name__)

# The meridian crosses 0h of right ascension in the middle of this group.
ACROSS_0H = datetime(2025, 10, 5, 6, 55, tzinfo=UTC)
FAR_SOUTH = (-30.7, 21.4, 1000.0)
GROUPS = {
    "dec 54.57": {"integrations": 24},
    "dec 16.27": {"dec_deg": 16.27, "integrations": 8},
    "dec -10": {"dec_deg": -10.0, "integrations": 8},
    "dec 71.6": {"dec_deg": 71.6, "integrations": 8},
    "across 0h": {"dec_deg": 33.0, "start": ACROSS_0H, "integrations": 24},
    "another site": {"dec_deg": -25.0, "site": FAR_SOUTH, "integrations": 6},
    "10 antennas": {"dec_deg": 50.5, "antennas": 10, "integrations": 6},
    "96 antennas": {"dec_deg": 65.7, "antennas": 96, "integrations": 2},
}
# Right ascension and declination from the meridian of mid-group [deg].
GIVEN = {
    "dec 54.57": (2.5, 0.6),
    "dec -10": (-1.2, 0.9),
    "dec 71.6": (0.5, -1.4),
    "across 0h": (359.2, 0.3),
    "another site": (0.4, 0.4),
}
CASES = [(name, centre) for name in GROUPS for centre in ("meridian", "drift")] + [(name, "given") for name in GIVEN]


def text_of_centre(name, centre, group):
    """What a user types; a given one stands off the meridian."""
    if centre != "given":
        return centre
    ra, dec = meridian_in_icrs(group.dec_deg, group.mjd.mean(), group.site)
    return f"{(ra + GIVEN[name][0]) % 360:.6f},{dec + GIVEN[name][1]:.6f}"


def centres_of(text, group):
    """ICRS phase centre [deg], or that of each integration, by astropy."""
    if text == "drift":
        return meridian_in_icrs(group.dec_deg, group.mjd, group.site)
    if text == "meridian":
        return meridian_in_icrs(group.dec_deg, group.mjd.mean(), group.site)
    return tuple(float(part) for part in text.split(","))


@pytest.fixture(params=CASES, ids=", ".join)
def case(request, simulated, converted):
    name, centre = request.param
    group = simulated(**GROUPS[name])
    text = text_of_centre(name, centre, group)
    return group, converted(group.files, text), centres_of(text, group)


def baselines_m(ms):
    positions = ms.column("POSITION", "ANTENNA")
    return positions[ms.by_time("ANTENNA1")[0]] - positions[ms.by_time("ANTENNA2")[0]]


def test_visibilities(case):
    group, ms, centres = case
    freq_hz = ms.column("CHAN_FREQ", "SPECTRAL_WINDOW")[0][::13]
    truth = visibilities(group.sources, group.dec_deg, baselines_m(ms), group.mjd, group.site, centres, freq_hz)
    data = ms.by_time("DATA")[:, :, ::13]
    assert not ms.column("FLAG").any()
    for polarization in range(2):
        seen = data[..., polarization]
        strong = np.abs(truth) > 0.05 * np.abs(truth).max()
        phase_rms = np.sqrt(np.mean(np.angle(seen[strong] / truth[strong]) ** 2))
        amplitude = np.sum(seen * np.conj(truth)).real / np.sum(np.abs(truth) ** 2)
        worst = np.abs(seen - truth).max() / np.abs(truth).max()
        log.info("phase rms %.2e rad, amplitude 1%+.1e, worst %.1e", phase_rms, amplitude - 1, worst)
        assert strong.mean() > 0.5
        assert phase_rms < 2e-4
        assert abs(amplitude - 1) < 1e-6
        assert worst < 5e-4


def test_phase_centres(case):
    _, ms, (ra_deg, dec_deg) = case
    phase_dir = np.degrees(ms.column("PHASE_DIR", "FIELD")[:, 0])
    away = (phase_dir[:, 0] - ra_deg + 180) % 360 - 180
    assert np.abs(away * np.cos(np.radians(dec_deg))).max() < 1e-3 / 3600
    assert np.abs(phase_dir[:, 1] - dec_deg).max() < 1e-3 / 3600


def test_uvw_are_the_derivatives_of_the_path(case):
    """W is the path to the apparent centre, u and v its change to ICRS east and north, but for aberration's scale."""
    group, ms, (ra_deg, dec_deg) = case
    baselines = in_meridian_frame(baselines_m(ms), group.site)
    ra, dec = (np.broadcast_to(angle, group.mjd.shape) for angle in (ra_deg, dec_deg))
    step = 20 / 3600
    east = directions(ra + step / np.cos(np.radians(dec)), dec, group.mjd, group.site)
    west = directions(ra - step / np.cos(np.radians(dec)), dec, group.mjd, group.site)
    north = directions(ra, dec + step, group.mjd, group.site)
    south = directions(ra, dec - step, group.mjd, group.site)
    axes = np.stack([east - west, north - south, 0 * east], axis=1) / (2 * np.radians(step))
    axes[:, 2] = directions(ra, dec, group.mjd, group.site)
    path_m = np.einsum("tix,bx->tbi", axes, baselines)
    uvw_m = ms.by_time("UVW")
    length_m = np.linalg.norm(baselines, axis=-1)
    assert np.abs(np.linalg.norm(uvw_m, axis=-1) - length_m).max() < 1e-6
    assert (np.abs(uvw_m - path_m).max(axis=-1) <= 1.1e-4 * length_m + 1e-6).all()
    scale = [aberration_scale(*at, group.site) for at in zip(ra, dec, group.mjd, strict=True)]
    scale = np.stack([scale, scale, np.ones(len(scale))], axis=-1)[:, None]
    worst = np.abs(uvw_m * scale - path_m).max() / length_m.max()
    log.info("UVW within %.1e of the longest baseline", worst)
    # What is left is the shear of the Sun's light deflection.
    assert worst < 3e-7


def test_times(case):
    group, ms, _ = case
    assert np.abs(ms.by_time("TIME")[:, 0] - group.mjd * 86400).max() < 1e-4
    assert (ms.by_time("TIME") == ms.by_time("TIME")[:, :1]).all()
    assert (ms.column("TIME") == ms.column("TIME_CENTROID")).all()


def test_autocorrelations_are_real(case):
    _, ms, _ = case
    autos = ms.column("ANTENNA1") == ms.column("ANTENNA2")
    data = ms.column("DATA")[autos]
    assert autos.sum() > 0
    assert np.abs(data.imag).max() < 1e-5 * np.abs(data).max()


def test_groups_are_what_they_are_called(simulated, converted):
    """The group across 0h does cross it."""
    group = simulated(**GROUPS["across 0h"])
    ra_deg = np.degrees(converted(group.files, "drift").column("PHASE_DIR", "FIELD")[:, 0, 0]) % 360
    assert ra_deg[0] > 359
    assert ra_deg[-1] < 1
