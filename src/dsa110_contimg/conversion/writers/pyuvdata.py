"""The reference writer: pyuvdata reads, turns and writes; slow, and needs the whole group in memory.

The subtables, weights and flags are filled by the same code as the direct writer's, so the two Measurement Sets differ
in what they are compared for only: times, baselines, UVW and visibilities.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import casacore.tables as ct
import numpy as np

from dsa110_contimg.conversion.writers import check_writer
from dsa110_contimg.conversion.writers.result import WriteResult, require_good, zero_filled
from dsa110_contimg.errors import InputError, UnreadableFileError
from dsa110_contimg.ms.layout import add_bulk_column, fill_weights
from dsa110_contimg.ms.subtables import fill_subtables
from dsa110_contimg.ms.tiles import TileFile
from dsa110_contimg.storage.files import output_errors
from dsa110_contimg.telescope.band import CHANNELS_PER_SUBBAND, N_SUBBANDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pyuvdata import UVData

    from dsa110_contimg.conversion.plan import ConversionPlan
    from dsa110_contimg.uvh5.header import SubbandHeader

# Half the arc from which north is found at a phase centre.
_NORTH_ARC_RAD = np.radians(1 / 3600)


class _Written(NamedTuple):
    """What is known of the data once they are written.

    Attributes
    ----------
    set_aside : dict of int to InputError
        Subbands left out.
    zeros : dict of int to float
        Fraction of zeros of each good subband.
    flagged : float
        Fraction of all samples that are flagged.
    nsamples : float or None
        Value of nsamples where it is the same everywhere.
    mean : (N, 2) float64
        Mean nsamples of the unflagged channels of each row.
    unflagged : (N,) bool
        Whether any sample of the row is good.
    """

    set_aside: dict[int, InputError]
    zeros: dict[int, float]
    flagged: float
    nsamples: float | None
    mean: NDArray[np.float64]
    unflagged: NDArray[np.bool_]


def write(
    plan: ConversionPlan,
    ms_path: Path,
    *,
    min_subbands: int,
    workers: int,  # noqa: ARG001 - pyuvdata works alone
    model: NDArray[np.float64] | None = None,
    progress: Callable[[int], object] = lambda nbytes: None,
    bulk_written: Callable[[], object] = lambda: None,
) -> WriteResult:
    """Write the Measurement Set of a plan; parameters and errors as of `direct_subband.write`."""
    check_writer("pyuvdata", averages=plan.averaging.is_on)
    written = _write_with_pyuvdata(plan, ms_path, min_subbands, progress)
    bulk_written()
    _finish(plan, ms_path, written, model)
    return WriteResult(written.set_aside, written.zeros, written.flagged)


def _write_with_pyuvdata(
    plan: ConversionPlan, ms_path: Path, min_subbands: int, progress: Callable[[int], object]
) -> _Written:
    with warnings.catch_warnings():
        # The files are of 2018 and lack what pyuvdata has come to expect since.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        group, set_aside = _read_group(plan, min_subbands, progress)
        # What is not finite goes first: turned, it would be more of the same, and numpy would warn.
        zeros = _flag(group)
        _turn(group, plan)
        with output_errors(ms_path):
            group.write_ms(str(ms_path), run_check=False, clobber=False)
    good = sorted(set(plan.headers) - set(set_aside))
    blocks = np.isin(np.arange(N_SUBBANDS), [plan.block(sb) for sb in good])
    counts = group.nsample_array[:, np.repeat(blocks, CHANNELS_PER_SUBBAND)]
    unflagged = ~group.flag_array
    mean = np.where(unflagged, group.nsample_array, 0).sum(axis=1) / np.maximum(unflagged.sum(axis=1), 1)
    return _Written(
        set_aside,
        {sb: float(zeros[plan.block(sb)]) for sb in good},
        float(group.flag_array.mean()),
        float(counts.flat[0]) if (counts == counts.flat[0]).all() else None,
        mean,
        unflagged.any(axis=(1, 2)),
    )


def _read_group(
    plan: ConversionPlan, min_subbands: int, progress: Callable[[int], object]
) -> tuple[UVData, dict[int, InputError]]:
    """Read all subbands, lowest first, into one object with all channels of the band."""
    good: dict[int, UVData] = {}
    set_aside: dict[int, InputError] = {}
    for subband, header in plan.headers.items():
        try:
            good[subband] = _read_subband(header)
        except InputError as error:
            set_aside[subband] = error
        progress(header.size_bytes)
    require_good(len(good), set_aside, min_subbands)
    template = next(iter(good.values()))
    parts = [good.get(sb) or _missing(template, plan.subband_frequencies_hz(sb)) for sb in reversed(range(N_SUBBANDS))]
    good.clear()
    group = parts.pop(0)
    group.fast_concat(parts, "freq", inplace=True, run_check=False)
    return group, set_aside


def _read_subband(header: SubbandHeader) -> UVData:
    from pyuvdata import UVData

    try:
        subband: UVData = UVData.from_file(str(header.path), file_type="uvh5", run_check=False)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise UnreadableFileError(
            f"cannot be read ({error})", path=header.path, remedy="copy the file again from the correlator"
        ) from error
    subband.uvw_array = subband.uvw_array.astype(np.float64)
    if not subband.data_array.any():
        raise zero_filled(header.path)
    if subband.freq_array[0] > subband.freq_array[-1]:
        subband.reorder_freqs(channel_order="freq", run_check=False)
    return subband


def _missing(template: UVData, freq_hz: NDArray[np.float64]) -> UVData:
    subband = template.copy()
    subband.freq_array = freq_hz
    subband.data_array[:] = 0
    subband.flag_array[:] = True
    subband.nsample_array[:] = 0
    return subband


def _turn(group: UVData, plan: ConversionPlan) -> None:
    """Declare the data as fringestopped on the meridian, and phase them to the plan's centres."""
    header = next(iter(plan.headers.values()))
    antennas = plan.description.antennas
    positions = antennas.itrf_m[group.telescope.antenna_numbers] - header.site.itrf_m
    group.telescope.antenna_positions = positions
    latitude = np.radians(header.site.latitude_deg)
    south = header.dec_rad < latitude
    (old,) = group.phase_center_catalog
    meridian = group._add_phase_center(
        "meridian",
        cat_type="driftscan",
        cat_frame="altaz",
        cat_lon=np.pi if south else 0.0,
        cat_lat=np.pi / 2 - abs(latitude - header.dec_rad),
    )
    group.phase_center_id_array[:] = meridian
    del group.phase_center_catalog[old]
    group.set_lsts_from_time_array()
    group._set_app_coords_helper()
    group.set_uvws_from_antenna_positions(update_vis=False)
    fields = plan.description.fields
    # pyuvdata's times are the file's, to the bit.
    _, moment = np.unique(group.time_array, return_inverse=True)
    for k, field in enumerate(fields):
        group.phase(
            lon=np.radians(field.ra_deg),
            lat=np.radians(field.dec_deg),
            phase_frame="icrs",
            cat_name=field.name,
            select_mask=None if len(fields) == 1 else moment == k,
        )
    _set_position_angles(group)
    group.conjugate_bls("ant1<ant2")
    group.reorder_blts(order="time", minor_order="ant1", run_check=False)


