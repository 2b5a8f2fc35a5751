"""Everything about a group's Measurement Set that is known before a visibility is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.conversion.helpers import PhaseCentre, phase_centre_fields
from dsa110_contimg.errors import UsageError
from dsa110_contimg.ms.description import OBSERVE_TARGET, Antennas, Field, MsDescription
from dsa110_contimg.telescope.band import (
    CHANNEL_WIDTH_HZ,
    CHANNELS_PER_SUBBAND,
    FULL_NSAMPLES,
    N_SUBBANDS,
    band_frequencies_hz,
)
from dsa110_contimg.telescope.geometry import (
    meridian_direction,
    meridian_frame,
    uvw_basis,
)
from dsa110_contimg.telescope.stations import load_stations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dsa110_contimg.telescope.stations import Stations
    from dsa110_contimg.uvh5.header import SubbandHeader

_DAYS = 86400.0


@dataclass(frozen=True)
class Averaging:
    """How many channels and integrations become one; both divide what there is."""

    channels: int = 1
    times: int = 1

    @property
    def is_on(self) -> bool:
        """Whether anything is averaged at all."""
        return self.channels * self.times > 1


@dataclass(frozen=True, eq=False)
class ConversionPlan:
    """What a writer needs: the input's rows, the way they turn, and the Measurement Set's description.

    Attributes
    ----------
    headers : dict of int to SubbandHeader
        The subbands present.
    averaging : Averaging
        Of channels and integrations.
    description : MsDescription
        The Measurement Set as it will be.
    times_mjd : (T,) float64
        Mid-times of the correlator's integrations [MJD, UTC].
    freq_hz : (768,) float64
        The correlator's channels, ascending [Hz].
    row : (B,) int64
        Place of each of the file's baselines among the Measurement Set's.
    conjugate : (B,) bool
        Whether the file's baseline is the conjugate of the Measurement Set's.
    antenna_1, antenna_2 : (B,) int64
        Antenna index of ANTENNA1 and ANTENNA2 of each of the file's baselines, into `turn_m`.
    turn_m : (T, A) float64
        Path r . (s0 - c) of each integration and antenna [m]: multiplying a visibility by
        exp(2 pi i nu/c (turn[antenna_1] - turn[antenna_2])) moves its phase centre from the meridian s0 to c.
    uvw_m : (T, B, 3) float64
        UVW of every integration, in the Measurement Set's order of baselines [m].
    """

    headers: Mapping[int, SubbandHeader]
    averaging: Averaging
    description: MsDescription
    times_mjd: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    row: NDArray[np.int64]
    conjugate: NDArray[np.bool_]
    antenna_1: NDArray[np.int64]
    antenna_2: NDArray[np.int64]
    turn_m: NDArray[np.float64]
    uvw_m: NDArray[np.float64]

    @property
    def missing(self) -> tuple[int, ...]:
        """Subbands without a file."""
        return tuple(sb for sb in range(N_SUBBANDS) if sb not in self.headers)

    @property
    def full_weight(self) -> float:
        """WEIGHT of a sample without lost packets: 2 dnu dt, the radiometer equation at an SEFD of 1 [1/Jy^2]."""
        any_header = next(iter(self.headers.values()))
        return 2 * CHANNEL_WIDTH_HZ * any_header.integration_s

    def weight(self, nsamples: NDArray[np.floating]) -> NDArray[np.float32]:
        """WEIGHT of samples with these ``nsamples`` [1/Jy^2]; what is not a number of packets weighs nothing."""
        return (self.full_weight / FULL_NSAMPLES * np.where(nsamples > 0, nsamples, 0.0)).astype(np.float32)

    def subband_frequencies_hz(self, subband: int) -> NDArray[np.float64]:
        """Channels of one subband, ascending, shape (48,) [Hz]."""
        first = self.block(subband) * CHANNELS_PER_SUBBAND
        return self.freq_hz[first : first + CHANNELS_PER_SUBBAND]

    @staticmethod
    def block(subband: int) -> int:
        """Place of a subband among the blocks of channels: sb15 is the lowest."""
        return N_SUBBANDS - 1 - subband


def plan_conversion(
    headers: Mapping[int, SubbandHeader],
    phase_centre: PhaseCentre,
    *,
    stations: Stations | None = None,
    averaging: Averaging | None = None,
    obs_mode: str = OBSERVE_TARGET,
) -> ConversionPlan:
    """Work out a group's rows, UVWs, fields and phase turns.

    Parameters
    ----------
    headers : mapping of int to SubbandHeader
        Subbands of one group, with equal axes.
    phase_centre : PhaseCentre
        Where to turn the data.
    stations : Stations, optional
        Antenna positions that replace the headers' own.
    averaging : Averaging, optional
        Default: none.
    obs_mode : str
        What the Measurement Set says it is for, in CASA's words.

    Raises
    ------
    UsageError
        The averaging does not divide the channels or integrations, or would join phase centres.
    """
    header = next(iter(headers.values()))
    averaging = averaging or Averaging()
    check_averaging(averaging, phase_centre)
    if header.n_times % averaging.times:
        raise UsageError(
            f"cannot average {averaging.times} integrations",
            remedy=f"give a divisor of {header.n_times}, the group's length",
        )
    antennas = _antennas(header, stations)

    swapped = header.ant_1 > header.ant_2
    antenna_1 = np.where(swapped, header.ant_2, header.ant_1)
    antenna_2 = np.where(swapped, header.ant_1, header.ant_2)
    order = np.lexsort((antenna_2, antenna_1))
    row = np.empty_like(order)
    row[order] = np.arange(order.size)
    used = np.unique(antenna_1)

    times = header.times_mjd
    fields = phase_centre_fields(phase_centre, header)
    # Distances of hundreds of metres from a point of the array keep the phases exact where distances from the
    # Earth's centre would cost four digits.
    local_m = meridian_frame(antennas.itrf_m - header.site.itrf_m, header.site)
    basis, centres = _frames(fields, times, header)
    baselines_m = local_m[antenna_1[order]] - local_m[antenna_2[order]]
    uvw_m = np.einsum("tij,bj->tbi", basis, baselines_m)
    turn_m = (meridian_direction(header.dec_rad) - centres) @ local_m[used].T

    description = _describe(header, fields, antennas, averaging, (antenna_1[order], antenna_2[order]), uvw_m, obs_mode)
    return ConversionPlan(
        headers=dict(headers),
        averaging=averaging,
        description=description,
        times_mjd=times,
        freq_hz=band_frequencies_hz(),
        row=row,
        conjugate=header.ant_1 < header.ant_2,
        antenna_1=np.searchsorted(used, antenna_1),
        antenna_2=np.searchsorted(used, antenna_2),
        turn_m=turn_m if len(fields) == 1 else np.zeros_like(turn_m),
        uvw_m=uvw_m,
    )


def _frames(
    fields: tuple[Field, ...], times: NDArray[np.float64], header: SubbandHeader
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UVW axes (T, 3, 3) and apparent phase centres (T, 3) of every integration, in the meridian frame."""
    ra, dec = np.array([field[1:3] for field in fields]).T
    basis = uvw_basis(ra, dec, times, header.site)
    return basis, basis[:, 2]


