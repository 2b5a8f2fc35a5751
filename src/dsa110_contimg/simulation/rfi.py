"""Interference from the ground: transmitters that do not move with the sky.

Each antenna receives an emitter over a path of its own, through a side lobe of its own. The correlator fringestops
the sky and so makes the emitter's phase turn: its contribution fades on long east-west baselines, as it does in life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.simulation.array import correlator_baselines
from dsa110_contimg.simulation.correlator import EARTH_RATE_RAD_S
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, INTEGRATION_S, N_CHANNELS, band_frequencies_hz
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT, meridian_direction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.simulation.array import ObservingArray
    from dsa110_contimg.telescope.site import Site

_N_NARROW, _N_WIDE = 8, 2
_WIDE_CHANNELS = 82
_BURST_CHANCE = 0.08
_SIDE_LOBE_SCATTER = 0.5
# Streams of chance: the emitters themselves, each antenna's side lobes, what is on in an integration.
_EMITTERS, _SIDE_LOBES, _ACTIVITY = 1, 2, 3


class Emitter(NamedTuple):
    """A transmitter on the ground.

    Attributes
    ----------
    kind : str
        ``narrow`` (1-3 channels), ``wide`` (20 MHz) or ``burst``.
    position_m : (3,) float64
        Where it stands: meridian frame, from the site [m].
    low_hz, high_hz : float
        Edges of what it occupies, on edges of channels [Hz].
    flux_jy : float
        Strength in a typical side lobe [Jy].
    share : (float, float)
        Of it in each polarization.
    duty : float
        Chance that it is on in an integration.
    number : int
        Tells it from others.
    """

    kind: str
    position_m: NDArray[np.float64]
    low_hz: float
    high_hz: float
    flux_jy: float
    share: tuple[float, float]
    duty: float
    number: int


class Transmission(NamedTuple):
    """An emitter and the integrations of a group in which it is on."""

    emitter: Emitter
    integrations: tuple[int, ...]


class Interference:
    """All interference in one group.

    Parameters
    ----------
    transmissions : list of Transmission
        What is on when.
    array : ObservingArray
        What receives it.
    dec_rad : float
        Apparent declination to which the correlator fringestops [rad].
    seed : int
        Decides the side lobes.
    """

    def __init__(self, transmissions: list[Transmission], array: ObservingArray, dec_rad: float, seed: int) -> None:
        self.transmissions = transmissions
        self._baselines = correlator_baselines(array.stations.size)
        self._centre_path_m = array.nominal_m @ meridian_direction(dec_rad)
        self._antenna_m = array.true_m
        first, second = self._baselines
        east_m = array.nominal_m[second, 1] - array.nominal_m[first, 1]
        # Turns of the fringestopping phase in an integration, per Hz of frequency.
        self._turns_per_hz = east_m * np.cos(dec_rad) * EARTH_RATE_RAD_S * INTEGRATION_S / SPEED_OF_LIGHT
        self._side_lobes = {
            one.emitter.number: _side_lobes(seed, one.emitter.number, array.stations) for one in transmissions
        }

    def add(self, received: NDArray[np.complex64], integration: int, freq_hz: NDArray[np.float64]) -> None:
        """Add what is on in this integration to visibilities (2, B, C) [Jy], in place."""
        for emitter, integrations in self.transmissions:
            inside = (freq_hz > emitter.low_hz) & (freq_hz < emitter.high_hz)
            if integration in integrations and inside.any():
                visibilities = self._visibilities(emitter, freq_hz[inside])
                for p, share in enumerate(emitter.share):
                    received[p][:, inside] += np.float32(share) * visibilities

    def as_json(self) -> list[dict[str, Any]]:
        """Say what was on where, for the truth file: a mask in integrations and frequency."""
        return [
            {
                "kind": emitter.kind,
                "low_hz": emitter.low_hz,
                "high_hz": emitter.high_hz,
                "flux_jy": emitter.flux_jy,
                "integrations": list(integrations),
            }
            for emitter, integrations in self.transmissions
        ]

    def _visibilities(self, emitter: Emitter, freq_hz: NDArray[np.float64]) -> NDArray[np.complex64]:
        """<E1* E2> (B, C) of one emitter in both polarizations [Jy]."""
        first, second = self._baselines
        # A wave from a source s reaches an antenna at r by r.s sooner; from the ground, by the distance later.
        path_m = -np.linalg.norm(self._antenna_m - emitter.position_m, axis=1) - self._centre_path_m
        turns = (path_m - path_m.mean())[:, None] * freq_hz / SPEED_OF_LIGHT
        voltages = self._side_lobes[emitter.number][:, None] * np.exp(2j * np.pi * turns)
        fading = np.sinc(self._turns_per_hz[:, None] * freq_hz)
        power = emitter.flux_jy * fading * np.conj(voltages[first]) * voltages[second]
        return np.asarray(power.astype(np.complex64))


def group_interference(
    seed: int, first_integration: int, n_integrations: int, array: ObservingArray, dec_rad: float, site: Site
) -> Interference:
    """Draw one group's interference.

    Parameters
    ----------
    seed : int
        Decides which emitters there are, for the whole run.
    first_integration : int
        Number of the group's first integration in the run.
    n_integrations : int
        How many it has.
    array, dec_rad, site
        As in `Interference`, and where the array stands.
    """
    emitters = _emitters(seed, site)
    on: list[list[int]] = [[] for _ in emitters]
    transmissions = []
    for t in range(n_integrations):
        number = first_integration + t
        rng = np.random.default_rng([seed, _ACTIVITY, number])
        for k, emitter in enumerate(emitters):
            if rng.uniform() < emitter.duty:
                on[k].append(t)
        if rng.uniform() < _BURST_CHANCE:
            burst = _emitter("burst", rng, site, int(rng.integers(8, 200)), len(emitters) + number)
            transmissions.append(Transmission(burst, (t,)))
    steady = [Transmission(emitter, tuple(times)) for emitter, times in zip(emitters, on, strict=True) if times]
    return Interference(steady + transmissions, array, dec_rad, seed)


def _emitters(seed: int, site: Site) -> list[Emitter]:
    rng = np.random.default_rng([seed, _EMITTERS])
    kinds = ["narrow"] * _N_NARROW + ["wide"] * _N_WIDE
    widths = [int(n) for n in rng.integers(1, 4, _N_NARROW)] + [_WIDE_CHANNELS] * _N_WIDE
    return [_emitter(kind, rng, site, width, k) for k, (kind, width) in enumerate(zip(kinds, widths, strict=True))]


def _emitter(kind: str, rng: np.random.Generator, site: Site, n_channels: int, number: int) -> Emitter:
    """Draw an emitter that occupies so many channels."""
    latitude = np.radians(site.latitude_deg)
    azimuth, distance_m = rng.uniform(0.0, 2 * np.pi), rng.uniform(5e3, 40e3)
    east, north = distance_m * np.sin(azimuth), distance_m * np.cos(azimuth)
    strengths_jy = {"narrow": (30.0, 3000.0), "wide": (10.0, 100.0), "burst": (100.0, 1000.0)}[kind]
    low_hz = band_frequencies_hz()[int(rng.integers(0, N_CHANNELS - n_channels + 1))] - CHANNEL_WIDTH_HZ / 2
    share = rng.uniform(0.2, 1.8)
    return Emitter(
        kind=kind,
        position_m=np.array([-north * np.sin(latitude), east, north * np.cos(latitude)]),
        low_hz=float(low_hz),
        high_hz=float(low_hz + n_channels * CHANNEL_WIDTH_HZ),
        flux_jy=float(np.exp(rng.uniform(*np.log(strengths_jy)))),
        share=(float(share), float(2.0 - share)),
        duty=float(rng.uniform(0.3, 1.0) if kind == "narrow" else rng.uniform(0.2, 0.5)),
        number=number,
    )


def _side_lobes(seed: int, number: int, stations: NDArray[np.int64]) -> NDArray[np.complex128]:
    """Voltage (A,) that each antenna's side lobe lets through, 1 in the median, with any phase."""
    drawn = [np.random.default_rng([seed, _SIDE_LOBES, number, int(station)]) for station in stations]
    amplitude = np.exp(_SIDE_LOBE_SCATTER * np.array([rng.normal() for rng in drawn]))
    return np.asarray(amplitude * np.exp(2j * np.pi * np.array([rng.uniform() for rng in drawn])))
