"""What ails an antenna, as a solver sees it: dead, deaf, swapped with another, weak, noisy.

Where two antennas' cables are exchanged, the signal of one is looked for in the other's place: a calibrator in
direction s leaves the phase 2 pi nu/c (r_q - r_p) . s in antenna p, which turns while s moves through the beam. The
mean over time loses the calibrator; with the turn of the right partner taken out it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import fft

from dsa110_contimg.calibration.delays import LEAST_FRINGE_SNR
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

POLARIZATIONS = ("XX", "YY")
# Phases that stay through a group have a mean vector of length 1; under this, they move as no gain should.
_COHERENT = 0.95
# Below it, noise alone takes 1% of that length.
_LEAST_PHASE_SNR = 10.0
# The calibrator is seen weakly: less than this part of the array's median.
_FAINT = 0.5
# Taking out the turn of the right partner must better both by this factor.
_BETTER = 1.03
# So much more noise than the array's median is worth naming.
_NOISY = 2.0
# No receiver is better: data with less have no noise at all, and then no noisy antennas.
_LEAST_SEFD_JY = 100.0


class Ailment(NamedTuple):
    """What is wrong with one antenna.

    Attributes
    ----------
    antenna : str
        Station name.
    polarizations : tuple of str
        In which.
    kind : str
        ``no data``, ``dead``, ``deaf``, ``swapped`` (without solutions), ``unstable``, ``weak``, ``noisy`` (with).
    text : str
        In words.
    """

    antenna: str
    polarizations: tuple[str, ...]
    kind: str
    text: str

    @property
    def is_lost(self) -> bool:
        """Whether there are no solutions for it."""
        return self.kind in {"dead", "deaf", "swapped", "no data"}

    def __str__(self) -> str:
        return f"antenna {self.antenna} ({', '.join(self.polarizations)}): {self.text}"


class Signs(NamedTuple):
    """What is known of A antennas in P polarizations.

    Attributes
    ----------
    has_data : (A, P) bool
        Any unflagged sample.
    dead : (A, P) bool
        No power in its autocorrelation.
    seen : (A, P) float64
        Signal-to-noise ratio with which it sees the calibrator; 0 if not at all.
    coherence : (A, P) float64
        Length of the mean of its phases' unit vectors over time.
    channel_snr : (A, P) float64
        Median signal-to-noise ratio in a channel.
    sefd_jy : (A, P) float64
        System equivalent flux density [Jy]; not a number where it is not known.
    """

    has_data: NDArray[np.bool_]
    dead: NDArray[np.bool_]
    seen: NDArray[np.float64]
    coherence: NDArray[np.float64]
    channel_snr: NDArray[np.float64]
    sefd_jy: NDArray[np.float64]

    @property
    def suspects(self) -> NDArray[np.int64]:
        """Antennas with power that see the calibrator faintly or with a moving phase."""
        alive = self.has_data & ~self.dead
        seeing = self.seen > 0.0
        faint = np.zeros_like(alive)
        for pol in range(alive.shape[1]):
            usual = np.median(self.seen[seeing[:, pol], pol]) if seeing[:, pol].any() else 0.0
            faint[:, pol] = self.seen[:, pol] < _FAINT * usual
        return np.flatnonzero((alive & (faint | (self.coherence < _COHERENT))).any(axis=1))


def coherence(gains: NDArray[np.complex128], snr: NDArray[np.float32]) -> NDArray[np.float64]:
    """Length of the mean over time of the phases' unit vectors, (A, P), from gains (A, T, P).

    It is 1 where there are no gains, or where noise alone would move their phases.
    """
    size = np.where(np.median(snr, axis=1, keepdims=True) >= _LEAST_PHASE_SNR, np.abs(gains), 0.0)
    unit = np.divide(gains, size, out=np.zeros_like(gains), where=size > 0.0)
    count = np.count_nonzero(size, axis=1)
    return np.where(count > 0, np.abs(unit.sum(axis=1)) / np.maximum(count, 1), 1.0)


def exchange_turns(
    from_m: NDArray[np.float64],
    to_m: NDArray[np.float64],
    directions: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
) -> NDArray[np.complex128]:
    """Phase in an antenna that is taken to be at one place and is at another, relative to the middle of the time.

    Parameters
    ----------
    from_m, to_m : (3,) float64
        Where it is taken to be, and where it is, meridian frame [m].
    directions : (T, 3) float64
        Apparent places of the calibrator.
    freq_hz : (C,) float64
        [Hz].

    Returns
    -------
    (T, C) complex128
    """
    moved = directions - directions[len(directions) // 2]
    turns = (moved @ (to_m - from_m))[:, None] * freq_hz / SPEED_OF_LIGHT
    return np.asarray(np.exp(2j * np.pi * turns))


def find_swapped(
    spectra: NDArray[np.complex64], suspects: NDArray[np.int64], turns: Callable[[int, int], NDArray[np.complex128]]
) -> list[tuple[int, int]]:
    """Find pairs whose phases each turn as the other's place predicts.

    Parameters
    ----------
    spectra : (K, T, C, P) complex64
        What each of the K suspects sees of the calibrator, in each integration and channel.
    suspects : (K,) int64
        Their indices.
    turns : callable
        `exchange_turns` of a pair of indices.

    Returns
    -------
    list of (int, int)
        Pairs of indices.
    """
    n_suspects = len(suspects)
    plain = [_fringe(spectrum)[0] for spectrum in spectra]
    better = np.zeros((n_suspects, n_suspects))
    for k in range(n_suspects):
        for other in range(n_suspects):
            if other != k:
                turn = turns(int(suspects[k]), int(suspects[other])).astype(np.complex64)
                height, snr = _fringe(spectra[k] * turn.conj()[..., None])
                if snr >= LEAST_FRINGE_SNR and height >= _BETTER * plain[k]:
                    better[k, other] = height / plain[k]
    both = np.minimum(better, better.T)
    pairs = []
    while both.size and both.max() > 0.0:
        k, other = (int(i) for i in np.unravel_index(both.argmax(), both.shape))
        pairs.append((int(suspects[k]), int(suspects[other])))
        both[[k, other]] = 0.0
        both[:, [k, other]] = 0.0
    return pairs


def name_ailments(
    signs: Signs, names: list[str], swapped: list[tuple[int, int]], min_snr: float
) -> tuple[Ailment, ...]:
    """Name each antenna that is not well, with what ails it.

    Parameters
    ----------
    signs : Signs
        What is known.
    names : (A,) list of str
        Station names.
    swapped : list of (int, int)
        From `find_swapped`.
    min_snr : float
        Signal-to-noise ratio in the median channel under which an antenna is weak.
    """
    usual = np.nanmedian(signs.sefd_jy) if np.isfinite(signs.sefd_jy).any() else np.nan
    partner = {k: names[other] for pair in swapped for k, other in (pair, pair[::-1])}
    ailments = []
    for k, name in enumerate(names):
        if k in partner:
            text = f"sees the calibrator from the place of antenna {partner[k]}: their cables are exchanged"
            ailments.append(Ailment(name, POLARIZATIONS, "swapped", text))
            continue
        said: dict[tuple[str, str], list[int]] = {}
        for pol in range(signs.seen.shape[1]):
            verdict = _verdict(signs, k, pol, min_snr, float(usual))
            if verdict is not None:
                said.setdefault(verdict, []).append(pol)
        ailments += [
            Ailment(name, tuple(POLARIZATIONS[pol] for pol in pols), *verdict) for verdict, pols in said.items()
        ]
    return tuple(ailments)


def _verdict(signs: Signs, k: int, pol: int, min_snr: float, usual_jy: float) -> tuple[str, str] | None:
    """What ails one polarization of one antenna, and in words."""
    if not signs.has_data[k, pol]:
        return "no data", "all of its data are flagged or lacking"
    if signs.dead[k, pol]:
        return "dead", "no power in its autocorrelation"
    if signs.seen[k, pol] <= 0.0:
        return "deaf", "noise, but no sky: no fringe with any antenna"
    if signs.coherence[k, pol] < _COHERENT:
        return "unstable", "its phase moves through the group as no gain should"
    if signs.channel_snr[k, pol] < min_snr:
        return "weak", f"signal-to-noise ratio in a channel under {min_snr:g}; kept with its error"
    if signs.sefd_jy[k, pol] > _NOISY * max(usual_jy, _LEAST_SEFD_JY):
        return "noisy", f"over {_NOISY:g} times the system equivalent flux density of the others"
    return None


def _fringe(spectrum: NDArray[np.complex64]) -> tuple[float, float]:
    """Height and signal-to-noise ratio of the strongest fringe of (T, C, P), its phase held over time."""
    mean = spectrum.sum(axis=0)
    size = np.abs(fft.fft(mean, n=fft.next_fast_len(2 * mean.shape[0]), axis=0)).astype(np.float64)
    height = size.max(axis=0)
    noise = np.median(size, axis=0) / np.sqrt(2.0 * np.log(2.0))
    ratio = np.divide(height, noise, out=np.zeros_like(height), where=noise > 0.0)
    return float(np.linalg.norm(height)), float(ratio.max())
