"""Taking outliers out of the visibilities: what they look like, their gains, and what of the field is in the way.

Round by round: the sources that are extended are imaged, the gains of all are solved for jointly and what they explain
is taken out; then the brightest of the field is taken out as well, for as long as this goes on, and what is left is
solved for again. In the end the field is put back, and so are sources that cannot be told from noise.
"""

from __future__ import annotations

import itertools
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.imaging.outlier_field import Field, add_field, find_field
from dsa110_contimg.imaging.outlier_fit import (
    EASTWARD,
    ITSELF,
    NORTHWARD,
    SMEARED,
    Column,
    Points,
    Visibilities,
    smooth_functions,
)
from dsa110_contimg.imaging.outlier_shape import POINT, Shape, disc, find_shape
from dsa110_contimg.telescope.geometry import apparent_directions
from dsa110_contimg.telescope.prediction import PointSources, apparent_flux

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.outliers import Outlier, Outliers
    from dsa110_contimg.imaging.samples import Samples
    from dsa110_contimg.telescope.beams import BeamModel

log = logging.getLogger(__name__)

_ROUNDS = 3
# Signal-to-noise ratios from which on gains are polynomials of degree 1, 2, 3.
_ORDERS = (50.0, 1000.0, 10000.0)
# From which on a source may be a little elsewhere, and smeared.
_MOVES = 2000.0
# Below which it is left where it is.
_SEEN = 5.0
# Rounds end when a round takes less than this many times the noise.
_SETTLED = 1.0


class Fitted(NamedTuple):
    """What was found of an outlier.

    Attributes
    ----------
    name : str
        Its name.
    distance_deg : float
        From the phase centre [deg].
    expected_jy, fitted_jy, error_jy : float
        Flux density through the beam, in the mean over time and band: expected, found, and its error [Jy].
    variation : float
        Largest over least amplitude of its gain in time and frequency.
    order : int
        Degree of the polynomials of its gain.
    n_points : int
        Points that it consists of.
    offset_arcsec : tuple of float
        How far east and north of its place it was found [arcsec]; 0 if that was not solved for.
    subtracted : bool
        Whether it was seen, and subtracted.
    """

    name: str
    distance_deg: float
    expected_jy: float
    fitted_jy: float
    error_jy: float
    variation: float
    order: int
    n_points: int
    offset_arcsec: tuple[float, float]
    subtracted: bool


