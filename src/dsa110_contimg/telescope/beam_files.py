"""Primary beams from files: maps or profiles of the power, as they are measured or simulated.

FITS: an image of the power in the primary HDU, (y, x) or (frequency, y, x). The first axis goes to the east and the
second to the north of the pointing; their world coordinates are degrees (CUNIT may say rad) of a SIN projection, with 0
on the axis of the beam. The third is the frequency in Hz; with two axes RESTFRQ says it.

HDF5: `power` (..., y, x) over `x_deg` and `y_deg`, in the same coordinates; or `power` (..., radius) over `radius_deg`,
of a round beam; with a first axis over `freq_hz` (F,), or one `freq_hz`. In place of `power` there may be `voltage`,
complex or real, of which the power is the square.

Between its frequencies, and beyond them, the beam is stretched as a diffraction pattern is: by 1/frequency.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from dsa110_contimg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

#: Endings of the files' names.
FITS_ENDINGS = (".fits", ".fit", ".fits.gz")
HDF5_ENDINGS = (".h5", ".hdf5", ".hdf")

_REMEDY = (
    "See telescope.beam_files: a FITS image (frequency, north, east) or HDF5 with power, x_deg, y_deg or radius_deg,"
    " and freq_hz."
)
# The power on the axis may be off by so much and is then divided by; no power may be less or more than these.
_ON_AXIS, _LEAST, _MOST = 0.05, -0.01, 1.05
# Frequencies of L band, that units other than Hz would miss [Hz].
_BAND_HZ = (1.0e8, 1.0e11)
# Coordinates are on an even grid if they differ from it by less than this part of its step.
_EVEN = 1e-3
# Points along an axis that a cubic spline takes.
_FEWEST = 4


@dataclass(frozen=True, eq=False)
class FileBeam:
    """A power pattern on a grid.

    Attributes
    ----------
    path : Path
        The file.
    freq_hz : (F,) float64
        Frequencies of the planes, ascending [Hz].
    start : tuple of float
        Direction cosines (y, x) of the first pixel; or the radius of the first.
    step : tuple of float
        From one pixel to the next.
    planes : (F, Y, X) or (F, R) float64
        Coefficients of the cubic spline of the power.
    shape : str
        What kind it is, for records.
    """

    path: Path
    freq_hz: NDArray[np.float64] = field(repr=False)
    start: tuple[float, ...]
    step: tuple[float, ...]
    planes: NDArray[np.float64] = field(repr=False)
    shape: str

    @property
    def description(self) -> str:
        """What it is, in words."""
        low, high = self.freq_hz[0] / 1e6, self.freq_hz[-1] / 1e6
        return f"{self.shape} from {self.path.name}, {len(self.freq_hz)} frequencies, {low:.1f}-{high:.1f} MHz"

    def power(self, x: ArrayLike, y: ArrayLike, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Power relative to the axis; 0 where the file has none."""
        east, north, freqs = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in (x, y, freq_hz)))
        after = np.clip(np.searchsorted(self.freq_hz, freqs), 1, max(1, len(self.freq_hz) - 1))
        total = np.zeros(freqs.shape)
        for index in range(len(self.freq_hz)):
            share = self._share(index, after, freqs)
            used = share > 0.0
            if used.any():
                stretch = freqs[used] / self.freq_hz[index]
                total[used] += share[used] * self._plane(index, east[used] * stretch, north[used] * stretch)
        return np.maximum(total, 0.0)

    def _share(self, index: int, after: NDArray[np.int64], freqs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of a plane in a linear interpolation; beyond the first and last plane these have all."""
        if len(self.freq_hz) == 1:
            return np.ones(freqs.shape)
        low, high = self.freq_hz[after - 1], self.freq_hz[after]
        along = np.clip((freqs - low) / (high - low), 0.0, 1.0)
        return np.where(after == index, along, np.where(after - 1 == index, 1.0 - along, 0.0))

    def _plane(self, index: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        where = (np.hypot(x, y),) if self.planes.ndim == 2 else (y, x)
        pixels = np.array([(at - start) / step for at, start, step in zip(where, self.start, self.step, strict=True)])
        return np.asarray(
            map_coordinates(self.planes[index], pixels, order=3, prefilter=False, mode="constant", cval=0.0)
        )


def read_beam(path: Path) -> FileBeam:
    """Read a beam from a FITS or HDF5 file.

    Raises
    ------
    UsageError
        It cannot be read, or is not what it should be.
    """
    reader: Callable[[Path], FileBeam] = _read_fits if path.name.lower().endswith(FITS_ENDINGS) else _read_hdf5
    try:
        return reader(path)
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, UsageError):
            raise
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise UsageError(f"cannot read the primary beam ({reason})", path=path, remedy=_REMEDY) from error


def _read_fits(path: Path) -> FileBeam:
    from astropy.io import fits  # a third of a second to import

    with fits.open(path, memmap=False) as hdus:
        data, header = np.asarray(hdus[0].data, dtype=np.float64), hdus[0].header
    while data.ndim > 3 and data.shape[0] == 1:
        data = data[0]
    if data.ndim not in {2, 3}:
        raise ValueError(f"its image has {data.ndim} axes, not two or three")
    planes = data.reshape(-1, *data.shape[-2:])
    if data.ndim == 3:
        freq_hz = header["CRVAL3"] + (np.arange(len(planes)) + 1 - header.get("CRPIX3", 1.0)) * header["CDELT3"]
    else:
        freq_hz = np.array([header["RESTFRQ"]])
    north, east = (_fits_axis(header, axis) for axis in (2, 1))
    return _mapped(path, planes, np.atleast_1d(freq_hz), north, east)


def _fits_axis(header: Any, axis: int) -> NDArray[np.float64]:
    """Direction cosines of the pixels along an axis."""
    unit = str(header.get(f"CUNIT{axis}", "deg")).strip().lower()
    if unit not in {"deg", "rad"}:
        raise ValueError(f"CUNIT{axis} is {unit!r}, not deg or rad")
    # A sky projection refers to a point on the sky, which is the beam's axis.
    at_reference = 0.0 if str(header.get(f"CTYPE{axis}", "")).endswith("-SIN") else header.get(f"CRVAL{axis}", 0.0)
    pixels = np.arange(header[f"NAXIS{axis}"]) + 1 - header[f"CRPIX{axis}"]
    values = np.asarray(at_reference + pixels * header[f"CDELT{axis}"], dtype=np.float64)
    return np.radians(values) if unit == "deg" else values


def _read_hdf5(path: Path) -> FileBeam:
    import h5py

    with h5py.File(path, "r") as file:
        if "voltage" in file:
            power = np.abs(np.asarray(file["voltage"])) ** 2
        else:
            power = np.asarray(file["power"], dtype=np.float64)
        freq_hz = np.atleast_1d(np.asarray(file["freq_hz"], dtype=np.float64))
        names = ("radius_deg",) if "radius_deg" in file else ("y_deg", "x_deg")
        axes = [np.radians(np.asarray(file[name], dtype=np.float64)) for name in names]
    wanted = tuple(axis.size for axis in axes)
    if power.shape == wanted:
        power = power[None]
    if power.shape != (freq_hz.size, *wanted):
        raise ValueError(f"power has the shape {power.shape}, where its axes have {(freq_hz.size, *wanted)}")
    if len(axes) == 2:
        return _mapped(path, power, freq_hz, *axes)
    radius = axes[0]
    step = _even_step(radius, "radius_deg")
    if step < 0.0 or abs(radius[0]) > _EVEN * step:
        raise ValueError("radius_deg does not rise from 0")
    # The pattern is even: so is its spline, if it goes through the middle.
    both = np.concatenate([power[:, :0:-1], power], axis=1)
    checked, freq_hz = _checked(both, freq_hz, power[:, 0])
    return FileBeam(path, freq_hz, (-float(radius[-1]),), (step,), checked, "radial profile")


def _mapped(
    path: Path,
    power: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    north: NDArray[np.float64],
    east: NDArray[np.float64],
) -> FileBeam:
    """Make a beam of maps (F, Y, X)."""
    steps = _even_step(north, "its axis to the north"), _even_step(east, "its axis to the east")
    pixels = [-north[0] / steps[0], -east[0] / steps[1]]
    if not all(0 <= pixel <= n - 1 for pixel, n in zip(pixels, power.shape[1:], strict=True)):
        raise ValueError("the axis of the beam (0, 0) is not in its map")
    if not np.isfinite(power).all():
        raise ValueError("it has pixels that are not finite")
    on_axis = np.array([map_coordinates(plane, [[pixel] for pixel in pixels], order=3)[0] for plane in power])
    planes, freq_hz = _checked(power, freq_hz, on_axis)
    return FileBeam(path, freq_hz, (float(north[0]), float(east[0])), steps, planes, "map")


def _even_step(values: NDArray[np.float64], name: str) -> float:
    if values.ndim != 1 or values.size < _FEWEST:
        raise ValueError(f"{name} has fewer than {_FEWEST} points")
    step = (values[-1] - values[0]) / (values.size - 1)
    if step == 0.0 or np.abs(np.diff(values) - step).max() > _EVEN * abs(step):
        raise ValueError(f"{name} is not evenly spaced")
    return float(step)


def _checked(
    power: NDArray[np.float64], freq_hz: NDArray[np.float64], on_axis: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spline coefficients of powers (F, ...), 1 on the axis, and their frequencies; both in ascending frequency."""
    if not np.isfinite(power).all():
        raise ValueError("it has values that are not finite")
    if not ((freq_hz > _BAND_HZ[0]) & (freq_hz < _BAND_HZ[1])).all():
        raise ValueError(f"{freq_hz[0]:g} is not a frequency in Hz")
    if abs(on_axis - 1.0).max() > _ON_AXIS:
        raise ValueError(f"its power on the axis is {on_axis[abs(on_axis - 1.0).argmax()]:.3g}, not 1")
    power = power / on_axis.reshape(-1, *(1,) * (power.ndim - 1))
    if power.min() < _LEAST or power.max() > _MOST:
        raise ValueError(f"its power goes from {power.min():.3g} to {power.max():.3g}, not from 0 to 1")
    order = np.argsort(freq_hz)
    if (np.diff(freq_hz[order]) <= 0.0).any():
        raise ValueError("it has a frequency twice")
    splines = np.array([spline_filter(plane, order=3, mode="mirror") for plane in power[order]])
    return splines, freq_hz[order]
