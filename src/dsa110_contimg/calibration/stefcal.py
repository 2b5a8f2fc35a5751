"""Gains of all antennas from the products of their baselines: StefCal, all channels in parallel.

With the visibilities V_pq = g_p conj(g_q) M_pq of the baselines of one channel and polarization, their model M and
weights w (inverse variances), only the sums over time N_pq = sum w V conj(M) and D_pq = sum w |M|^2 are needed. While
the other gains are held, the best g_p is

    g_p = sum_q N_pq g_q / sum_q D_pq |g_q|^2

which is applied to all antennas at once, and after every second time averaged with the last gains, until they stay
(Salvini & Wijnholds 2014, A&A 571, A97, algorithm 1, with weights and with any model). Then the baselines are weighed
anew by their residuals, in units of their scatter s (from the median, which is s sqrt(2 ln 2) for |residual|): 1 below
k s and (k s / |residual|)^2 above, which is Huber's weight (Huber 1981, Robust Statistics, section 7.8) squared, so
that a wild baseline loses all influence; and the gains are found again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Residuals above so many times their scatter lose weight: one in 500 of thermal ones.
CUT = 3.5
# Relative change of the gains, root mean square, at which they have been found.
_TOLERANCE = 1e-5
_MOST_ITERATIONS = 200
#: An antenna needs so many baselines for a solution.
LEAST_BASELINES = 4
# Channels that are gathered at once: a cache line of complex64 in two polarizations.
_LANE = 4
_MEDIAN_OF_SQUARE = 2.0 * np.log(2.0)


class Stefcal(NamedTuple):
    """Gains of A antennas in C channels and P polarizations.

    Attributes
    ----------
    gains : (A, C, P) complex128
        0 where there is no solution.
    error : (A, C, P) float32
        One sigma of each component of a gain, the others held: 1 / sqrt(sum_q w D_pq |g_q|^2), times the scatter of
        the residuals where that is above what the weights say; infinite where there is no solution.
    scatter : (C, P) float32
        Rms of a component of the residuals, in units of what the weights say.
    converged : (C, P) bool
        Whether the gains stayed within 1e-5 in 200 iterations.
    """

    gains: NDArray[np.complex128]
    error: NDArray[np.float32]
    scatter: NDArray[np.float32]
    converged: NDArray[np.bool_]

    @property
    def snr(self) -> NDArray[np.float32]:
        """|g| over its error, 0 where there is no solution."""
        return np.asarray(np.abs(self.gains) / self.error, dtype=np.float32)


def stefcal(
    cross: NDArray[np.complex64],
    power: NDArray[np.float32],
    antennas: tuple[NDArray[np.int64], NDArray[np.int64]],
    start: NDArray[np.complex128],
    *,
    robust_rounds: int = 2,
) -> Stefcal:
    """Solve for gains.

    Parameters
    ----------
    cross : (B, C, P) complex64
        N, sums of w V conj(M).
    power : (B, C, P) float32
        D, sums of w |M|^2; 0 where there are no data.
    antennas : ((B,) int64, (B,) int64)
        p and q of each baseline, p != q; indices into the antennas of `start`.
    start : (A, C, P) complex128
        Gains to start from, delays included: the nearer, the faster.
    robust_rounds : int
        How often baselines are weighed anew; 0 is plain least squares.

    Returns
    -------
    Stefcal
        Phases are relative: all gains of a channel may be turned together.
    """
    _, n_channels, n_pol = start.shape
    gains = np.ascontiguousarray(start, dtype=np.complex64)
    information = np.zeros(start.shape, np.float32)
    scatter = np.zeros((n_channels, n_pol), np.float32)
    converged = np.zeros((n_channels, n_pol), np.bool_)
    _solve_channels(
        np.ascontiguousarray(cross), np.ascontiguousarray(power), *antennas,
        gains, information, scatter, converged, robust_rounds,
    )  # fmt: skip
    found = information > 0.0
    error = np.full(start.shape, np.inf, np.float32)
    np.divide(np.maximum(scatter, 1.0), np.sqrt(information), out=error, where=found)
    return Stefcal(np.where(found, gains, 0.0).astype(np.complex128), error, scatter, converged)


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def _solve_channels(
    cross: NDArray[np.complex64],
    power: NDArray[np.float32],
    ant_p: NDArray[np.int64],
    ant_q: NDArray[np.int64],
    gains: NDArray[np.complex64],
    information: NDArray[np.float32],
    scatter: NDArray[np.float32],
    converged: NDArray[np.bool_],
    robust_rounds: int,
) -> None:
    """Gather the baselines of a few channels into matrices, and solve each."""
    n_antennas, n_channels, n_pol = gains.shape
    for lane in numba.prange((n_channels + _LANE - 1) // _LANE):
        first = lane * _LANE
        here = min(_LANE, n_channels - first)
        real = np.zeros((here * n_pol, n_antennas, n_antennas), np.float32)
        imag = np.zeros_like(real)
        norm = np.zeros_like(real)
        for b in range(ant_p.size):
            p, q = ant_p[b], ant_q[b]
            for c in range(here):
                for pol in range(n_pol):
                    value = cross[b, first + c, pol]
                    k = c * n_pol + pol
                    real[k, p, q] = value.real
                    real[k, q, p] = value.real
                    imag[k, p, q] = value.imag
                    imag[k, q, p] = -value.imag
                    norm[k, p, q] = power[b, first + c, pol]
                    norm[k, q, p] = norm[k, p, q]
        for c in range(here):
            for pol in range(n_pol):
                k = c * n_pol + pol
                done, rms = _solve_one(
                    real[k], imag[k], norm[k], gains[:, first + c, pol], information[:, first + c, pol], robust_rounds
                )
                converged[first + c, pol] = done
                scatter[first + c, pol] = rms


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _solve_one(
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    norm: NDArray[np.float32],
    gains: NDArray[np.complex64],
    information: NDArray[np.float32],
    robust_rounds: int,
) -> tuple[bool, np.float32]:
    """Solve one channel, its (A, A) matrices being scaled down by what robust weights take."""
    n = gains.size
    for p in range(n):
        if np.count_nonzero(norm[p]) < LEAST_BASELINES:
            norm[p, :] = 0.0
            norm[:, p] = 0.0
    plain = norm.copy()
    g_real, g_imag = gains.real.copy(), gains.imag.copy()
    if robust_rounds > 0:
        # Before anything is known of the gains, what is far brighter than most baselines is wild.
        _weigh(real, imag, norm, plain, np.zeros_like(g_real), np.zeros_like(g_imag))
    done = _iterate(real, imag, norm, g_real, g_imag)
    for _ in range(robust_rounds):
        _weigh(real, imag, norm, plain, g_real, g_imag)
        done = _iterate(real, imag, norm, g_real, g_imag)
    scatter = np.float32(0.0)
    residuals = _residuals(real, imag, norm, g_real, g_imag)
    if residuals.size:
        scatter = np.sqrt(np.median(residuals) / np.float32(_MEDIAN_OF_SQUARE))
    for p in range(n):
        total = np.float32(0.0)
        for q in range(n):
            total += norm[p, q] * (g_real[q] ** 2 + g_imag[q] ** 2)
        information[p] = total
        gains[p] = complex(g_real[p], g_imag[p])
    return done, scatter


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract", "arcp"})
def _iterate(
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    norm: NDArray[np.float32],
    g_real: NDArray[np.float32],
    g_imag: NDArray[np.float32],
) -> bool:
    """Improve gains in place until they stay; those of antennas without data become 0."""
    n = g_real.size
    new_real, new_imag, size = np.empty_like(g_real), np.empty_like(g_real), np.empty_like(g_real)
    for iteration in range(_MOST_ITERATIONS):
        for q in range(n):
            size[q] = g_real[q] * g_real[q] + g_imag[q] * g_imag[q]
        for p in range(n):
            up_real, up_imag, down = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for q in range(n):
                up_real += real[p, q] * g_real[q] - imag[p, q] * g_imag[q]
                up_imag += real[p, q] * g_imag[q] + imag[p, q] * g_real[q]
                down += norm[p, q] * size[q]
            new_real[p] = up_real / down if down > 0.0 else np.float32(0.0)
            new_imag[p] = up_imag / down if down > 0.0 else np.float32(0.0)
        change, total = 0.0, 0.0
        for p in range(n):
            change += (new_real[p] - g_real[p]) ** 2 + (new_imag[p] - g_imag[p]) ** 2
            total += new_real[p] ** 2 + new_imag[p] ** 2
            half = np.float32(0.5 if iteration % 2 else 1.0)
            g_real[p] += half * (new_real[p] - g_real[p])
            g_imag[p] += half * (new_imag[p] - g_imag[p])
        if change <= _TOLERANCE**2 * total:
            return True
    return False


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _residuals(
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    norm: NDArray[np.float32],
    g_real: NDArray[np.float32],
    g_imag: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Squared residuals |N - G D|^2 / D of the baselines that have data."""
    n = g_real.size
    found = np.empty(n * (n - 1) // 2, np.float32)
    count = 0
    for p in range(n):
        for q in range(p):
            if norm[p, q] > 0.0:
                product_real = g_real[p] * g_real[q] + g_imag[p] * g_imag[q]
                product_imag = g_imag[p] * g_real[q] - g_real[p] * g_imag[q]
                off_real = real[p, q] - product_real * norm[p, q]
                off_imag = imag[p, q] - product_imag * norm[p, q]
                found[count] = (off_real * off_real + off_imag * off_imag) / norm[p, q]
                count += 1
    return found[:count]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _weigh(
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    norm: NDArray[np.float32],
    plain: NDArray[np.float32],
    g_real: NDArray[np.float32],
    g_imag: NDArray[np.float32],
) -> None:
    """Scale N and D by weights that follow from the residuals of the unscaled."""
    n = g_real.size
    for p in range(n):
        for q in range(n):
            if norm[p, q] > 0.0:
                back = plain[p, q] / norm[p, q]
                real[p, q] *= back
                imag[p, q] *= back
                norm[p, q] = plain[p, q]
    residuals = _residuals(real, imag, norm, g_real, g_imag)
    if residuals.size == 0:
        return
    square = np.median(residuals) / np.float32(_MEDIAN_OF_SQUARE)
    limit = np.float32(CUT * CUT) * square
    count = 0
    for p in range(n):
        for q in range(p):
            if norm[p, q] > 0.0:
                if residuals[count] > limit > 0.0:
                    weight = limit / residuals[count]
                    for i, k in ((p, q), (q, p)):
                        real[i, k] *= weight
                        imag[i, k] *= weight
                        norm[i, k] *= weight
                count += 1
