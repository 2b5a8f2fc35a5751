"""Putting measurements on the scale of the ensemble of steady sources, image by image; see `scale` and `ensemble`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from dsa110_contimg.lightcurves.ensemble import DOUBTFUL, read_ensemble
from dsa110_contimg.lightcurves.rows import word_codes
from dsa110_contimg.lightcurves.scale import fit_scale
from dsa110_contimg.photometry.measurements import SCHEMA, Flag

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import LightcurveSettings

_PLANE = ("epoch", "image", "kind", "band")
FITTED = (*_PLANE, "source_id", "flux", "e_flux", "e_beam", "flags")
"""What `fit_scales` needs to know of a measurement."""


class ImageScale(NamedTuple):
    """The relative scale of one image; see `scale.Scale` for the last four."""

    epoch: str
    image: str
    kind: str
    band: str
    scale: float
    e_scale: float
    n: int
    chi: float


class Scaled(NamedTuple):
    """Measurements on the scale of the ensemble, and the scale of each image."""

    table: pa.Table
    scales: tuple[ImageScale, ...]


def scale_measurements(root: Path, strip: str, table: pa.Table, settings: LightcurveSettings) -> Scaled:
    """Put an epoch's measurements on the scale of the strip's steady sources, as they are known now.

    Parameters
    ----------
    root : Path
        The store; of it, only the strip's ensemble is read.
    strip : str
        As ``+54.6``.
    table : Table
        With the columns of `photometry.measurements.SCHEMA`. Whatever scale it has is forgotten.
    settings : LightcurveSettings
        How many steady sources an image must have.

    Raises
    ------
    LightcurveError
        The ensemble cannot be read.
    """
    return scale_to(read_ensemble(root, strip), table, settings)


def scale_to(ensemble: pa.Table, table: pa.Table, settings: LightcurveSettings) -> Scaled:
    """Put measurements on the scale of an ensemble; see `with_scales`."""
    scales = fit_scales(ensemble, table, settings)
    return Scaled(with_scales(table, scales), scales)


def fit_scales(ensemble: pa.Table, table: pa.Table, settings: LightcurveSettings) -> tuple[ImageScale, ...]:
    """Fit the scale of each image.

    Parameters
    ----------
    ensemble : Table
        Steady sources, with `ensemble.ENSEMBLE_SCHEMA`.
    table : Table
        Measurements: the columns `FITTED`. Those of other sources than the ensemble's may be missing.
    settings : LightcurveSettings
        How many steady sources an image must have.
    """
    names, plane_of = _planes(table)
    flux, noise = _numbers(table, "flux"), _noise(table, names, plane_of)
    source, steady = table["source_id"].to_numpy(), _Steady(ensemble)
    usable = np.flatnonzero((table["flags"].to_numpy() & DOUBTFUL) == 0)
    usable = usable[np.argsort(plane_of[usable], kind="stable")]
    ends = np.searchsorted(plane_of[usable], np.arange(len(names) + 1))
    scales = []
    for i, (epoch, image, kind, band) in enumerate(names):
        rows = usable[ends[i] : ends[i + 1]]
        among, mean, e_mean = steady.means(kind, band, source[rows])
        fitted = fit_scale(flux[rows][among], noise[rows][among], mean, e_mean, settings.least_steady)
        scales.append(ImageScale(epoch, image, kind, band, *fitted))
    return tuple(scales)


def with_scales(table: pa.Table, scales: Iterable[ImageScale]) -> pa.Table:
    """Put measurements on the scales of their images; those of images without one stay as they were measured.

    ``scale``, ``e_scale``, ``corrected``, ``e_corrected`` and the flag ``UNSCALED`` are set. The error of a corrected
    flux is that against other epochs: of noise, of the factor, and in a group's image of the primary beam, too; in a
    mosaic, where a source gets the same weights every day, the beam's error is always the same. Where there is no
    factor, the error of the calibration stands in for its.
    """
    known = {(one.epoch, one.image, one.kind, one.band): (one.scale, one.e_scale) for one in scales}
    names, plane_of = _planes(table)
    factors = np.array([known.get(name, (1.0, np.nan)) for name in names]).reshape(-1, 2)[plane_of]
    factor, e_factor = factors[:, 0], factors[:, 1]
    unscaled = np.isnan(e_factor)
    flux, noise, flags = _numbers(table, "flux"), _noise(table, names, plane_of), table["flags"].to_numpy()
    e_common = np.where(unscaled, _numbers(table, "e_calibration"), flux * e_factor)
    columns = {
        "scale": factor,
        "e_scale": e_factor,
        "corrected": flux * factor,
        "e_corrected": np.hypot(noise * factor, e_common),
        "flags": np.where(unscaled, flags | Flag.UNSCALED, flags & ~np.int32(Flag.UNSCALED)),
    }
    for name, values in columns.items():
        field = SCHEMA.field(name)
        column = pa.array(values.astype(field.type.to_pandas_dtype()))
        table = table.set_column(SCHEMA.get_field_index(name), field, column)
    return table


class _Steady:
    """The means of an ensemble, by kind and band."""

    def __init__(self, ensemble: pa.Table) -> None:
        pairs = list(zip(ensemble["kind"].to_pylist(), ensemble["band"].to_pylist(), strict=True))
        source, mean, e_mean = (ensemble[name].to_numpy() for name in ("source_id", "mean", "e_mean"))
        self._planes = {}
        for pair in sorted(set(pairs)):
            rows = np.array([other == pair for other in pairs])
            order = np.argsort(source[rows])
            self._planes[pair] = (source[rows][order], mean[rows][order], e_mean[rows][order])

    def means(
        self, kind: str, band: str, source: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
        """Say which of some sources are steady; give the means of those, and their errors."""
        if (kind, band) not in self._planes or source.size == 0:
            return np.zeros(source.size, bool), np.zeros(0), np.zeros(0)
        known, mean, e_mean = self._planes[kind, band]
        at = np.minimum(np.searchsorted(known, source), known.size - 1)
        among = known[at] == source
        return among, mean[at[among]], e_mean[at[among]]


def _planes(table: pa.Table) -> tuple[list[tuple[str, str, str, str]], NDArray[np.int64]]:
    """Give the images and bands that measurements are of, and for each measurement which."""
    key = np.zeros(table.num_rows, np.int64)
    every = []
    for name in _PLANE:
        codes, words = word_codes(table[name])
        key = key * max(len(words), 1) + codes
        every.append(words)
    planes, plane_of = np.unique(key, return_inverse=True)
    names = []
    for plane in planes.tolist():
        left, found = plane, []
        for words in reversed(every):
            left, code = divmod(left, len(words))
            found.append(words[code])
        band, kind, image, epoch = found
        names.append((epoch, image, kind, band))
    return names, plane_of


def _noise(table: pa.Table, names: list[tuple[str, str, str, str]], plane_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the errors of fluxes, before any scale, against those of the same source in other images."""
    e_flux = _numbers(table, "e_flux")
    of_group = np.array([kind == "group" for _, _, kind, _ in names], bool)[plane_of]
    return np.where(of_group, np.hypot(e_flux, _numbers(table, "e_beam")), e_flux)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(), np.float64)
