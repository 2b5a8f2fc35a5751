"""Taking outliers out of the visibilities: what they look like, their gains, and what of the field is in the way.

All is done on a copy of some of the channels. Round by round: the sources that are extended are imaged, the gains of
all are solved for jointly and what they explain is taken out; sources that cannot be told from noise are dropped; then
the brightest of the field is taken out as well, or solved for, and what is left is solved for again. In the end what
was found of the outliers, and nothing else, is subtracted from all channels.
"""

from __future__ import annotations

import itertools
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

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
from dsa110_contimg.imaging.outliers import Outlier
from dsa110_contimg.telescope.beams import beam_offsets
from dsa110_contimg.telescope.geometry import apparent_directions
from dsa110_contimg.telescope.prediction import PointSources, apparent_flux

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.outliers import Outliers
    from dsa110_contimg.imaging.samples import Samples
    from dsa110_contimg.telescope.beams import BeamModel

log = logging.getLogger(__name__)

_ROUNDS = 3
# Further solutions at the end, until nothing changes by more than the noise.
_LAST = 3
# Gains are solved for on about so many channels.
_CHANNELS = 32
# Functions of columns that are only subtracted.
_NOTHING = np.empty((0, 0, 0), dtype=np.complex128)
# Signal-to-noise ratios from which on gains are polynomials of degree 1, 2, 3, 4.
_ORDERS = (50.0, 500.0, 3000.0, 20000.0)
# From which on a source may be a little elsewhere, and smeared.
_MOVES = 2000.0
# Below which it is left where it is, in noises.
_SEEN = 5.0
# What has less than this part of that while the field is still there will not have it without: the field's sidelobes
# are a small part of the noise where they come from.
_HOPELESS = 0.5
# Sources of the field with this part of the brightest outlier's flux density are solved for.
_OF_BRIGHTEST = 0.03
# Nearer to one another they are the same [pixels].
_SAME_PIXELS = 6


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
        Mean of the visibilities' power over that of the noise, without what was taken out of the field afterwards.
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
        # Whether there is a measurement of it, and whether it is among those that are solved for and subtracted.
        self.is_seen = False
        self.is_in = True
        self.taken: list[_Taken] = []

    @property
    def middle(self) -> NDArray[np.float64]:
        """(l, m, n - 1) at mid-time, (3,)."""
        return np.asarray(self.middles[self.middles.shape[0] // 2, 0])

    @property
    def likely_gain(self) -> NDArray[np.complex64]:
        """What was found, or what is expected where nothing was yet."""
        return self.gain if self.taken else self.expected.astype(np.complex64)

    @property
    def flux_jy(self) -> float:
        """Flux density through the beam, as likely, in the mean over time and band [Jy]."""
        return float(abs(self.likely_gain.mean()) * self.shape.flux.sum())


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
    if not samples.weights.any():
        return Subtracted((), 1.0, 1.0, 0.0)
    work = _Subtraction(_thinned(samples), observation, outliers, beam)
    work.find_shapes(first=True)
    work.solve()
    # Most that are expected in a sidelobe are not there, and nothing more is spent on them.
    work.leave_unseen()
    for number in range(_ROUNDS):
        if not work.is_any_in:
            break
        work.look_at_field(keep=number > 0)
        if work.is_any_in:
            work.find_shapes(first=False)
            work.solve()
            work.leave_unseen()
    for _ in range(_LAST if work.is_any_in else 0):
        if work.solve() < work.noise_jy:
            break
    work.leave_unseen()
    if work.is_any_in:
        data = Visibilities(samples, observation, outliers.threads)
        for source in work.sources:
            if source.is_in:
                _subtract_from_all(data, work.data, source)
    fitted = tuple(_describe(source, work.noise_jy) for source in work.sources)
    return Subtracted(fitted, work.chi2_before, work.data.chi2(), time.perf_counter() - since)


def _thinned(samples: Samples) -> Samples:
    """Copy some of the channels: gains are smooth, so that these say all of them, if with more noise."""
    chosen = slice(None, None, max(1, samples.freq_hz.size // _CHANNELS))
    return samples._replace(
        freq_hz=np.ascontiguousarray(samples.freq_hz[chosen]),
        visibilities=samples.visibilities[:, chosen].copy(),
        weights=samples.weights[:, chosen].copy(),
    )


def _subtract_from_all(data: Visibilities, thinned: Visibilities, source: _Source) -> None:
    """Subtract what was found on some channels from all of them."""
    few_hz, freq_hz = thinned.samples.freq_hz, data.samples.freq_hz
    # What was found of the same shape in several rounds is one.
    parts: list[tuple[Points, dict[int, NDArray[np.complex64]]]] = []
    for taken in source.taken:
        if not parts or not np.array_equal(parts[-1][0].flux, taken.points.flux):
            parts.append((taken.points, {}))
        found = parts[-1][1]
        for column, gain in zip(taken.columns, taken.gains, strict=True):
            found[column.kind] = found[column.kind] + gain if column.kind in found else gain
    for points, found in parts:
        gains = np.stack(list(found.values()))
        if few_hz.size < freq_hz.size:
            gains = CubicSpline(few_hz, gains, axis=2)(freq_hz).astype(np.complex64)
        data.subtract(points, [Column(0, kind, _NOTHING) for kind in found], gains)


class _Subtraction:
    """The state of it, from round to round; what is worked on is a copy of some of the channels."""

    def __init__(self, samples: Samples, observation: Observation, outliers: Outliers, beam: BeamModel) -> None:
        self.data = Visibilities(samples, observation, outliers.threads)
        self.sources = [_prepare(outlier, observation, self.data, beam) for outlier in outliers.sources]
        self.in_field: list[_Source] = []
        self.chi2_before = self.data.chi2()
        self._thermal_jy = float(1.0 / np.sqrt(samples.weights.sum(dtype=np.float64)))
        self.noise_jy = self._thermal_jy
        self._field: Field | None = None
        self._psf: NDArray[np.float32] | None = None
        self._outliers, self._observation, self._beam = outliers, observation, beam

    def find_shapes(self, *, first: bool) -> None:
        """Look at the sources that are extended."""
        for source in self.sources:
            if source.is_in and source.outlier.extent_rad > 0.0:
                _improve_shape(self.data, source, first=first)

    @property
    def is_any_in(self) -> bool:
        """Whether there is anything to subtract."""
        return any(source.is_in for source in self.sources)

    def solve(self) -> float:
        """Solve for all sources that are in, and take them out; the largest change [Jy]."""
        there = [*(source for source in self.sources if source.is_in), *self.in_field]
        most_jy = _solve(self.data, there, self.noise_jy) if there else 0.0
        # Weights may promise less noise than there is, and what is left of the field is like noise.
        self.noise_jy = self._thermal_jy * float(np.sqrt(max(1.0, self.data.chi2())))
        if self._field is not None:
            self.noise_jy = max(self.noise_jy, self._thermal_jy * self._field.noise)
        log.debug("outliers: %.4f Jy at most, noise %.5f Jy", most_jy, self.noise_jy)
        return most_jy

    def leave_unseen(self) -> None:
        """Put back what cannot be told from noise, or is too faint to do harm."""
        self._leave(1.0, self.noise_jy)

    def _leave(self, part: float, noise_jy: float) -> None:
        """Put back what has less than this part of what it takes to stay."""
        for source in self.sources:
            least = part * max(self._outliers.least_jy, _SEEN * source.error, _SEEN * noise_jy)
            if source.is_in and source.flux_jy < least:
                _put_back(self.data, source)

    def look_at_field(self, *, keep: bool) -> None:
        """Find the brightest of the field, and with `keep` take out all of it but what is solved for.

        Each time anew: what was cleaned while more was in the image has its sidelobes in it. With `keep`, sources that
        are lost in its noise are put back first, so that nothing more is spent on them.
        """
        if self._field is not None:
            add_field(self.data, self._field, 1.0)
            self._field = None
        there = [source for source in self.sources if source.is_in]
        least_jy = _OF_BRIGHTEST * max(source.flux_jy for source in there)
        places = np.array([source.middle for source in there])
        field = find_field(self.data, self._outliers.grid, least_jy, places, self._psf)
        self._psf = field.psf
        if keep:
            noise_jy = max(self.noise_jy, self._thermal_jy * field.noise)
            self._leave(_HOPELESS, noise_jy)
            if not self.is_any_in:
                self.noise_jy = noise_jy
                return
        self.in_field += _told_apart(field, self.in_field, self._observation, self.data, self._beam)
        if keep:
            self._field = field
            add_field(self.data, field, -1.0)


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


def _told_apart(
    field: Field, known: list[_Source], observation: Observation, data: Visibilities, beam: BeamModel
) -> list[_Source]:
    """Make sources of the brightest of the field: they are solved for with the outliers, and put back in the end."""
    found: list[_Source] = []
    for place, flux_jy in zip(field.places, field.flux_jy, strict=True):
        near = _SAME_PIXELS * field.grid.cell_rad
        if any(np.linalg.norm(place - source.middle) < near for source in [*known, *found]):
            continue
        apparent = data.apparent(place)
        x, y = beam_offsets(apparent, observation.pointing_dec_rad)
        power = beam.power(x[:, None], y[:, None], data.samples.freq_hz)
        mean = power.mean()
        middles = np.broadcast_to(place, (data.n_times, 1, 3))
        outlier = Outlier("in the field", *(np.empty(0),) * 4, 0.0, float(flux_jy), 0.0)
        source = _Source(outlier, flux_jy * (power / mean if mean > 0.0 else np.ones_like(power)), middles)
        source.is_seen = True
        found.append(source)
    return found


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


def _solve(data: Visibilities, sources: list[_Source], noise_jy: float) -> float:
    """Solve for all gains and take what they explain out; the largest change [Jy]."""
    columns: list[Column] = []
    for index, source in enumerate(sources):
        ratio = source.flux_jy / noise_jy
        # What is expected may be far off; a polynomial of a higher degree comes once the source was seen.
        source.order = min(int(np.searchsorted(_ORDERS, ratio)), len(_ORDERS) if source.is_seen else 1)
        columns.append(Column(index, ITSELF, smooth_functions(source.expected, source.order)))
        if source.is_seen and ratio > _MOVES:
            gain = source.likely_gain[None].astype(np.complex128)
            columns += [Column(index, kind, gain) for kind in (SMEARED, EASTWARD, NORTHWARD)]
    points = _joined([source.shape for source in sources], np.concatenate([s.middles for s in sources], axis=1))
    solution = data.solve(points, columns)
    data.subtract(points, columns, solution.gains)
    most_jy = 0.0
    for index, source in enumerate(sources):
        own = [q for q, column in enumerate(columns) if column.source == index]
        here = [columns[q]._replace(source=0) for q in own]
        change = solution.gains[own[0]]
        weight = float(source.shape.flux.sum())
        if len(own) > 1:
            source.shift += [_along(solution.gains[q], source.likely_gain) for q in own[2:]]
        source.is_seen = True
        source.taken.append(_Taken(points.only(index), here, solution.gains[own]))
        source.gain = source.gain + change
        source.error = float(solution.errors[own[0]]) * weight
        most_jy = max(most_jy, float(np.sqrt(np.mean(abs(change) ** 2))) * weight)
    return most_jy


def _describe(source: _Source, noise_jy: float) -> Fitted:
    """Figures of a source."""
    amplitude = abs(source.gain)
    least = float(amplitude.min())
    east, north = np.degrees(source.shift) * 3600
    fitted = Fitted(
        source.outlier.name,
        source.outlier.distance_deg,
        float(source.expected.mean()),
        source.flux_jy,
        float(max(source.error, noise_jy)),
        float(amplitude.max()) / least if least > 0.0 else float("inf"),
        source.order,
        int(source.shape.flux.size),
        (float(east), float(north)),
        source.is_in,
    )
    log.info(
        "%s, %.2f deg away: %.3f Jy expected, %.3f +- %.3f Jy found%s",
        fitted.name,
        fitted.distance_deg,
        fitted.expected_jy,
        fitted.fitted_jy,
        fitted.error_jy,
        "" if source.is_in else ": left as it is",
    )
    return fitted


def _put_back(data: Visibilities, source: _Source) -> None:
    """Undo all that was subtracted of a source, and leave it where it is."""
    for taken in source.taken:
        data.subtract(taken.points, taken.columns, -taken.gains)
    source.is_in = False


def _along(change: NDArray[np.complex64], gain: NDArray[np.complex64]) -> float:
    """Shift [rad] of which the derivative's coefficient is the real part of change / gain."""
    power = float((abs(gain) ** 2).sum())
    return float((change * gain.conj()).sum().real) / power if power > 0.0 else 0.0


def _joined(shapes: list[Shape], middles: NDArray[np.float64]) -> Points:
    """Put shapes together."""
    first = np.array([0, *itertools.accumulate(shape.flux.size for shape in shapes)])
    further = np.ascontiguousarray(np.concatenate([shape.further for shape in shapes]))
    return Points(middles, further, np.concatenate([shape.flux for shape in shapes]), first)