def _set_position_angles(group: UVData) -> None:
    """Work the UVWs out again with north found at the phase centre.

    pyuvdata finds it from the ends of an arc of one degree, and takes the angle at the southern end: in 2025 at
    declination 54 that turns the UVWs by 11 arcsec, and moves a source 1.5 degrees off axis by 0.3.
    """
    from pyuvdata.utils.phasing import calc_frame_pos_angle

    group.phase_center_frame_pa = calc_frame_pos_angle(
        time_array=group.time_array,
        app_ra=group.phase_center_app_ra,
        app_dec=group.phase_center_app_dec,
        telescope_loc=group.telescope.location,
        ref_frame="icrs",
        ref_epoch=2000.0,
        offset_pos=_NORTH_ARC_RAD,
    )
    group.set_uvws_from_antenna_positions(update_vis=False)


def _flag(group: UVData) -> NDArray[np.float64]:
    """Flag zeros and what is not finite; return the fraction of zeros of each block of channels."""
    zero = group.data_array == 0
    bad = ~np.isfinite(group.data_array)
    group.data_array[bad] = 0
    group.flag_array |= zero | bad | ~(group.nsample_array > 0)
    by_channel: NDArray[np.float64] = zero.mean(axis=(0, 2))
    return by_channel.reshape(N_SUBBANDS, CHANNELS_PER_SUBBAND).mean(axis=1)


def _finish(plan: ConversionPlan, ms_path: Path, written: _Written, model: NDArray[np.float64] | None) -> None:
    """Give the table the columns and subtables of ours."""
    description = plan.description
    n_rows = description.n_rows
    constants = dict.fromkeys(("STATE_ID", "PROCESSOR_ID", "OBSERVATION_ID", "DATA_DESC_ID", "ARRAY_ID"), 0)
    constants |= {"FEED1": 0, "FEED2": 0, "SCAN_NUMBER": 1}
    with ct.table(str(ms_path), readonly=False, ack=False) as ms:
        for column, value in constants.items():
            ms.putcol(column, np.full(n_rows, value, np.int32))
        ms.putcol("FIELD_ID", np.repeat(description.field_id, description.n_baselines))
        ms.putcol("EXPOSURE", np.full(n_rows, description.exposure_s))
        ms.putcol("INTERVAL", np.full(n_rows, description.interval_s))
        # pyuvdata keeps nsamples there.
        if written.nsamples is not None:
            ms.removecols(["WEIGHT_SPECTRUM"])
        else:
            ms.putcol("WEIGHT_SPECTRUM", plan.weight(ms.getcol("WEIGHT_SPECTRUM")))
    fill_subtables(ms_path, description)
    mean = written.mean if written.nsamples is None else np.full_like(written.mean, written.nsamples)
    fill_weights(ms_path, plan.weight(mean), written.unflagged)
    if model is not None:
        _add_model(plan, ms_path, model)


def _add_model(plan: ConversionPlan, ms_path: Path, model: NDArray[np.float64]) -> None:
    description = plan.description
    add_bulk_column(ms_path, "MODEL_DATA", description)
    shape = (description.n_baselines, description.tile_channels, 2)
    with TileFile(ms_path, "MODEL_DATA", description) as file:
        for time, spectrum in enumerate(model):
            for block, flux in enumerate(spectrum.reshape(N_SUBBANDS, -1)):
                file.write(time, block, np.broadcast_to(flux[None, :, None], shape).astype(np.complex64))
