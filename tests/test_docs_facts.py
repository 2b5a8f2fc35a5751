"""The numbers on the pages of facts are what the code computes."""

from pathlib import Path

import numpy as np
import pytest

from dsa110_contimg.simulation.noise import SAMPLES, sample_rms_jy
from dsa110_contimg.telescope import band
from dsa110_contimg.telescope.beams import AiryBeam, TaperedBeam
from dsa110_contimg.telescope.geometry import SIDEREAL_RAD_S, SPEED_OF_LIGHT, aberration_scale, meridian_icrs
from dsa110_contimg.telescope.stations import load_stations

DOCS = Path(__file__).parents[1] / "docs"
AT_WORK = {*range(1, 52), *range(68, 117)} - {10, 21, 22, 23}
STRIP_DEG = 54.57
MJD = 60953.52  # 2025-10-05 12:29
MIDDLE_HZ = float(band.band_frequencies_hz().mean())


def group_s():
    return band.INTEGRATIONS_PER_GROUP * band.INTEGRATION_S


def longest_m():
    stations = load_stations()
    itrf_m = stations.itrf_m[np.isin(stations.numbers, list(AT_WORK))]
    assert len(itrf_m) == 96
    return np.linalg.norm(itrf_m[:, None] - itrf_m[None], axis=-1).max()


def drift_deg():
    return np.degrees(group_s() * SIDEREAL_RAD_S)


def thermal_mjy():
    n_samples = band.INTEGRATIONS_PER_GROUP * band.N_CHANNELS * 2 * (96 * 95 // 2)
    return 1e3 * sample_rms_jy() / np.sqrt(n_samples)


def shrinking():
    ra_deg, dec_deg = meridian_icrs(np.radians(STRIP_DEG), [MJD], band.HEADER_SITE)
    return 1.0 - aberration_scale(ra_deg[0], dec_deg[0], MJD, band.HEADER_SITE)


def turn_rad():
    """How far the longest baseline's phase turns in an integration for a source 1.5 deg off, at most."""
    waves = longest_m() * MIDDLE_HZ / SPEED_OF_LIGHT
    return 2 * np.pi * waves * np.radians(1.5) * SIDEREAL_RAD_S * band.INTEGRATION_S


def channel_loss():
    return 1 - np.sinc(longest_m() / SPEED_OF_LIGHT * np.radians(1.5) * band.CHANNEL_WIDTH_HZ)


def power(beam, off_deg):
    return float(beam.power(np.sin(np.radians(off_deg)), 0.0, 1.4e9))


def from_east(side):
    """Power of a source 1 deg east of the pointing at mid-group, when the group begins (1) and ends (-1)."""
    return power(AiryBeam(), 1.0 + side * drift_deg() / 2 * np.cos(np.radians(STRIP_DEG)))


@pytest.mark.parametrize(
    ("page", "text", "computed"),
    [
        ("files", "reach to {:.0f} m,", longest_m),
        ("files", "{:.0f} wavelengths", lambda: longest_m() * 1.4e9 / SPEED_OF_LIGHT),
        ("files", "{:.6f} kHz", lambda: band.CHANNEL_WIDTH_HZ / 1e3),
        ("files", "first channel is at {:.6f} MHz", lambda: band.band_frequencies_hz()[-1] / 1e6),
        ("files", "is at {:.6f} MHz", lambda: band.band_frequencies_hz()[0] / 1e6),
        ("files", "{:.1f} MHz in all", lambda: band.N_CHANNELS * band.CHANNEL_WIDTH_HZ / 1e6),
        ("files", "{:.1f} s, in which", group_s),
        ("files", "turns by {:.3f} deg", drift_deg),
        ("phase", "metre of path is {:.0f} deg", lambda: 360 * MIDDLE_HZ / SPEED_OF_LIGHT),
        ("phase", "1 − {:.1f} · 10⁻⁵", lambda: 1e5 * shrinking()),
        ("phase", "which is {:.2f} arcsec at 1.5 deg", lambda: shrinking() * 1.5 * 3600),
        ("phase", "ω⊕ Δt is {:.0f} arcsec", lambda: np.degrees(SIDEREAL_RAD_S * band.INTEGRATION_S) * 3600),
        ("phase", "reaches {:.0f} deg in time", lambda: np.degrees(turn_rad())),
        ("phase", "a loss of {:.0f}%", lambda: 100 * (1 - np.sinc(turn_rad() / 2 / np.pi))),
        ("phase", "244 kHz lose {:.1f}%", lambda: 100 * channel_loss()),
        ("noise", "√(2 · {:.0f})", lambda: SAMPLES),
        ("noise", "=  {:.2f} Jy", sample_rms_jy),
        ("noise", "= {:.2f} mJy/beam", thermal_mjy),
        ("noise", "2.72 deg | {:.3f} |", lambda: power(AiryBeam(), 1.0)),
        ("noise", "0.694 | {:.3f} |", lambda: power(AiryBeam(), 1.5)),
        ("noise", "3.17 deg | {:.3f} |", lambda: power(TaperedBeam(), 1.0)),
        ("noise", "0.765 | {:.3f} |", lambda: power(TaperedBeam(), 1.5)),
        ("noise", "is {:.0f}% below", lambda: 100 * (1 - power(AiryBeam(), 1.0) / power(TaperedBeam(), 1.0))),
        ("noise", "and {:.0f}% at 1.5", lambda: 100 * (1 - power(AiryBeam(), 1.5) / power(TaperedBeam(), 1.5))),
        ("noise", "{:.2f} deg at 54.57 deg", lambda: drift_deg() * np.cos(np.radians(STRIP_DEG))),
        ("noise", "passes from {:.2f}", lambda: from_east(1)),
        ("noise", "to {:.2f} of the Airy beam", lambda: from_east(-1)),
    ],
)
def test_a_number_is_what_is_computed(page, text, computed):
    written = " ".join((DOCS / f"{page}.md").read_text().split())
    assert " ".join(text.format(computed()).split()) in written
