"""What bright sources lose and gain while they drift through the beam, source by source.

The mean of what comes through the beam is degridded for all of a model at once. What comes and goes beside the mean is
a tenth of that, and nearly all of it belongs to a few bright sources: for these it is added up directly,

    V(t, nu) = sum over sources of S (B s / <B s> - 1) exp(2 pi i nu / c (u l + v m + w (n - 1))),

which is exact in time and frequency, and takes milliseconds a source where an image takes seconds. A source is what of
a model is in a cell about as wide as the beam of the array: a point of the sum of its components, at their centre. It
stands for them if their second moment says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.drift import DriftingBeam
    from dsa110_contimg.imaging.grid import Grid

# A cell is a point if what its second moment takes from visibilities is less than this part of them. Components between
# which a point lies have a second moment of up to 1/4 along each axis, which is not the sky's [pixel^2].
_POINT, _BETWEEN = 0.5, 0.5
# A source that moved stays where it was if that makes less than this part of what is tolerated.
_STAYS = 0.05


class CellMoments(NamedTuple):
    """Moments of a model (N, N) in each of its cells, (n_cells * n_cells,).

    Attributes
    ----------
    flux_jy : float64
        Sums of components [Jy].
    column, row : float64
        Their centres [pixel]; the cell's own middle where there is no flux.
    spread : float64
        Second moment about the centre [Jy pixel^2].
    """

    flux_jy: NDArray[np.float64]
    column: NDArray[np.float64]
    row: NDArray[np.float64]
    spread: NDArray[np.float64]


def cell_moments(model: NDArray[np.float32], cell_of: NDArray[np.int64]) -> CellMoments:
    """Add up the components of a model (N, N) cell by cell; pixel i of an axis is in cell `cell_of`[i], (N,)."""
    n_cells = int(cell_of[-1]) + 1
    rows, columns = np.nonzero(model)
    flux = model[rows, columns].astype(np.float64)
    cell = cell_of[rows] * n_cells + cell_of[columns]
    middle = np.bincount(cell_of, weights=np.arange(cell_of.size)) / np.bincount(cell_of)
    # From the middle of the cell, so that nothing is lost to rounding.
    x, y = columns - middle[cell_of[columns]], rows - middle[cell_of[rows]]

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(cell, weights=values, minlength=n_cells**2).astype(np.float64)

    total, first_x, first_y = summed(flux), summed(flux * x), summed(flux * y)
    second = summed(flux * (x**2 + y**2))
    some = total != 0.0
    # Components that cancel each other have no centre: theirs is not looked for outside of the cell.
    reach = float(np.bincount(cell_of).max())
    mean_x, mean_y = (
        np.clip(np.divide(each, total, out=np.zeros_like(total), where=some), -reach, reach)
        for each in (first_x, first_y)
    )
    return CellMoments(
        total,
        mean_x + np.tile(middle, n_cells),
        mean_y + np.repeat(middle, n_cells),
        second - 2.0 * (mean_x * first_x + mean_y * first_y) + total * (mean_x**2 + mean_y**2),
    )


class Sources(NamedTuple):
    """Sources whose drift is added up directly.

    Attributes
    ----------
    direction : (S, 3) float64
        (l, m, n - 1) in the frame of the UVWs.
    table : (S, T, C) float32
        What they have beside their mean in each integration and channel [Jy].
    """

    direction: NDArray[np.float64]
    table: NDArray[np.float32]


def components(image: NDArray[np.float32], grid: Grid, n_times: int, n_channels: int) -> Sources:
    """Give the components of an image (N, N) [Jy] as sources that do not change in time and frequency."""
    rows, columns = np.nonzero(image)
    flux = image[rows, columns][:, None, None]
    return Sources(_directions(columns, rows, grid), np.repeat(np.repeat(flux, n_times, axis=1), n_channels, axis=2))


class DriftingSources:
    """The drift of bright sources, and what of it was taken out already.

    Parameters
    ----------
    drift : DriftingBeam
        How the beam changes.
    grid : Grid
        The pixels of models.
    uv_rms : float
        Rms of the samples' u, or v, over the weights [wavelengths].
    taken : (N, N) float32
        The model whose drift is gone to begin with.
    """

    def __init__(self, drift: DriftingBeam, grid: Grid, uv_rms: float, taken: NDArray[np.float32]) -> None:
        self._drift, self._grid = drift, grid
        self._cell_of = drift.cells(grid.n_pixels)
        self._rad = 2.0 * np.pi * uv_rms * grid.cell_rad * grid.magnification
        self._taken = cell_moments(taken, self._cell_of)
        self._amplitude = drift.variation()[self._nearest_point()].ravel()
        self._closed = False
        self.followed = np.zeros(self._taken.flux_jy.size, dtype=np.bool_)

    @property
    def pixels(self) -> NDArray[np.bool_]:
        """Pixels whose drift is followed here, (N, N)."""
        n_cells = int(self._cell_of[-1]) + 1
        return np.asarray(self.followed.reshape(n_cells, n_cells)[np.ix_(self._cell_of, self._cell_of)])

    def change(self, model: NDArray[np.float32], tolerance_jy: float, most: int) -> Sources:
        """Choose the sources whose drift is to be taken out, so that of the others no more than a tolerance is left.

        Parameters
        ----------
        model : (N, N) float32
            Apparent flux densities [Jy]. What is chosen counts as taken out afterwards.
        tolerance_jy : float
            Rms of the visibilities' amplitudes that may be left [Jy].
        most : int
            The most sources that are chosen. If that is not enough, none are begun with later.

        Returns
        -------
        Sources
            What is to be subtracted: new places and fluxes, and the old ones with the opposite sign.
        """
        new, old = cell_moments(model, self._cell_of), self._taken
        flux = np.abs(new.flux_jy - old.flux_jy)
        moved = np.hypot(new.column - old.column, new.row - old.row) * self._rad * np.abs(old.flux_jy)
        pending = np.hypot(flux, moved) * self._amplitude
        wide = (np.abs(new.spread - old.spread) - _BETWEEN * flux) * self._rad**2 / 2.0 > _POINT * flux
        candidates = np.where(~self.followed & (wide | self._closed), 0.0, pending)
        order = np.argsort(candidates)[::-1]
        left = np.sqrt(np.maximum(0.0, np.sum(candidates**2) - np.cumsum(candidates[order] ** 2)))
        n = 0
        if np.linalg.norm(candidates) > tolerance_jy:
            n = min(1 + int(np.count_nonzero(left > tolerance_jy)), int(np.count_nonzero(candidates)))
        chosen = order[: min(n, most)]
        chosen = chosen[candidates[chosen] > 0.0]
        self.followed[chosen] = True
        # What is left to images goes on there.
        self._closed |= n > most
        stays = np.zeros(new.flux_jy.size, dtype=np.bool_)
        stays[chosen] = (moved * self._amplitude)[chosen] < _STAYS * tolerance_jy
        stays &= old.flux_jy != 0.0
        for now, before in zip((new.column, new.row), (old.column, old.row), strict=True):
            now[stays] = before[stays]
        gone = chosen[(old.flux_jy[chosen] != 0.0) & ~stays[chosen]]
        change_jy = new.flux_jy - np.where(stays, old.flux_jy, 0.0)
        here = chosen[change_jy[chosen] != 0.0]
        sources = self._sources(
            np.concatenate([change_jy[here], -old.flux_jy[gone]]),
            np.concatenate([new.column[here], old.column[gone]]),
            np.concatenate([new.row[here], old.row[gone]]),
        )
        for kept, fresh in zip(old, new, strict=True):
            kept[chosen] = fresh[chosen]
        return sources

    def _sources(self, flux_jy: NDArray[np.float64], column: NDArray[np.float64], row: NDArray[np.float64]) -> Sources:
        nearest = (np.clip(np.round(each).astype(int), 0, self._grid.n_pixels - 1) for each in (row, column))
        table = self._drift.beside_mean(*nearest) * flux_jy[:, None, None]
        return Sources(
            _directions(column, row, self._grid), np.asarray(table @ self._drift.polynomials, dtype=np.float32)
        )

    def _nearest_point(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Point of the lattice that is nearest to each cell, along both axes, to index a map with."""
        n_cells, n_points = int(self._cell_of[-1]) + 1, self._drift.mean.shape[0]
        nearest = np.round(np.arange(n_cells) * ((n_points - 1) / max(1, n_cells - 1))).astype(int)
        rows, columns = np.ix_(nearest, nearest)
        return rows, columns


def _directions(column: NDArray[Any], row: NDArray[Any], grid: Grid) -> NDArray[np.float64]:
    """(l, m, n - 1) of places in an image [pixel], in the frame of the UVWs, (S, 3)."""
    middle, step = grid.n_pixels // 2, grid.cell_rad * grid.magnification
    l_, m = (middle - column) * step, (row - middle) * step
    squares = l_**2 + m**2
    return np.stack([l_, m, -squares / (1.0 + np.sqrt(1.0 - squares))], axis=1)