class Subtracted(NamedTuple):
    """What `subtract_outliers` did.

    Attributes
    ----------
    sources : tuple of Fitted
        The brightest, as expected, first.
    chi2_before, chi2_after : float
        Mean of the visibilities' power over that of the noise, without the brightest of the field afterwards.
    seconds : float
        It took.
    """

    sources: tuple[Fitted, ...]
    chi2_before: float
    chi2_after: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Figures for records."""
        return {
            "sources": [
                {
                    "name": source.name,
                    "distance_deg": round(source.distance_deg, 3),
                    "expected_jy": round(source.expected_jy, 4),
                    "fitted_jy": round(source.fitted_jy, 4),
                    "error_jy": round(source.error_jy, 5),
                    "variation": round(source.variation, 3) if np.isfinite(source.variation) else None,
                    "order": source.order,
                    "points": source.n_points,
                    "offset_arcsec": [round(value, 2) for value in source.offset_arcsec],
                    "subtracted": source.subtracted,
                }
                for source in self.sources
            ],
            "chi2_before": round(self.chi2_before, 4),
            "chi2_after": round(self.chi2_after, 4),
            "seconds": round(self.seconds, 2),
        }


class _Taken(NamedTuple):
    """Something that was taken out of the visibilities, to be put back perhaps."""

    points: Points
    columns: list[Column]
    gains: NDArray[np.complex64]


class _Source:
    """An outlier while it is solved for."""

    def __init__(self, outlier: Outlier, expected: NDArray[np.float64], middles: NDArray[np.float64]) -> None:
        self.outlier = outlier
        self.expected = expected
        self.middles = middles
        self.shape = POINT
        self.gain = np.zeros(expected.shape, dtype=np.complex64)
        self.shift = np.zeros(2)
        self.error = 0.0
        self.order = 0
        self.taken: list[_Taken] = []

    @property
    def middle(self) -> NDArray[np.float64]:
        """(l, m, n - 1) at mid-time."""
        return np.asarray(self.middles[self.middles.shape[0] // 2])

    @property
    def flux_jy(self) -> float:
        """Flux density through the beam that was found, in the mean over time and band [Jy]."""
        return float(abs(self.gain.mean()) * self.shape.flux.sum())


def subtract_outliers(samples: Samples, observation: Observation, outliers: Outliers, beam: BeamModel) -> Subtracted:
    """Solve for outliers, and subtract them in place from ``samples.visibilities``.

    Parameters
    ----------
    samples : Samples
        What is imaged.
    observation : Observation
        Its times, phase centre and pointing.
    outliers : Outliers
        What `find_outliers` found.
    beam : BeamModel
        The primary beam that they are expected to be seen through.
    """
    since = time.perf_counter()
    if not outliers.sources:
        return Subtracted((), 1.0, 1.0, 0.0)
    data = Visibilities(samples, observation, outliers.threads)
    sources = [_prepare(outlier, observation, data, beam) for outlier in outliers.sources]
    noise_jy = 1.0 / np.sqrt(max(float(samples.weights.sum(dtype=np.float64)), 1e-30))
    before = 1.0
    fields: list[Field] = []
    for number in range(_ROUNDS):
        for source in sources:
            if source.outlier.extent_rad > 0.0:
                _improve_shape(data, source, first=number == 0)
        chi2, most_jy = _solve(data, sources, noise_jy, first=number == 0)
        before = chi2 if number == 0 else before
        log.debug("outliers, round %d: %.4f Jy at most", number + 1, most_jy)
        if number == _ROUNDS - 1 or (number > 0 and most_jy < _SETTLED * noise_jy * np.sqrt(max(1.0, chi2))):
            break
        fields.append(find_field(data, outliers.grid))
        add_field(data, fields[-1], -1.0)
    after = data.chi2()
    excess = max([1.0, *(field.noise for field in fields[-1:])])
    fitted = tuple(_judge(data, source, noise_jy * excess) for source in sources)
    for field in fields:
        add_field(data, field, 1.0)
    return Subtracted(fitted, before, after, time.perf_counter() - since)


def _prepare(outlier: Outlier, observation: Observation, data: Visibilities, beam: BeamModel) -> _Source:
    """Work out where a source is, and what should come through the beam."""
    mjd = observation.times_mjd
    directions = apparent_directions(outlier.ra_deg, outlier.dec_deg, mjd, observation.site)
    points = PointSources(outlier.ra_deg, outlier.dec_deg, outlier.flux_jy, outlier.alpha)
    apparent = np.array(
        [apparent_flux(points, here, observation.pointing_dec_rad, data.samples.freq_hz, beam) for here in directions],
        dtype=np.float64,
    )
    lmn = data.directions(directions)
    # The brightest is the middle.
    source = _Source(outlier, apparent.sum(axis=1), np.ascontiguousarray(lmn[:, :1]))
    if len(outlier.ra_deg) > 1:
        middle = lmn[len(mjd) // 2]
        parts = apparent.mean(axis=(0, 2))
        source.shape = Shape(middle - middle[0], (parts / parts.sum()).astype(np.float32))
    return source


def _improve_shape(data: Visibilities, source: _Source, *, first: bool) -> None:
    """Find the shape of an extended source, or what is missing of it."""
    gain = source.expected.astype(np.complex64) if first else source.gain
    found = find_shape(data, source.middle, source.outlier.extent_rad, gain)
    if first:
        source.shape = disc(source.middle, source.outlier.extent_rad / 2) if found is None else found
    elif found is not None:
        points = _joined([Shape(found.further, found.flux)], source.middles)
        columns = [Column(0, ITSELF, source.gain[None].astype(np.complex128))]
        taken = _Taken(points, columns, source.gain[None])
        data.subtract(*taken)
        source.taken.append(taken)
        source.shape = Shape(
            np.concatenate([source.shape.further, found.further]), np.concatenate([source.shape.flux, found.flux])
        )


def _solve(data: Visibilities, sources: list[_Source], noise_jy: float, *, first: bool) -> tuple[float, float]:
    """Solve for all gains and take what they explain out; chi2 before, and the largest change [Jy]."""
    columns: list[Column] = []
    for index, source in enumerate(sources):
        flux_jy = float(source.expected.mean()) if first else source.flux_jy
        ratio = flux_jy / noise_jy
        # What is expected may be far off; a polynomial of a higher degree comes once the source was seen.
        source.order = min(int(np.searchsorted(_ORDERS, ratio)), 1 if first else len(_ORDERS))
        columns.append(Column(index, ITSELF, smooth_functions(source.expected, source.order)))
        if not first and ratio > _MOVES:
            columns += [
                Column(index, kind, source.gain[None].astype(np.complex128)) for kind in (SMEARED, EASTWARD, NORTHWARD)
            ]
    points = _joined([source.shape for source in sources], np.concatenate([s.middles for s in sources], axis=1))
    solution = data.solve(points, columns)
    data.subtract(points, columns, solution.gains)
    most_jy = 0.0
    for index, source in enumerate(sources):
        own = [q for q, column in enumerate(columns) if column.source == index]
        here = [columns[q]._replace(source=0) for q in own]
        source.taken.append(_Taken(points.only(index), here, solution.gains[own]))
        change = solution.gains[own[0]]
        weight = float(source.shape.flux.sum())
        if len(own) > 1:
            source.shift += [_along(solution.gains[q], source.gain) for q in own[2:]]
        source.gain = source.gain + change
        source.error = float(solution.errors[own[0]]) * weight
        most_jy = max(most_jy, float(np.sqrt(np.mean(abs(change) ** 2))) * weight)
    return solution.chi2, most_jy


def _judge(data: Visibilities, source: _Source, noise_jy: float) -> Fitted:
    """Put a source back that is not seen; figures of it."""
    seen = source.flux_jy > _SEEN * max(source.error, noise_jy)
    if not seen:
        for taken in source.taken:
            data.subtract(taken.points, taken.columns, -taken.gains)
    amplitude = abs(source.gain)
    least = float(amplitude.min())
    east, north = np.degrees(source.shift) * 3600
    fitted = Fitted(
        source.outlier.name,
        source.outlier.distance_deg,
        float(source.expected.mean()),
        source.flux_jy,
        max(source.error, noise_jy),
        float(amplitude.max()) / least if least > 0.0 else float("inf"),
        source.order,
        int(source.shape.flux.size),
        (float(east), float(north)),
        seen,
    )
    log.info(
        "%s, %.2f deg away: %.3f Jy expected, %.3f +- %.3f Jy found%s",
        fitted.name,
        fitted.distance_deg,
        fitted.expected_jy,
        fitted.fitted_jy,
        fitted.error_jy,
        "" if seen else ": left as it is",
    )
    return fitted


def _along(change: NDArray[np.complex64], gain: NDArray[np.complex64]) -> float:
    """Shift [rad] of which the derivative's coefficient is the real part of change / gain."""
    power = float((abs(gain) ** 2).sum())
    return float((change * gain.conj()).sum().real) / power if power > 0.0 else 0.0


def _joined(shapes: list[Shape], middles: NDArray[np.float64]) -> Points:
    """Put shapes together."""
    first = np.array([0, *itertools.accumulate(shape.flux.size for shape in shapes)])
    further = np.ascontiguousarray(np.concatenate([shape.further for shape in shapes]))
    return Points(middles, further, np.concatenate([shape.flux for shape in shapes]), first)
