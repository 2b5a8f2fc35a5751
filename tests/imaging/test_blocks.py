import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.imaging.blocks import describe, stokes_blocks
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.geometry import aberration_scale
from predicted_ms import STATIONS, PredictedMs

N_CROSS = len(STATIONS) * (len(STATIONS) - 1) // 2


@pytest.fixture
def ms(tmp_path):
    return PredictedMs(tmp_path / "a.ms", [(0.5, 0.2)], [1.5], n_times=2)


def one_block(ms):
    (block,) = stokes_blocks(ms.path)
    return block


def test_autocorrelations_are_left_out(ms):
    block = one_block(ms)
    assert block.visibilities.shape == (2 * N_CROSS, block.freq_hz.size)
    assert np.all(block.antenna1 < block.antenna2)


def test_a_flat_source_has_its_flux_in_every_sample(ms):
    assert np.abs(one_block(ms).visibilities) == pytest.approx(1.5, rel=1e-5)


def test_small_blocks_are_the_same_rows(ms):
    whole = one_block(ms)
    parts = list(stokes_blocks(ms.path, block_bytes=50 * whole.freq_hz.size * 48))
    assert len(parts) == 7
    for field in ("uvw_m", "visibilities", "weights", "mjd", "antenna1", "antenna2"):
        joined = np.concatenate([getattr(part, field) for part in parts])
        assert np.array_equal(joined, getattr(whole, field)), field


def test_stokes_i_is_the_mean_of_xx_and_yy(ms):
    ms.change("DATA", lambda data: data * np.array([1.2, 0.8], np.float32))
    assert np.abs(one_block(ms).visibilities) == pytest.approx(1.5, rel=1e-5)


def test_the_weight_is_the_inverse_variance_of_the_mean(ms):
    ms.change("WEIGHT", lambda weight: np.broadcast_to(np.array([2.0, 6.0], np.float32), weight.shape))
    # Var((XX + YY) / 2) = (1/2 + 1/6) / 4.
    assert one_block(ms).weights == pytest.approx(6.0)


def test_weight_spectrum_comes_first(ms):
    with ct.table(str(ms.path), readonly=False, ack=False) as table:
        table.addcols(ct.maketabdesc(ct.makearrcoldesc("WEIGHT_SPECTRUM", 0.0, 2, valuetype="float")))
        spectrum = np.full(table.getcol("DATA").shape, 3.0, np.float32)
        spectrum[:, 7] = 0.0
        table.putcol("WEIGHT_SPECTRUM", spectrum)
    weights = one_block(ms).weights
    assert np.all(weights[:, 7] == 0.0)
    assert np.delete(weights, 7, axis=1) == pytest.approx(6.0)


@pytest.mark.parametrize("correlation", [0, 1])
def test_a_flag_of_either_correlation_takes_the_sample_away(ms, correlation):
    def flag(flags):
        flags[:, 3, correlation] = True
        return flags

    ms.change("FLAG", flag)
    block = one_block(ms)
    assert np.all(block.weights[:, 3] == 0.0)
    assert np.all(block.visibilities[:, 3] == 0.0)
    assert np.all(np.delete(block.weights, 3, axis=1) > 0.0)


def test_flagged_rows_and_infinite_samples_have_no_weight(ms):
    def spoil(data):
        data[:, 5, 0] = np.nan
        return data

    ms.change("DATA", spoil)
    ms.change("FLAG_ROW", lambda rows: np.arange(rows.size) >= rows.size // 2)
    block = one_block(ms)
    assert np.all(block.weights[:, 5] == 0.0)
    assert np.all(block.weights[N_CROSS:] == 0.0)
    assert np.all(np.isfinite(block.visibilities))
    assert np.count_nonzero(block.weights) == N_CROSS * (block.freq_hz.size - 1)


def test_observation(ms):
    seen = describe(ms.path)
    assert (seen.ra_deg, seen.dec_deg) == pytest.approx((ms.ra_deg, ms.dec_deg), abs=1e-9)
    assert seen.start_mjd == pytest.approx(ms.mjd[0] - INTEGRATION_S / 2 / 86400, abs=1e-9)
    assert seen.end_mjd == pytest.approx(ms.mjd[-1] + INTEGRATION_S / 2 / 86400, abs=1e-9)
    assert seen.middle_mjd == pytest.approx(ms.mjd.mean(), abs=1e-9)
    # The site is worked out from the antennas; only its velocity counts, to one part in 1e6.
    assert seen.aberration_scale == pytest.approx(
        aberration_scale(ms.ra_deg, ms.dec_deg, ms.mjd.mean(), HEADER_SITE), abs=1e-9
    )
    assert seen.telescope == "OVRO_MMA"


def test_several_phase_centres_are_refused(ms):
    with ct.table(f"{ms.path}::FIELD", readonly=False, ack=False) as table:
        table.addrows(1)
        table.putcell("PHASE_DIR", 1, np.array([[1.0, 0.5]]))
    with pytest.raises(MeasurementSetError, match=r"2 phase centres.*--phase-centre meridian"):
        describe(ms.path)


def test_apparent_directions_are_refused(ms):
    with ct.table(f"{ms.path}::FIELD", readonly=False, ack=False) as table:
        table.putcolkeyword("PHASE_DIR", "MEASINFO", {"type": "direction", "Ref": "APP"})
    with pytest.raises(MeasurementSetError, match="APP"):
        describe(ms.path)


def test_what_is_not_there_is_named(ms, tmp_path):
    with pytest.raises(MeasurementSetError, match="no CORRECTED_DATA"):
        next(stokes_blocks(ms.path, "CORRECTED_DATA"))
    with pytest.raises(MeasurementSetError, match="cannot be read"):
        next(stokes_blocks(tmp_path / "nothing.ms"))
    with pytest.raises(MeasurementSetError, match="cannot be read"):
        describe(tmp_path / "nothing.ms")
