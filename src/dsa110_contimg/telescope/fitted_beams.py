"""Primary beams that were fitted to sources: a model stretched, sheared and moved, for each half of the band.

The power at an offset d = (east, north) from the pointing is that of the base model at exp(-M) (d - d0): d0 is where
the axis is, and M is symmetric, with the logarithms of the widths (see `Shape`). Between the frequencies of the two
halves shapes change linearly; beyond them, too, to the ends of the band. The widths go as the base's do with frequency.

A beam is a JSON file ``beam-0003.json``, which is never changed: a new fit is a new version. Its name is what
`telescope.beams.beam_model` takes, so it may stand wherever a beam does (``image.beam``, ``calibrate.beam``).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from dsa110_contimg.config.plain import plain
from dsa110_contimg.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from dsa110_contimg.telescope.beams import BeamModel

FORMAT: Final = 1
FITTED_ENDING: Final = ".json"
# Frequencies that a linear change is carried to [Hz]: the band, with a little room.
_BAND_HZ = (1.29e9, 1.52e9)
_REMEDY = "It must be a file that dsa110-contimg beam fit wrote; see docs/beam.md."
# What no beam is: then the file is something else.
_MOST_LOG, _MOST_DEG = 1.0, 5.0


class Shape(NamedTuple):
    """How a beam differs from its base.

    Attributes
    ----------
    width : float
        Logarithm of the factor of the (geometric mean) width.
    stretch : float
        Half the logarithm of the width to the east over that to the north.
    shear : float
        The same of the width to the north-east over that to the north-west.
    east_deg, north_deg : float
        Where the axis is, from the pointing [deg].
    """

    width: float = 0.0
    stretch: float = 0.0
    shear: float = 0.0
    east_deg: float = 0.0
    north_deg: float = 0.0

    @property
    def ellipticity(self) -> float:
        """Major axis over minor axis, less 1."""
        return float(np.expm1(2.0 * np.hypot(self.stretch, self.shear)))

    @property
    def pa_deg(self) -> float:
        """Position angle of the major axis, north through east, 0 to 180 [deg]."""
        # The eigenvector of M is at half this angle from the east, towards the north.
        return float((90.0 - np.degrees(np.arctan2(self.shear, self.stretch)) / 2.0) % 180.0)


N_SHAPE: Final = len(Shape._fields)


def shaped_power(
    base: BeamModel, shape: NDArray[np.float64], x: ArrayLike, y: ArrayLike, freq_hz: ArrayLike
) -> NDArray[np.float64]:
    """Power of a base model that is shaped.

    Parameters
    ----------
    base : BeamModel
        What is stretched and moved.
    shape : (..., 5) ndarray
        `Shape`, in the order of its fields; broadcasts against the others.
    x, y : array_like
        Direction cosines to the east and north of the pointing.
    freq_hz : array_like
        Frequency [Hz].
    """
    width, stretch, shear, east_deg, north_deg = np.moveaxis(np.asarray(shape, np.float64), -1, 0)
    dx, dy = np.asarray(x) - np.sin(np.radians(east_deg)), np.asarray(y) - np.sin(np.radians(north_deg))
    size = np.hypot(stretch, shear)
    # exp(-M) of M = width + ((stretch, shear), (shear, -stretch)), in closed form.
    part = np.sinh(size) / np.where(size > 0.0, size, 1.0)
    shrink = np.exp(-width)
    east = shrink * ((np.cosh(size) - part * stretch) * dx - part * shear * dy)
    north = shrink * ((np.cosh(size) + part * stretch) * dy - part * shear * dx)
    return base.power(east, north, freq_hz)


@dataclass(frozen=True, eq=False)
class FittedBeam:
    """A base model with a shape at one frequency or two.

    Attributes
    ----------
    version : str
        ``beam-0003``.
    base : BeamModel
        What was stretched and moved.
    base_name : str
        Its name.
    bands : tuple of str
        ``full``, or ``lower`` and ``upper``.
    freq_hz : (B,) float64
        Frequencies of the bands, ascending [Hz].
    shapes : (B, 5) float64
        `Shape` in each.
    covariance : (5 B, 5 B) float64
        Of the shapes, those of the first band first.
    facts : dict
        How it was found: strip, images, sources, what was not determined.
    """

    version: str
    base: BeamModel
    base_name: str
    bands: tuple[str, ...]
    freq_hz: NDArray[np.float64] = field(repr=False)
    shapes: NDArray[np.float64]
    covariance: NDArray[np.float64] = field(repr=False)
    facts: dict[str, Any] = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Eight digits that are of this beam and no other."""
        content = json.dumps(_numbers(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:8]

    @property
    def description(self) -> str:
        """What it is, in words; begins with its version."""
        shape = Shape(*self.shapes.mean(axis=0))
        return (
            f"{self.version} {self.fingerprint}: {self.base_name} x {np.exp(shape.width):.3f}, "
            f"{shape.ellipticity:.3f} longer at {shape.pa_deg:.0f} deg, "
            f"axis {shape.east_deg:+.3f} {shape.north_deg:+.3f} deg"
        )

    def power(self, x: ArrayLike, y: ArrayLike, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Power relative to the axis."""
        return shaped_power(self.base, self.shape_at(freq_hz), x, y, freq_hz)

    def shape_at(self, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Shape (..., 5) at frequencies (...) [Hz]."""
        return np.asarray(self.share(freq_hz) @ self.shapes)

    def share(self, freq_hz: ArrayLike) -> NDArray[np.float64]:
        """Parts (..., B) that the bands have in the shape at frequencies (...) [Hz]."""
        freqs = np.clip(np.asarray(freq_hz, np.float64), *_BAND_HZ)
        if len(self.freq_hz) == 1:
            return np.ones((*freqs.shape, 1))
        along = (freqs - self.freq_hz[0]) / (self.freq_hz[1] - self.freq_hz[0])
        return np.stack([1.0 - along, along], axis=-1)


def beam_document(beam: FittedBeam) -> dict[str, Any]:
    """Say all of a beam in plain values; `read_fitted_beam` undoes it."""
    return (
        {"format": FORMAT, "kind": "fitted primary beam", "version": beam.version}
        | _numbers(beam)
        | {
            "fingerprint": beam.fingerprint,
            "facts": plain(beam.facts),
        }
    )


def read_fitted_beam(path: Path) -> FittedBeam:
    """Read a fitted beam.

    Raises
    ------
    UsageError
        It cannot be read, or is not what it should be.
    """
    from dsa110_contimg.telescope.beams import beam_model

    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']!r}, not {FORMAT}")
        base_name = str(told["base"])
        if base_name.lower().endswith(FITTED_ENDING):
            raise ValueError("its base is another fitted beam")
        beam = FittedBeam(
            version=str(told["version"]),
            base=beam_model(base_name),
            base_name=base_name,
            bands=tuple(str(band["name"]) for band in told["bands"]),
            freq_hz=np.array([band["freq_hz"] for band in told["bands"]], np.float64),
            shapes=np.array([[band[name] for name in Shape._fields] for band in told["bands"]], np.float64),
            covariance=np.array(told["covariance"], np.float64),
            facts=dict(told["facts"]),
        )
        _check(beam)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, UsageError):
            raise
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise UsageError(f"cannot read the fitted beam ({reason})", path=path, remedy=_REMEDY) from error
    return beam


def _check(beam: FittedBeam) -> None:
    n = len(beam.bands)
    if n not in {1, 2} or beam.shapes.shape != (n, N_SHAPE) or beam.covariance.shape != (n * N_SHAPE, n * N_SHAPE):
        raise ValueError("it has not one or two bands with their covariance")
    if not all(np.isfinite(part).all() for part in (beam.freq_hz, beam.shapes, beam.covariance)):
        raise ValueError("it has values that are not finite")
    if (np.diff(beam.freq_hz) <= 0.0).any() or not ((beam.freq_hz > 1e8) & (beam.freq_hz < 1e11)).all():
        raise ValueError("its frequencies do not ascend, or are not in Hz")
    if np.abs(beam.shapes[:, :3]).max() > _MOST_LOG or np.abs(beam.shapes[:, 3:]).max() > _MOST_DEG:
        raise ValueError("its shape is that of no beam")


def _numbers(beam: FittedBeam) -> dict[str, Any]:
    return {
        "base": beam.base_name,
        "bands": [
            {"name": name, "freq_hz": float(freq_hz)} | dict(zip(Shape._fields, shape.tolist(), strict=True))
            for name, freq_hz, shape in zip(beam.bands, beam.freq_hz, beam.shapes, strict=True)
        ],
        "covariance": beam.covariance.tolist(),
    }
