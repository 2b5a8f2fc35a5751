"""How a beam is fitted in one band: Gauss-Newton steps over the shape and all scales; see `beam_fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from dsa110_contimg.telescope.fitted_beams import N_SHAPE, shaped_power
from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.photometry.beam_crossings import Crossings
    from dsa110_contimg.telescope.beams import BeamModel

#: What is thought of a shape before anything is measured: standard deviations, in the order of `Shape`.
PRIOR: Final = np.array([0.15, 0.05, 0.05, 0.3, 0.3])
# Scale of a band, of an image, of a source without a catalogue's flux (logarithms).
_SCALE, _IMAGE, _FREE = 0.3, 0.03, 3.0
# What a catalogue's flux is thought to be off by at first, and at least; and what is wrong with any measurement.
_FIRST_DEPARTURE, _LEAST_DEPARTURE = 0.1, 0.02
_FIRST_FRACTION, _LEAST_FRACTION = 0.02, 0.003
_LEAST_FREEDOM = 0.2
_HUBER = 1.5
# Measurements so far above the noise say how far they scatter beyond it.
_CLEAR = 20.0
_ROUNDS, _STEPS, _ENOUGH = 4, 12, 1e-5
# The longest step of a shape, and those of its derivatives.
_LONGEST = np.array([0.1, 0.05, 0.05, 0.3, 0.3])
_DERIVATIVE = np.array([1e-3, 1e-3, 1e-3, 1e-2, 1e-2])
# Scatters are found from more than so many.
_FEWEST = 5


class State(NamedTuple):
    """Shape and scales of a band as they stand: theta (5,), k, g (I,), u (S,)."""

    theta: NDArray[np.float64]
    scale: float
    images: NDArray[np.float64]
    sources: NDArray[np.float64]

    def moved(self, step: NDArray[np.float64], sources: NDArray[np.float64]) -> State:
        """Give the state after a step (P,) of shape and scales, and one (S,) of the sources."""
        return State(
            self.theta + step[:N_SHAPE],
            self.scale + float(step[N_SHAPE]),
            self.images + step[N_SHAPE + 1 :],
            self.sources + sources,
        )


class Normal(NamedTuple):
    """Normal equations, the sources eliminated, of P parameters: the shape, the scale, those of the images.

    Attributes
    ----------
    gradient : (P,) float64
        Of what is to be least, downwards.
    inverse : (P, P) float64
        Of the normal matrix.
    mixed : (P, S) float64
        The normal matrix between the parameters and the sources.
    pull, on_source : (S,) float64
        Gradient and normal matrix of the sources.
    scores : (P, S) float64
        What each source has in the gradient.
    """

    gradient: NDArray[np.float64]
    inverse: NDArray[np.float64]
    mixed: NDArray[np.float64]
    pull: NDArray[np.float64]
    on_source: NDArray[np.float64]
    scores: NDArray[np.float64]


class BandSolver:
    """The fit of one band."""

    def __init__(self, data: Crossings, model: BeamModel, n_images: int) -> None:
        self.data, self.model = data, model
        self.n_images, self.n_sources = n_images, len(data.known_jy)
        self.known = np.isfinite(data.known_jy)
        self.departure, self.fraction = _FIRST_DEPARTURE, _FIRST_FRACTION
        power = self.power(np.zeros(N_SHAPE))
        weight = 1.0 / data.noise_jy**2
        of = data.source
        best = self._by_source(weight * power * data.apparent_jy) / np.maximum(
            self._by_source(weight * power**2), np.finfo(float).tiny
        )
        typical = np.nanmedian(best[self.known] / data.known_jy[self.known]) if self.known.any() else 1.0
        # The scale begins where the catalogue's is, so that it is not far from 0.
        self.flux_jy = np.where(self.known, data.known_jy, np.maximum(best, 1e-3 * np.median(best)))
        self.present = np.bincount(of, minlength=self.n_sources) > 0
        start = float(np.clip(np.log(max(typical, 1e-3)), -1.0, 1.0)) if self.known.any() else 0.0
        self.state = State(np.zeros(N_SHAPE), start, np.zeros(n_images), np.zeros(self.n_sources))

    def power(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Power (N,) that each measurement should have had."""
        mean = self.data.way.mean_power(lambda x, y, freq_hz: shaped_power(self.model, theta, x, y, freq_hz))
        return np.maximum(mean * self.data.exactness, 1e-9)

    def slopes(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivatives (N, 5) of the power by the shape."""
        steps = _DERIVATIVE[:, None] * np.eye(N_SHAPE)
        slopes = [(self.power(theta + step) - self.power(theta - step)) / (2.0 * step.sum()) for step in steps]
        return np.stack(slopes, axis=-1)

    def flux(self, state: State) -> NDArray[np.float64]:
        """Flux densities (N,) times the scales."""
        data = self.data
        return np.asarray(
            self.flux_jy[data.source] * np.exp(state.scale + state.images[data.image] + state.sources[data.source])
        )

    @property
    def tightness(self) -> NDArray[np.float64]:
        """Standard deviation (S,) of how far a flux may depart."""
        known = np.hypot(np.nan_to_num(self.data.e_known), self.departure)
        return np.where(self.known, known, _FREE)

    def errors(self, seen: NDArray[np.float64]) -> NDArray[np.float64]:
        """Error (N,) of measurements that should be so bright."""
        return np.hypot(self.data.noise_jy, self.fraction * seen)

    def cost(self, state: State, errors: NDArray[np.float64]) -> float:
        """Sum of Huber's function over all that is compared."""
        rows = (self.data.apparent_jy - self.flux(state) * self.power(state.theta)) / errors
        own = state.sources / self.tightness
        quiet = np.concatenate([state.theta / PRIOR, [state.scale / _SCALE], state.images / _IMAGE])
        return float(_huber(rows).sum() + _huber(own).sum() + 0.5 * np.sum(quiet**2))

    def solve(self) -> Normal:
        """Fit; give the normal equations where it ended."""
        for _ in range(_ROUNDS):
            errors = self.errors(self.flux(self.state) * self.power(self.state.theta))
            for _ in range(_STEPS):
                if self._step(errors) < _ENOUGH:
                    break
            self._scatter()
        return self.normal(self.errors(self.flux(self.state) * self.power(self.state.theta)))

    def _step(self, errors: NDArray[np.float64]) -> float:
        """Go one step, as far as it helps; say how far."""
        equations = self.normal(errors)
        step = equations.inverse @ equations.gradient
        step *= min(1.0, 1.0 / max(np.max(abs(step[:N_SHAPE]) / _LONGEST), 1e-12))
        sources = np.clip((equations.pull - step @ equations.mixed) / equations.on_source, -0.5, 0.5)
        before = self.cost(self.state, errors)
        for _ in range(6):
            there = self.state.moved(step, sources)
            if self.cost(there, errors) <= before:
                self.state = there
                return float(np.max(abs(step[:N_SHAPE])))
            step, sources = step / 2.0, sources / 2.0
        return 0.0

    def normal(self, errors: NDArray[np.float64]) -> Normal:
        """Set up the normal equations where the fit stands, the sources eliminated."""
        data, state = self.data, self.state
        power, flux = self.power(state.theta), self.flux(state)
        seen = flux * power
        residual = (data.apparent_jy - seen) / errors
        weight = huber_weights(residual) / errors**2
        off = weight * (data.apparent_jy - seen)
        own = huber_weights(state.sources / self.tightness) / self.tightness**2

        dense = np.column_stack([flux[:, None] * self.slopes(state.theta), seen])  # (N, 6)
        n_dense = dense.shape[1]
        size = n_dense + self.n_images
        matrix = np.zeros((size, size))
        mixed, scores = np.zeros((2, size, self.n_sources))
        matrix[:n_dense, :n_dense] = dense.T @ (weight[:, None] * dense)
        for k in range(n_dense):
            product = weight * dense[:, k] * seen
            matrix[k, n_dense:] = matrix[n_dense:, k] = np.bincount(data.image, product, self.n_images)
            mixed[k] = self._by_source(product)
            scores[k] = self._by_source(off * dense[:, k])
        square = weight * seen**2
        matrix[n_dense:, n_dense:] = np.diag(np.bincount(data.image, square, self.n_images))
        np.add.at(mixed, (n_dense + data.image, data.source), square)
        np.add.at(scores, (n_dense + data.image, data.source), off * seen)
        on_source = self._by_source(square) + own
        pull = self._by_source(off * seen) - own * state.sources
        prior = 1.0 / np.concatenate([PRIOR, [_SCALE], np.full(self.n_images, _IMAGE)]) ** 2
        here = np.concatenate([state.theta, [state.scale], state.images])
        return Normal(
            gradient=scores.sum(axis=1) - prior * here - mixed @ (pull / on_source),
            inverse=np.linalg.inv(matrix + np.diag(prior) - (mixed / on_source) @ mixed.T),
            mixed=mixed,
            pull=pull,
            on_source=on_source,
            scores=scores - mixed * (pull / on_source),
        )

    def _scatter(self) -> None:
        """Find out how far catalogue fluxes and measurements scatter beyond what they say."""
        data, state = self.data, self.state
        seen = self.flux(state) * self.power(state.theta)
        clear = seen > _CLEAR * data.noise_jy
        if np.count_nonzero(clear) > 2 * _FEWEST:
            off, noise = data.apparent_jy[clear] / seen[clear] - 1.0, data.noise_jy[clear] / seen[clear]
            # What is solved for takes scatter with it.
            n_free = np.count_nonzero(self.present) + self.n_images + N_SHAPE
            freedom = max(1.0 - n_free / len(seen), _LEAST_FREEDOM)
            self.fraction = max(_LEAST_FRACTION, _beyond(off / np.sqrt(freedom), noise))
        if np.count_nonzero(self.known) > _FEWEST:
            # A flux that was drawn to the catalogue's is let go first.
            tight = 1.0 / self.tightness[self.known] ** 2
            own = self._by_source((seen / self.errors(seen)) ** 2)[self.known]
            free = state.sources[self.known] * (own + tight) / np.maximum(own, 1e-9)
            errors = np.hypot(1.0 / np.sqrt(np.maximum(own, 1e-9)), data.e_known[self.known])
            good = own > tight
            if np.count_nonzero(good) > _FEWEST:
                self.departure = max(_LEAST_DEPARTURE, _beyond(free[good], errors[good]))

    def _by_source(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(self.data.source, values, self.n_sources), np.float64)


def huber_weights(pull: NDArray[np.float64]) -> NDArray[np.float64]:
    """Huber's weights of residuals in units of their errors."""
    return np.asarray(_HUBER / np.maximum(abs(pull), _HUBER))


def _huber(pull: NDArray[np.float64]) -> NDArray[np.float64]:
    size = abs(pull)
    return np.where(size <= _HUBER, 0.5 * size**2, _HUBER * (size - 0.5 * _HUBER))


def _beyond(values: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    """Scatter of values about 0 beyond that of their errors, robust."""
    return float(np.sqrt(max(robust_sigma(values, 0.0) ** 2 - float(np.median(errors)) ** 2, 0.0)))
