"""The axes of a Measurement Set, and what is not one regular grid."""

import json
import logging

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.information import pointing_dec_rad, read_info
from dsa110_contimg.ms.layout import create_ms
from dsa110_contimg.telescope.band import HEADER_SITE
from small_ms import describe


def make(tmp_path, **changes):
    create_ms(tmp_path / "a.ms", describe(**changes))
    return tmp_path / "a.ms"


def change(ms, column, function, table=""):
    with ct.table(f"{ms}::{table}" if table else str(ms), readonly=False, ack=False) as opened:
        opened.putcol(column, function(opened.getcol(column)))


def test_axes(tmp_path):
    truth = describe(n_times=3, n_antennas=4)
    info = read_info(make(tmp_path, n_times=3, n_antennas=4))
    np.testing.assert_allclose(info.times_mjd, truth.times_mjd, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(info.antenna1, truth.antenna1)
    np.testing.assert_array_equal(info.antenna2, truth.antenna2)
    np.testing.assert_array_equal(info.freq_hz, truth.freq_hz)
    np.testing.assert_array_equal(info.antenna_itrf_m, truth.antennas.itrf_m)
    assert info.antenna_names == truth.antennas.names
    assert info.correlations == (9, 12)
    assert (info.n_times, info.n_baselines, info.n_channels, info.tile_channels) == (3, 10, 8, 4)
    assert (info.interval_s, info.channel_width_hz) == (12.88, 1e6)
    assert info.phase_centre_deg == pytest.approx((359.5, 54.0))
    assert info.working.tolist() == [0, 1, 2, 3]
    assert info.is_cross.sum() == 6
    assert info.site == pytest.approx(HEADER_SITE)


def test_several_fields(tmp_path):
    info = read_info(make(tmp_path, n_fields=2))
    assert info.field_id.tolist() == [0, 1]
    assert info.field_names == ("field_0", "field_1")
    with pytest.raises(MeasurementSetError, match="2 phase centres"):
        _ = info.phase_centre_deg


@pytest.mark.parametrize(
    ("column", "function", "message"),
    [
        ("TIME", lambda t: t[::-1], "do not ascend"),
        ("TIME", lambda t: np.where(np.arange(t.size) < 5, t[0] - 9, t), "different numbers"),
        ("ANTENNA1", lambda a: np.concatenate([a[:6], a[:5:-1]]), "different baselines"),
        ("FIELD_ID", lambda f: np.arange(f.size, dtype=np.int32) % 2, "order of time"),
        ("INTERVAL", lambda t: np.linspace(1, 2, t.size), "differ in length"),
        ("DATA_DESC_ID", lambda d: d + 1, "several spectral windows"),
    ],
)
def test_rows_that_are_not_a_grid(tmp_path, column, function, message):
    ms = make(tmp_path)
    change(ms, column, function)
    with pytest.raises(MeasurementSetError, match=message):
        read_info(ms)


def test_channels_that_are_not_even(tmp_path):
    ms = make(tmp_path)
    change(ms, "CHAN_FREQ", lambda f: f + np.arange(f.size) ** 2 * 1e3, "SPECTRAL_WINDOW")
    with pytest.raises(MeasurementSetError, match="not evenly spaced"):
        read_info(ms)


def test_no_measurement_set(tmp_path):
    with pytest.raises(MeasurementSetError, match="cannot be read"):
        read_info(tmp_path)


def test_pointing_is_what_the_conversion_says(tmp_path):
    ms = make(tmp_path)
    (ms / "contimg.json").write_text(json.dumps({"pointing_dec_deg": 54.57}))
    assert np.degrees(pointing_dec_rad(ms)) == pytest.approx(54.57)


def test_pointing_of_others_is_their_phase_centre_of_date(tmp_path, caplog):
    ms = make(tmp_path)
    with caplog.at_level(logging.WARNING):
        dec_deg = np.degrees(pointing_dec_rad(ms))
    # Precession moves the declination by up to 0.0056 deg a year, as the cosine of right ascension.
    assert dec_deg - 54.0 == pytest.approx(25.76 * 0.00557, abs=0.01)
    assert "does not say where" in caplog.text


def test_pointing_that_cannot_be_read(tmp_path):
    ms = make(tmp_path)
    (ms / "contimg.json").write_text("{}")
    with pytest.raises(MeasurementSetError, match=r"contimg\.json cannot be read"):
        pointing_dec_rad(ms)
