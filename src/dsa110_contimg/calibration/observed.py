"""A Measurement Set as a solver takes it: integration after integration, each with its model and its weights."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from dsa110_contimg.calibration.sky_model import predict_integration
from dsa110_contimg.calibration.sums import Baselines, Sample
from dsa110_contimg.calibration.weights import auto_power, sensitivity
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.telescope.geometry import meridian_frame, uvw_basis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from dsa110_contimg.calibration.sky_model import Pointing, SkyModel
    from dsa110_contimg.config.settings import CalibrateSettings
    from dsa110_contimg.ms.columns import OpenMs
    from dsa110_contimg.ms.information import MsInfo

# Integrations that are read and predicted while one is being added: each holds some 150 MB of a full group.
_AHEAD = 2
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Observed(NamedTuple):
    """What there is to solve.

    Attributes
    ----------
    ms : OpenMs
        The Measurement Set.
    pointing : Pointing
        Where the dishes looked.
    sky : SkyModel
        What they should have seen.
    """

    ms: OpenMs
    pointing: Pointing
    sky: SkyModel

    @property
    def info(self) -> MsInfo:
        """Axes of the Measurement Set."""
        return self.ms.info


class Integration(NamedTuple):
    """One integration: its number, what the solver takes, and the power of each antenna (A, C, P) [counts]."""

    time: int
    sample: Sample
    power: NDArray[np.float32]


def baselines_of(info: MsInfo) -> Baselines:
    """Find the antennas that observe, and their baselines.

    Raises
    ------
    CalibrationError
        There are no cross-correlations, or antennas without an autocorrelation.
    """
    cross = info.antenna1 != info.antenna2
    rows, autos = np.flatnonzero(cross), np.flatnonzero(~cross)
    antennas = np.unique([info.antenna1[rows], info.antenna2[rows]])
    order = np.argsort(info.antenna1[autos])
    autos = autos[order]
    if rows.size == 0 or not np.isin(antennas, info.antenna1[autos]).all():
        raise CalibrationError(
            "antennas without autocorrelations cannot be weighed", path=info.path, remedy="convert the group again"
        )
    autos = autos[np.isin(info.antenna1[autos], antennas)]
    first, second = (np.searchsorted(antennas, ends[rows]) for ends in (info.antenna1, info.antenna2))
    return Baselines(antennas.astype(np.int64), rows, first, second, autos)


def left_out(freq_hz: NDArray[np.float64], settings: CalibrateSettings) -> NDArray[np.bool_]:
    """Channels that are not solved with, (C,)."""
    result = np.zeros(freq_hz.size, np.bool_)
    for low_mhz, high_mhz in settings.leave_out_mhz:
        result |= (freq_hz >= low_mhz * 1e6) & (freq_hz <= high_mhz * 1e6)
    return result


def integrations(
    observed: Observed, baselines: Baselines, settings: CalibrateSettings, times: Iterable[int] | None = None
) -> Iterator[Integration]:
    """Go through the integrations, or some; the next are read and predicted in other threads meanwhile."""
    used = _used_baselines(observed, baselines, settings)
    skipped = left_out(observed.info.freq_hz, settings)

    def take(time: int) -> Integration:
        info = observed.info
        data, flags = (observed.ms.read(column, time)[0] for column in ("DATA", "FLAG"))
        power = auto_power(data, flags, baselines.auto_rows)
        level = power if settings.weights == "autos" else _even(power)
        sense = sensitivity(level, info.channel_width_hz, info.exposure_s)
        sense[:, skipped] = 0.0
        model = predict_integration(
            observed.sky,
            float(info.times_mjd[time]),
            observed.pointing,
            info.antenna_itrf_m[baselines.antennas],
            baselines.pairs,
            info.freq_hz,
        )
        return Integration(time, Sample(data, flags, model, sense, used[time]), power)

    return _ahead(take, range(observed.info.n_times) if times is None else times)


def _even(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give all antennas and channels the power of the median one: residuals stay in units of thermal noise."""
    some = power > 0.0
    return np.full_like(power, np.median(power[some]) if some.any() else 0.0)


def _used_baselines(observed: Observed, baselines: Baselines, settings: CalibrateSettings) -> NDArray[np.bool_]:
    """Baselines whose projected length is wanted, (T, N)."""
    info, site = observed.info, observed.pointing.site
    antenna_m = meridian_frame(info.antenna_itrf_m[baselines.antennas], site)
    baseline_m = antenna_m[baselines.first] - antenna_m[baselines.second]
    basis = uvw_basis(*observed.pointing.phase_centre_deg, info.times_mjd, site)
    uv_m = np.linalg.norm(np.einsum("tij,nj->tni", basis[:, :2], baseline_m), axis=-1)
    longest = np.inf if settings.max_uv_m is None else settings.max_uv_m
    used = (uv_m >= settings.min_uv_m) & (uv_m <= longest)
    if not used.any():
        raise CalibrationError(
            f"no baseline is from {settings.min_uv_m:g} to {longest:g} m long", path=info.path, remedy="widen the range"
        )
    return used


def _ahead(function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """Yield function(item) in order, some of them being worked out in advance."""
    with ThreadPoolExecutor(_AHEAD) as pool:
        waiting = deque[object]()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()  # type: ignore[attr-defined]
        while waiting:
            yield waiting.popleft().result()  # type: ignore[attr-defined]
