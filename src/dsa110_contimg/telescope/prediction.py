"""What an interferometer measures of a list of point sources.

Each antenna and source has a phasor p = exp(2 pi i nu/c r . (s - s0)), with r the antenna's position, s the source and
s0 the phase centre. The visibility of antennas a and b is the sum over sources of A p[a] conj(p[b]), A being the flux
density that comes through the beam. In a Measurement Set a, b = ANTENNA1, ANTENNA2; the correlator's files hold
<E1* E2>, so there a, b = ant_2, ant_1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from dsa110_contimg.telescope.beams import BeamModel, beam_offsets
from dsa110_contimg.telescope.geometry import (
    SPEED_OF_LIGHT,
    apparent_directions,
    meridian_direction,
    meridian_frame,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dsa110_contimg.telescope.site import Site

#: Frequency at which catalogues of sources give their flux densities [Hz].
REFERENCE_HZ = 1.4e9

# The recurrence from channel to channel starts anew after this many steps.
_ANCHOR_CHANNELS = 48


class PointSources(NamedTuple):
    """Point sources with power-law spectra, S(nu) = S(1.4 GHz) (nu / 1.4 GHz)^alpha.

    Attributes
    ----------
    ra_deg, dec_deg : (S,) float64
        ICRS position [deg].
    flux_jy : (S,) float64
        Stokes I flux density at 1.4 GHz [Jy].
    alpha : (S,) float64
        Spectral index.
    """

    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    flux_jy: NDArray[np.float64]
    alpha: NDArray[np.float64]


def antenna_phasors(
    antenna_m: NDArray[np.float64], offsets: NDArray[np.float64], freq_hz: NDArray[np.float64]
) -> NDArray[np.complex64]:
    """exp(2 pi i nu/c r . (s - s0)) of every source, antenna and channel.

    Parameters
    ----------
    antenna_m : (A, 3) float64
        Antenna positions r, from any common origin [m].
    offsets : (S, 3) float64
        s - s0 of each source, in the frame of the positions.
    freq_hz : (C,) float64
        Channel centres on a uniform grid, ascending or descending [Hz].

    Returns
    -------
    (S, A, C) complex64
        Phases are worked out in float64.

    Raises
    ------
    ValueError
        The channels are not on a uniform grid.
    """
    steps = np.diff(freq_hz)
    step_hz = float(steps.mean()) if steps.size else 0.0
    if steps.size and np.abs(steps - step_hz).max() > 1e-3:
        raise ValueError("channels are not on a uniform grid")
    delays_s = (offsets @ antenna_m.T) / SPEED_OF_LIGHT
    phasors = np.empty((*delays_s.shape, freq_hz.size), dtype=np.complex64)
    _fill_phasors(delays_s, freq_hz, step_hz, phasors)
    return phasors


def sum_sources(
    phasors: NDArray[np.complex64],
    apparent_jy: NDArray[np.float32],
    ant_a: NDArray[np.int64],
    ant_b: NDArray[np.int64],
) -> NDArray[np.complex64]:
    """Sum over sources of A p[a] conj(p[b]) on each baseline.

    Parameters
    ----------
    phasors : (S, A, C) complex64
        From `antenna_phasors`.
    apparent_jy : (S, C) float32
        Flux density through the beam (see `apparent_flux`) [Jy].
    ant_a, ant_b : (B,) int64
        Indices into the second axis of `phasors`.

    Returns
    -------
    (B, C) complex64
        Visibilities [Jy].
    """
    n_channels = phasors.shape[-1]
    # Real and imaginary parts apart, antenna first: the sum then runs along the SIMD lanes through two short blocks.
    by_antenna = phasors.transpose(1, 0, 2)
    real = np.ascontiguousarray(by_antenna.real)
    imag = np.ascontiguousarray(by_antenna.imag)
    scaled_real = real * apparent_jy
    scaled_imag = imag * apparent_jy
    visibilities = np.empty((ant_a.size, n_channels), dtype=np.complex64)
    _sum_baselines(scaled_real, scaled_imag, real, imag, ant_a, ant_b, visibilities)
    return visibilities


def apparent_flux(
    sources: PointSources,
    directions: NDArray[np.float64],
    dec_rad: float,
    freq_hz: NDArray[np.float64],
    beam: BeamModel,
    axis_offset: tuple[float, float] = (0.0, 0.0),
) -> NDArray[np.float32]:
    """Flux density of each source through the beam of dishes on the meridian.

    Parameters
    ----------
    sources : PointSources
        S sources.
    directions : (S, 3) float64
        Their apparent places, unit vectors of the meridian frame.
    dec_rad : float
        Apparent declination of the pointing [rad].
    freq_hz : (C,) float64
        Channel centres [Hz].
    beam : BeamModel
        The primary beam.
    axis_offset : (float, float)
        Direction cosines, east and north of the pointing, of the beam's axis.

    Returns
    -------
    (S, C) float32
        [Jy]; 0 for sources more than a right angle from the pointing.
    """
    x, y = beam_offsets(directions, dec_rad)
    power = beam.power((x - axis_offset[0])[:, None], (y - axis_offset[1])[:, None], freq_hz)
    in_front = directions @ meridian_direction(dec_rad) > 0.0
    spectra = sources.flux_jy[:, None] * (freq_hz / REFERENCE_HZ) ** sources.alpha[:, None]
    return np.where(in_front[:, None], spectra * power, 0.0).astype(np.float32)


def predict(
    sources: PointSources,
    antenna_itrf_m: NDArray[np.float64],
    baselines: tuple[NDArray[np.int64], NDArray[np.int64]],
    mjd: NDArray[np.float64],
    dec_rad: float,
    site: Site,
    freq_hz: NDArray[np.float64],
    beam: BeamModel,
    centres: NDArray[np.float64] | None = None,
) -> Iterator[NDArray[np.complex64]]:
    """Visibilities of point sources that drift through the beam, an integration at a time.

    Parameters
    ----------
    sources : PointSources
        The sky.
    antenna_itrf_m : (A, 3) float64
        ITRF positions, absolute or from the site [m].
    baselines : ((B,) int64, (B,) int64)
        Antennas a and b (see the module's first lines).
    mjd : (T,) float64
        Middle of each integration [MJD, UTC].
    dec_rad : float
        Apparent declination of the pointing [rad].
    site : Site
        The observer, whose longitude is the phase meridian.
    freq_hz : (C,) float64
        Channel centres on a uniform grid [Hz].
    beam : BeamModel
        The primary beam.
    centres : (T, 3) float64, optional
        Apparent place of the phase centre in the meridian frame; by default hour angle 0 at `dec_rad`.

    Yields
    ------
    (B, C) complex64
        The visibilities of one integration [Jy].
    """
    directions = apparent_directions(sources.ra_deg, sources.dec_deg, mjd, site)
    if centres is None:
        centres = np.broadcast_to(meridian_direction(dec_rad), (len(mjd), 3))
    antenna_m = meridian_frame(antenna_itrf_m - np.mean(antenna_itrf_m, axis=0), site)
    for here, centre in zip(directions, centres, strict=True):
        phasors = antenna_phasors(antenna_m, here - centre, freq_hz)
        yield sum_sources(phasors, apparent_flux(sources, here, dec_rad, freq_hz, beam), *baselines)


@numba.njit(cache=True, nogil=True)
def _fill_phasors(
    delays_s: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    step_hz: float,
    phasors: NDArray[np.complex64],
) -> None:
    """Fill exp(2 pi i nu delay) by a recurrence from channel to channel."""
    n_sources, n_antennas = delays_s.shape
    for s in range(n_sources):
        for a in range(n_antennas):
            delay = delays_s[s, a]
            step = np.exp(2j * np.pi * (step_hz * delay))
            phasor = step
            for c in range(freq_hz.size):
                if c % _ANCHOR_CHANNELS == 0:
                    turns = freq_hz[c] * delay
                    phasor = np.exp(2j * np.pi * (turns - np.floor(turns)))
                phasors[s, a, c] = phasor
                phasor *= step


@numba.njit(cache=True, nogil=True, fastmath=True)
def _sum_baselines(
    scaled_real: NDArray[np.float32],
    scaled_imag: NDArray[np.float32],
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    ant_a: NDArray[np.int64],
    ant_b: NDArray[np.int64],
    visibilities: NDArray[np.complex64],
) -> None:
    """Sum A p[a] conj(p[b]) over sources; the arrays are (A, S, C)."""
    n_sources, n_channels = real.shape[1:]
    sum_real = np.empty(n_channels, dtype=np.float32)
    sum_imag = np.empty(n_channels, dtype=np.float32)
    for k in range(ant_a.size):
        a, b = ant_a[k], ant_b[k]
        sum_real[:] = 0.0
        sum_imag[:] = 0.0
        for s in range(n_sources):
            a_real, a_imag = scaled_real[a, s], scaled_imag[a, s]
            b_real, b_imag = real[b, s], imag[b, s]
            for c in range(n_channels):
                sum_real[c] += a_real[c] * b_real[c] + a_imag[c] * b_imag[c]
                sum_imag[c] += a_imag[c] * b_real[c] - a_real[c] * b_imag[c]
        for c in range(n_channels):
            visibilities[k, c] = complex(sum_real[c], sum_imag[c])
