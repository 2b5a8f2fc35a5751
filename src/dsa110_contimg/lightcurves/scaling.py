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
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import LightcurveSettings

_PLANE = ("epoch", "image", "kind", "band")


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
    """Put measurements on the scale of an ensemble.

    ``scale``, ``e_scale``, ``corrected``, ``e_corrected`` and the flag ``UNSCALED`` are set. The error of a corrected
    flux is that against other epochs: of noise, of the factor, and in a group's image of the primary beam, too; in a
    mosaic, where a source gets the same weights every day, the beam's error is always the same. Where there is no
    factor, the error of the calibration stands in for its.
    """
    words = {name: word_codes(table[name]) for name in _PLANE}
    planes, plane_of = np.unique(np.stack([codes for codes, _ in words.values()]), axis=1, return_inverse=True)
    plane_of = plane_of.reshape(-1)
    names = [tuple(words[name][1][code] for name, code in zip(_PLANE, plane, strict=True)) for plane in planes.T]
    number = {name: _numbers(table, name) for name in ("flux", "e_flux", "e_beam", "e_calibration")}
    flags = table["flags"].to_numpy().astype(np.int32)
    source = table["source_id"].to_numpy()

    noise = np.where(
        np.array([kind == "group" for _, _, kind, _ in names], bool)[plane_of] if names else np.zeros(0, bool),
        np.hypot(number["e_flux"], number["e_beam"]),
        number["e_flux"],
    )
    steady = _Steady(ensemble)
    usable = np.flatnonzero((flags & DOUBTFUL) == 0)
    ends = np.searchsorted(plane_of[usable], np.arange(len(names) + 1), sorter=(order := np.argsort(plane_of[usable])))
    scales = []
    for i, (epoch, image, kind, band) in enumerate(names):
        rows = usable[order[ends[i] : ends[i + 1]]]
        among, mean, e_mean = steady.means(kind, band, source[rows])
        fitted = fit_scale(number["flux"][rows][among], noise[rows][among], mean, e_mean, settings.least_steady)
        scales.append(ImageScale(epoch, image, kind, band, *fitted))
    return Scaled(_with_scales(table, scales, plane_of, number, noise, flags), tuple(scales))


def _with_scales(
    table: pa.Table,
    scales: list[ImageScale],
    plane_of: NDArray[np.int64],
    number: dict[str, NDArray[np.float64]],
    noise: NDArray[np.float64],
    flags: NDArray[np.int32],
) -> pa.Table:
    factor = np.array([one.scale for one in scales])[plane_of] if scales else np.zeros(0)
    e_factor = np.array([one.e_scale for one in scales])[plane_of] if scales else np.zeros(0)
    unscaled = np.isnan(e_factor)
    flux = number["flux"]
    columns = {
        "scale": factor,
        "e_scale": e_factor,
        "corrected": flux * factor,
        "e_corrected": np.hypot(noise * factor, np.where(unscaled, number["e_calibration"], flux * e_factor)),
        "flags": np.where(unscaled, flags | Flag.UNSCALED, flags & ~np.int32(Flag.UNSCALED)),
    }
    for name, values in columns.items():
        field = SCHEMA.field(name)
        table = table.set_column(
            SCHEMA.get_field_index(name), field, pa.array(values.astype(field.type.to_pandas_dtype()))
        )
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


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(), np.float64)
