"""From calibrated integrations to the samples that are imaged: Stokes I, averaged as far as smearing allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.imaging.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.ms.blocks import VisibilityBlock


@dataclass(frozen=True)
class AveragingPlan:
    """How far channels and times are averaged.

    Attributes
    ----------
    channels : int
        Channels that are averaged to one.
    """

    channels: int

    def as_json(self) -> dict[str, Any]:
        """Figures for records."""
        return {"channels": self.channels}


class Collected(NamedTuple):
    """What `collect` makes.

    Attributes
    ----------
    samples : Samples
        Stokes I, (XX + YY) / 2.
    difference : Samples or None
        (XX - YY) / 2, if it was asked for.
    plan : AveragingPlan
        How it was averaged.
    """

    samples: Samples
    difference: Samples | None
    plan: AveragingPlan


def collect(
    blocks: Iterable[VisibilityBlock], observation: Observation, settings: ImageSettings, radius_rad: float
) -> Collected:
    """Average integrations to what is imaged, one after the other.

    Parameters
    ----------
    blocks : iterable of VisibilityBlock
        The integrations of the observation, as `calibrated_blocks` or `read_blocks` yields them.
    observation : Observation
        Of the same Measurement Set.
    settings : ImageSettings
        ``smearing``, ``stokes``, ``difference``, ``min_uv_m`` and ``max_uv_m`` count here.
    radius_rad : float
        Distance from the phase centre for which ``smearing`` holds: the image's edge [rad].

    Raises
    ------
    MeasurementSetError
        There is no good cross-correlation in it.
    """
    parts = []
    width = 4 if observation.freq_hz.size % 4 == 0 else 1
    for block in blocks:
        cross = block.antenna1 != block.antenna2
        good = ~block.flags[cross].any(axis=2)
        data = block.visibilities[cross].mean(axis=2)
        xx, yy = block.weights[cross].transpose(2, 0, 1)
        weight = np.where(good, 4 * xx * yy / np.maximum(xx + yy, 1e-30), 0)
        shape = (cross.sum(), -1, width)
        total = weight.reshape(shape).sum(axis=2)
        mean = np.where(good, data * weight, 0).reshape(shape).sum(axis=2) / np.where(total > 0, total, 1)
        parts.append((block.uvw_m[cross], mean, total, block.mjd, block.antenna1[cross], block.antenna2[cross]))
    if not parts or not any(part[2].any() for part in parts):
        raise MeasurementSetError("there is no good visibility of two different antennas")
    samples = Samples(
        np.concatenate([part[0] for part in parts]),
        observation.freq_hz.reshape(-1, width).mean(axis=1),
        observation.channel_width_hz * width,
        np.concatenate([part[1] for part in parts]).astype(np.complex64),
        np.concatenate([part[2] for part in parts]).astype(np.float32),
        np.concatenate([np.full(len(part[0]), part[3]) for part in parts]),
        np.concatenate([part[4] for part in parts]),
        np.concatenate([part[5] for part in parts]),
    )
    return Collected(samples, None, AveragingPlan(width))
