"""Months of measurements of made-up sources, some of which vary: light curves as the survey measures them, by arrays.

No visibilities and no images: fluxes with the errors that the images have, and with what errors do not say.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

BANDS_HZ = {"full": 1.405e9, "lower": 1.358e9, "upper": 1.452e9}
"""Frequencies of the bands."""
_FIRST_MJD = 60_950.0


class Behaviour(StrEnum):
    """What a source does."""

    STEADY = "steady"
    LENS = "lens"  # a dip of weeks between two caustics
    DIP = "dip"  # one without caustics
    CAUSTIC = "caustic"  # up at once, and slowly down
    FLARE = "flare"
    FLICKER = "flicker"  # always, as scintillation does
    DECAY = "decay"  # slowly down for months
    INTERFERENCE = "interference"  # a dip in the lower half of the band only


class Month(NamedTuple):
    """Made measurements of S sources on T days; one a source, day and band.

    Attributes
    ----------
    ra_deg, dec_deg : (S,) float64
        Where they are.
    behaviour : (S,) str
        What they do: values of `Behaviour`.
    flux_jy : (S,) float64
        Their mean flux densities.
    mjd : (S, T) float64
        When they were seen [MJD, UTC].
    flux, e_flux : dict of (S, T) float32
        Flux densities and their errors [Jy], by band; NaN where a source was not measured.
    size : (S,) float64
        How large the event is: depth, height or, for flicker, rms, as a part of the mean.
    event_mjd, width_d : (S,) float64
        Its middle [MJD, UTC] and its width [d]; NaN for those without one.
    """

    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    behaviour: NDArray[np.str_]
    flux_jy: NDArray[np.float64]
    mjd: NDArray[np.float64]
    flux: dict[str, NDArray[np.float32]]
    e_flux: dict[str, NDArray[np.float32]]
    size: NDArray[np.float64]
    event_mjd: NDArray[np.float64]
    width_d: NDArray[np.float64]


def simulate_months(
    behaviours: Mapping[Behaviour, int],
    *,
    n_days: int = 120,
    seed: int = 1,
    size: tuple[float, float] = (0.4, 0.4),
    width_d: tuple[float, float] = (4.0, 15.0),
    dec_deg: float = 54.6,
    noise_jy: float = 0.002,
    flux_jy: tuple[float, float] = (0.01, 2.0),
    gain_error: float = 0.02,
    patch_error: float = 0.01,
    missed: float = 0.1,
) -> Month:
    """Make up sources, what they do, and what is measured of them.

    Parameters
    ----------
    behaviours : mapping
        How many sources do what.
    n_days : int
        Days, with one measurement of each source in each band.
    seed : int
        Of the random numbers.
    size : (float, float)
        How large events are at least and at most, as a part of the mean flux.
    width_d : (float, float)
        How long they last [d].
    dec_deg : float
        Middle of the strip [deg]; sources are up to a degree from it, over 6 hours of right ascension.
    noise_jy : float
        Noise of the full band; that of a half is larger by the square root of two.
    flux_jy : (float, float)
        Flux densities are log-uniform between these [Jy].
    gain_error : float
        Rms of a factor of each source and day that no error tells of: what calibration leaves.
    patch_error : float
        Rms of one of each day that all sources within two degrees of right ascension share.
    missed : float
        Part of the days on which a source is not measured.
    """
    rng = np.random.default_rng(seed)
    does = np.repeat([str(each) for each in behaviours], list(behaviours.values()))
    n = does.size
    ra = rng.uniform(0.0, 90.0, n)
    dec = dec_deg + rng.uniform(-1.0, 1.0, n)
    mean = np.exp(rng.uniform(np.log(flux_jy[0]), np.log(flux_jy[1]), n))
    mjd = _FIRST_MJD + np.arange(n_days) * 0.99726957 + ra[:, None] / 360.0
    sizes, widths = rng.uniform(*size, n), rng.uniform(*width_d, n)
    middle = mjd.min() + n_days * rng.uniform(0.2, 0.8, n)
    u = (mjd - middle[:, None]) / (widths[:, None] / 2.0)
    common = 1.0 + patch_error * rng.normal(size=(int(np.ceil(90.0 / 2.0)), n_days))[(ra // 2.0).astype(int)]
    common *= 1.0 + gain_error * rng.normal(size=(n, n_days))
    random = rng.normal(size=(n, n_days))
    absent = rng.random((n, n_days)) < missed
    flux, error = {}, {}
    for band, freq_hz in BANDS_HZ.items():
        change = np.zeros((n, n_days))
        for behaviour in behaviours:
            one = does == behaviour
            change[one] = sizes[one, None] * _change(behaviour, u[one], random[one], mjd[one], freq_hz)
            if behaviour is Behaviour.INTERFERENCE:
                # The full band has half of it.
                change[one] *= {"full": 0.5, "lower": 1.0, "upper": 0.0}[band]
        noise = noise_jy * (1.0 if band == "full" else np.sqrt(2.0)) * np.exp(0.2 * rng.normal(size=(n, n_days)))
        spectrum = (freq_hz / BANDS_HZ["full"]) ** -0.7
        seen = mean[:, None] * spectrum * (1.0 + change) * common + noise * rng.normal(size=(n, n_days))
        flux[band] = np.where(absent, np.nan, seen).astype(np.float32)
        error[band] = np.where(absent, np.nan, noise).astype(np.float32)
    lasting = np.isin(does, [Behaviour.STEADY, Behaviour.FLICKER, Behaviour.DECAY])
    return Month(
        ra,
        dec,
        does,
        mean,
        mjd,
        flux,
        error,
        np.where(does == Behaviour.STEADY, 0.0, sizes),
        np.where(lasting, np.nan, middle),
        np.where(lasting, np.nan, widths),
    )


def _change(
    behaviour: Behaviour,
    u: NDArray[np.float64],
    random: NDArray[np.float64],
    mjd: NDArray[np.float64],
    freq_hz: float,
) -> NDArray[np.float64]:
    """Give the change of flux, of size 1, at distances u from the middle [half widths]; refraction is as 1 / freq^2."""
    depth = (BANDS_HZ["full"] / freq_hz) ** 2
    inside = np.abs(u) < 1.0
    if behaviour is Behaviour.LENS:
        # Rays that miss the lens pile up at its edges: an inverse square root, of the resolution of a source.
        horn = 0.35 / np.sqrt(np.maximum(np.abs(u) - 1.0, 0.0) + 0.05) * np.exp(-np.maximum(np.abs(u) - 1.0, 0.0) / 0.3)
        return depth * np.where(inside, -1.0, horn)
    if behaviour in {Behaviour.DIP, Behaviour.INTERFERENCE}:
        return -(depth if behaviour is Behaviour.DIP else 1.0) / (1.0 + np.abs(u) ** 6)
    if behaviour is Behaviour.CAUSTIC:
        return np.where(u >= -1.0, 1.0 / np.sqrt(1.0 + 4.0 * np.maximum(u + 1.0, 0.0)) * np.exp(-(u + 1.0) / 2.0), 0.0)
    if behaviour is Behaviour.FLARE:
        return np.exp(-np.log(2.0) * u**2)
    if behaviour is Behaviour.FLICKER:
        # Days are alike that are near each other: a memory of some days.
        value = np.empty_like(random)
        value[:, 0] = random[:, 0]
        for day in range(1, random.shape[1]):
            value[:, day] = 0.8 * value[:, day - 1] + 0.6 * random[:, day]
        return value
    if behaviour is Behaviour.DECAY:
        return 0.5 - (mjd - mjd.min()) / np.ptp(mjd)
    return np.zeros_like(u)