def check_averaging(averaging: Averaging, phase_centre: PhaseCentre) -> None:
    """Raise UsageError for an average that is wrong whatever the group."""
    if averaging.channels < 1 or CHANNELS_PER_SUBBAND % averaging.channels:
        raise UsageError(
            f"cannot average {averaging.channels} channels", remedy="give a divisor of 48, the channels of a subband"
        )
    if averaging.times < 1:
        raise UsageError(f"cannot average {averaging.times} integrations", remedy="give a divisor of the group's")
    if averaging.times > 1 and phase_centre.kind == "drift":
        raise UsageError(
            "integrations with their own phase centres cannot be averaged", remedy="use --phase-centre meridian"
        )


def _antennas(header: SubbandHeader, stations: Stations | None) -> Antennas:
    """All stations of the array, at the header's positions or at those given instead."""
    known = load_stations()
    itrf_m = known.itrf_m.copy()
    diameters_m = np.full(known.numbers.size, header.diameters_m[0])
    itrf_m[header.antenna_numbers] = header.antenna_itrf_m
    diameters_m[header.antenna_numbers] = header.diameters_m
    if stations is not None:
        lacking = sorted(set((np.unique(header.ant_1) + 1).tolist()) - set(stations.numbers.tolist()))
        if lacking:
            raise UsageError(
                f"no position for station {', '.join(map(str, lacking))} in the given table",
                remedy="add the stations, or leave the option out to use the files' own positions",
            )
        inside = np.isin(stations.numbers, known.numbers)
        itrf_m[stations.numbers[inside] - 1] = stations.itrf_m[inside]
    return Antennas(known.names, itrf_m, diameters_m)


def _describe(
    header: SubbandHeader,
    fields: tuple[Field, ...],
    antennas: Antennas,
    averaging: Averaging,
    baselines: tuple[NDArray[np.int64], NDArray[np.int64]],
    uvw_m: NDArray[np.float64],
    obs_mode: str,
) -> MsDescription:
    n_out = header.n_times // averaging.times
    field_id = np.arange(n_out) if len(fields) > 1 else np.zeros(n_out)
    return MsDescription(
        telescope_name=header.telescope_name,
        observer="DSA-110",
        project=header.object_name,
        processor=header.instrument,
        antennas=antennas,
        site_itrf_m=header.site.itrf_m,
        antenna1=baselines[0].astype(np.int32),
        antenna2=baselines[1].astype(np.int32),
        times_mjd=header.times_mjd.reshape(n_out, -1).mean(axis=1),
        interval_s=header.integration_s * averaging.times,
        exposure_s=header.integration_s * averaging.times,
        uvw_m=uvw_m.reshape(n_out, averaging.times, -1, 3).mean(axis=1),
        fields=fields,
        field_id=field_id.astype(np.int32),
        freq_hz=band_frequencies_hz().reshape(-1, averaging.channels).mean(axis=1),
        channel_width_hz=CHANNEL_WIDTH_HZ * averaging.channels,
        tile_channels=CHANNELS_PER_SUBBAND // averaging.channels,
        obs_mode=obs_mode,
    )
