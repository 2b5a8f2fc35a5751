"""From a sky to what the correlator writes of one subband.

Every integration is fringestopped to hour angle 0 at the apparent declination of the pointing at its own mid-time.
Inside the integration the correlator follows that point of the sky, so that what lies off it smears: with more than
one sample an integration this is simulated, with one (at mid-time) it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from dsa110_contimg.simulation.array import correlator_baselines
from dsa110_contimg.simulation.noise import SAMPLES, fill_unit_noise, sefd_of_rms_jy
from dsa110_contimg.telescope.band import INTEGRATION_S
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT, apparent_directions, meridian_direction
from dsa110_contimg.telescope.prediction import antenna_phasors, apparent_flux, sum_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.simulation.array import ObservingArray
    from dsa110_contimg.simulation.gains import GainModel
    from dsa110_contimg.simulation.rfi import Interference
    from dsa110_contimg.telescope.beams import BeamModel
    from dsa110_contimg.telescope.prediction import PointSources
    from dsa110_contimg.telescope.site import Site

#: Rotation of the Earth in the apparent frame [rad per s of UTC].
EARTH_RATE_RAD_S = 7.292115e-5


class Pointing(NamedTuple):
    """Where the dishes look.

    Attributes
    ----------
    dec_rad : float
        Apparent declination of the phase centre, on the meridian [rad].
    beam : BeamModel
        The primary beam.
    beam_offset : (float, float)
        Direction cosines, east and north of the phase centre, of the beam's axis.
    """

    dec_rad: float
    beam: BeamModel
    beam_offset: tuple[float, float] = (0.0, 0.0)


class Receivers(NamedTuple):
    """What the array does to the sky's signal.

    Attributes
    ----------
    array : ObservingArray
        Antennas and their health.
    gains : GainModel
        Their gains.
    noise_jy : float
        Rms of each component of a cross-correlation [Jy].
    """

    array: ObservingArray
    gains: GainModel
    noise_jy: float


class GroupSky(NamedTuple):
    """The sources as one group sees them.

    Attributes
    ----------
    sources : PointSources
        S sources.
    mjd : (T,) float64
        Middle of each integration [MJD, UTC].
    directions : (T, N, S, 3) float64
        Apparent places at N samples in each integration, in the meridian frame.
    centres : (N, 3) float64
        The phase centre at these samples.
    """

    sources: PointSources
    mjd: NDArray[np.float64]
    directions: NDArray[np.float64]
    centres: NDArray[np.float64]


def group_sky(
    sources: PointSources, mjd: NDArray[np.float64], dec_rad: float, site: Site, oversample: int = 1
) -> GroupSky:
    """Work out the apparent places of a group's sources, `oversample` times an integration."""
    samples_s = ((np.arange(oversample) + 0.5) / oversample - 0.5) * INTEGRATION_S
    moments = (mjd[:, None] + samples_s / 86400.0).ravel()
    directions = apparent_directions(sources.ra_deg, sources.dec_deg, moments, site)
    hour_angle = EARTH_RATE_RAD_S * samples_s
    x, _, z = meridian_direction(dec_rad)
    centres = np.stack([x * np.cos(hour_angle), -x * np.sin(hour_angle), np.full(oversample, z)], axis=-1)
    return GroupSky(sources, mjd, directions.reshape(mjd.size, oversample, -1, 3), centres)


def observe_subband(
    sky: GroupSky,
    pointing: Pointing,
    receivers: Receivers,
    interference: Interference | None,
    freq_hz: NDArray[np.float64],
    rng: np.random.Generator,
    counts: NDArray[np.complex64],
) -> None:
    """Correlate one subband of one group.

    Parameters
    ----------
    sky : GroupSky
        What there is to see.
    pointing : Pointing
        Where the dishes look.
    receivers : Receivers
        What the array does to it.
    interference : Interference or None
        What comes from the ground.
    freq_hz : (C,) float64
        Channel centres in the order of the file [Hz].
    rng : numpy.random.Generator
        Where the noise comes from.
    counts : (2, T, B, C) complex64
        Is filled with <E1* E2> by polarization, integration, baseline and channel [counts].
    """
    array = receivers.array
    first, second = correlator_baselines(array.stations.size)
    shape = (2, first.size, freq_hz.size)
    slip = _slip(receivers.array, pointing.dec_rad, freq_hz)
    sefd_jy = sefd_of_rms_jy(receivers.noise_jy)
    received = np.empty(shape, dtype=np.complex64)
    noise = np.zeros(shape, dtype=np.complex64)
    for t, mjd in enumerate(sky.mjd):
        received[0] = 0.0
        _add_sky(sky, t, pointing, array, freq_hz, received[0])
        received[1] = received[0]
        if interference is not None:
            interference.add(received, t, freq_hz)
        if receivers.noise_jy > 0.0:
            fill_unit_noise(rng, noise)
        gains = (receivers.gains.at(mjd, freq_hz) * slip * array.voltage[..., None]).astype(np.complex64)
        _receive(
            received,
            noise,
            gains,
            array.sky,
            first,
            second,
            np.float32(receivers.noise_jy),
            np.float32(sefd_jy),
            np.float32(1.0 / np.sqrt(SAMPLES)),
            counts[:, t],
        )


def _add_sky(
    sky: GroupSky,
    t: int,
    pointing: Pointing,
    array: ObservingArray,
    freq_hz: NDArray[np.float64],
    visibilities: NDArray[np.complex64],
) -> None:
    """Add the mean of the samples of one integration to (B, C) visibilities [Jy]."""
    first, second = correlator_baselines(array.stations.size)
    for directions, centre in zip(sky.directions[t], sky.centres, strict=True):
        apparent = apparent_flux(
            sky.sources, directions, pointing.dec_rad, freq_hz, pointing.beam, pointing.beam_offset
        )
        phasors = antenna_phasors(array.true_m, directions - centre, freq_hz)
        visibilities += sum_sources(phasors, apparent / np.float32(len(sky.centres)), second, first)


def _slip(array: ObservingArray, dec_rad: float, freq_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Phase (A, C) that remains where the correlator takes an antenna to be where it is not."""
    path_m = (array.true_m - array.nominal_m) @ meridian_direction(dec_rad)
    return np.asarray(np.exp(2j * np.pi * path_m[:, None] * freq_hz / SPEED_OF_LIGHT))


@numba.njit(cache=True, nogil=True)
def _receive(
    received: NDArray[np.complex64],
    noise: NDArray[np.complex64],
    gains: NDArray[np.complex64],
    sensitivity: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    noise_jy: np.float32,
    sefd_jy: np.float32,
    relative_noise: np.float32,
    counts: NDArray[np.complex64],
) -> None:
    """Add noise and apply gains; (P, B, C), gains (P, A, C), sensitivity to the sky (P, A).

    Autocorrelations are real: the system's and the sky's power, with the noise of a radiometer.
    """
    n_polarizations, n_baselines, n_channels = received.shape
    for p in range(n_polarizations):
        for k in range(n_baselines):
            i, j = first[k], second[k]
            through = sensitivity[p, i] * sensitivity[p, j]
            if i == j:
                for c in range(n_channels):
                    power = through * received[p, k, c].real + sefd_jy
                    gain = gains[p, i, c].real ** 2 + gains[p, i, c].imag ** 2
                    counts[p, k, c] = gain * power * (1 + relative_noise * noise[p, k, c].real)
            else:
                for c in range(n_channels):
                    visibility = through * received[p, k, c] + noise_jy * noise[p, k, c]
                    counts[p, k, c] = np.conj(gains[p, i, c]) * gains[p, j, c] * visibility
