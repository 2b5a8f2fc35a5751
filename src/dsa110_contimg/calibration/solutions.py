"""What a solver finds: the gains of every antenna and polarization, with their errors.

A Measurement Set's visibility is ``DATA = g[ANTENNA1] conj(g[ANTENNA2]) MODEL``, and g is the product of K, B and G.
A delay K stands for g = exp(2 pi i tau (nu - nu_0)), nu_0 being the middle of the band, as CASA has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SolutionKind = Literal["K", "B", "G"]


@dataclass(frozen=True, eq=False)
class Solutions:
    """The solutions of one kind: T times, A rows of ANTENNA, C channels, P polarizations.

    A solution that is flagged has no value: 1 (0 s for a delay), with an infinite error and no SNR. One of low SNR
    is there with its error, and is not flagged unless the settings ask for it.

    Attributes
    ----------
    kind : {"K", "B", "G"}
        Delay, bandpass or gain.
    times_mjd : (T,) float64
        Middle of each solution's interval [MJD, UTC].
    interval_s : (T,) float64
        Length of each [s].
    freq_hz : (C,) float64
        Channel centres, ascending [Hz]; of K and G one, the middle of the band: the reference of the delays.
    channel_width_hz : float
        Width of a channel [Hz]; of K and G that of the band.
    values : (T, A, C, P) complex128, or float64 for K
        Gains [sqrt(counts/Jy)], or delays [s].
    error : (T, A, C, P) float32
        One sigma of each component of the gain along and across it, or of the delay [s].
    snr : (T, A, C, P) float32
        |g| over its error; of a delay that of the fringe it was found in.
    flags : (T, A, C, P) bool
        Where there is no solution.
    reference_antenna : int
        Row of ANTENNA whose phase (delay) is 0 at all times, channels and polarizations.
    antenna_names : (A,) tuple of str
        Station names.
    field_name : str
        What was looked at.
    field_direction_deg : (float, float)
        Its ICRS position [deg].
    history : tuple of str
        How it was made, for people.
    facts : dict
        How it was made, for machines: flux scale, model, settings. It can be written as JSON.
    """

    kind: SolutionKind
    times_mjd: NDArray[np.float64]
    interval_s: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    channel_width_hz: float
    values: NDArray[np.complex128] | NDArray[np.float64]
    error: NDArray[np.float32]
    snr: NDArray[np.float32]
    flags: NDArray[np.bool_]
    reference_antenna: int
    antenna_names: tuple[str, ...]
    field_name: str
    field_direction_deg: tuple[float, float]
    history: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (self.times_mjd.size, len(self.antenna_names), self.freq_hz.size)
        if self.kind not in get_args(SolutionKind):
            raise ValueError(f"{self.kind!r} is not a kind of solution")
        for name in ("values", "error", "snr", "flags"):
            found = getattr(self, name).shape
            if len(found) != 4 or found[:3] != shape or found != self.values.shape:
                raise ValueError(f"{name} of these {self.kind} solutions has shape {found}, not {(*shape, 'P')}")
        if self.interval_s.shape != self.times_mjd.shape:
            raise ValueError(f"{self.interval_s.size} intervals of {self.times_mjd.size} times")
        if np.iscomplexobj(self.values) == (self.kind == "K"):
            raise ValueError(f"values of {self.kind} solutions cannot be {self.values.dtype}")
        if not 0 <= self.reference_antenna < len(self.antenna_names):
            raise ValueError(f"reference antenna {self.reference_antenna} of {len(self.antenna_names)}")

    @property
    def working(self) -> NDArray[np.int64]:
        """Rows of ANTENNA with any solution."""
        return np.flatnonzero(~self.flags.all(axis=(0, 2, 3)))

    def gains(self, freq_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Give the solutions as complex gains g in some channels, by the time of the solution.

        Parameters
        ----------
        freq_hz : (N,) float64
            Channels [Hz]. Those of a bandpass must be its own.

        Returns
        -------
        (T, A, N, P) complex128
            Flagged solutions are 1.

        Raises
        ------
        ValueError
            The bandpass has other channels.
        """
        if self.kind == "K":
            turns = self.values * (freq_hz - self.freq_hz[0])[:, None]
            return np.asarray(np.exp(2j * np.pi * turns))
        if self.kind == "G":
            n_times, n_antennas, _, n_pol = self.values.shape
            return np.broadcast_to(self.values, (n_times, n_antennas, freq_hz.size, n_pol)).astype(np.complex128)
        if freq_hz.shape != self.freq_hz.shape or not np.allclose(freq_hz, self.freq_hz, rtol=0, atol=1.0):
            raise ValueError("the bandpass has other channels")
        return np.asarray(self.values, dtype=np.complex128)
