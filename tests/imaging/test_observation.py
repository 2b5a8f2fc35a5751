import json

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.imaging.observation import distinct_times_s, observe
from dsa110_contimg.ms.reading import read_blocks
from dsa110_contimg.naming import PROVENANCE_NAME
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.geometry import aberration_scale
from made_integrations import make_observation
from predicted_ms import STATIONS, PredictedMs


@pytest.fixture
def ms(tmp_path):
    return PredictedMs(tmp_path / "a.ms", [(0.5, 0.2)], [1.5], n_times=2)


def test_what_is_observed(ms):
    seen = observe(ms.path)
    assert (seen.ra_deg, seen.dec_deg) == pytest.approx((ms.ra_deg, ms.dec_deg), abs=1e-9)
    assert seen.start_mjd == pytest.approx(ms.mjd[0] - INTEGRATION_S / 2 / 86400, abs=1e-9)
    assert seen.end_mjd == pytest.approx(ms.mjd[-1] + INTEGRATION_S / 2 / 86400, abs=1e-9)
    assert seen.middle_mjd == pytest.approx(ms.mjd.mean(), abs=1e-9)
    np.testing.assert_allclose(seen.times_mjd, ms.mjd, atol=1e-9)
    assert seen.interval_s == pytest.approx(INTEGRATION_S)
    assert seen.aberration_scale == pytest.approx(
        aberration_scale(ms.ra_deg, ms.dec_deg, ms.mjd.mean(), HEADER_SITE), abs=1e-10
    )
    assert seen.telescope == "OVRO_MMA"
    assert tuple(seen.site) == pytest.approx(tuple(HEADER_SITE), abs=1e-6)
    np.testing.assert_array_equal(seen.working, np.array(STATIONS) - 1)
    assert seen.diameters_m == pytest.approx(4.65)


def test_the_longest_baseline():
    assert make_observation().longest_baseline_m == pytest.approx(2600, abs=10)
    assert make_observation(stations=(1, 2)).longest_baseline_m < 50


def test_the_dishes_point_where_the_conversion_says(ms):
    (ms.path / PROVENANCE_NAME).write_text(json.dumps({"pointing_dec_deg": 54.0}))
    assert np.degrees(observe(ms.path).pointing_dec_rad) == pytest.approx(54.0)


def test_else_they_point_to_the_phase_centre(ms, caplog):
    assert np.degrees(observe(ms.path).pointing_dec_rad) == pytest.approx(54.57, abs=1e-4)
    assert "does not say where the dishes pointed" in caplog.text


def test_a_field_that_nobody_observed_does_not_count(ms):
    with ct.table(f"{ms.path}::FIELD", readonly=False, ack=False) as table:
        table.addrows(1)
        table.putcell("PHASE_DIR", 1, np.array([[1.0, 0.5]]))
    assert observe(ms.path).ra_deg == pytest.approx(ms.ra_deg)


def test_several_phase_centres_are_refused(ms):
    with ct.table(f"{ms.path}::FIELD", readonly=False, ack=False) as table:
        table.addrows(1)
        table.putcell("PHASE_DIR", 1, np.array([[1.0, 0.5]]))
    ms.change("FIELD_ID", lambda field: np.arange(field.size, dtype=np.int32) % 2)
    with pytest.raises(MeasurementSetError, match=r"2 phase centres.*--phase-centre meridian"):
        observe(ms.path)


def test_apparent_directions_are_refused(ms):
    with ct.table(f"{ms.path}::FIELD", readonly=False, ack=False) as table:
        table.putcolkeyword("PHASE_DIR", "MEASINFO", {"type": "direction", "Ref": "APP"})
    with pytest.raises(MeasurementSetError, match="APP"):
        observe(ms.path)


def test_what_is_not_there_is_named(ms, tmp_path):
    with pytest.raises(MeasurementSetError, match="cannot be read"):
        observe(tmp_path / "nothing.ms")


def test_no_rows(ms, tmp_path):
    with ct.table(str(ms.path), ack=False) as table, table.query("ANTENNA1 < 0") as none:
        none.copy(str(tmp_path / "empty.ms"), deep=True).close()
    with pytest.raises(MeasurementSetError, match="has no rows"):
        observe(tmp_path / "empty.ms")


def test_uvw_are_those_of_the_measurement_set(ms):
    seen = observe(ms.path)
    first, second = read_blocks(ms.path)
    cross = first.antenna1 != first.antenna2
    np.testing.assert_allclose(seen.uvw_m(seen.times_mjd), [first.uvw_m[cross], second.uvw_m[cross]], atol=1e-3)
    np.testing.assert_array_equal(seen.pairs, [first.antenna1[cross], first.antenna2[cross]])


def test_chunks_of_time_are_whole_integrations():
    seen = make_observation(n_times=7)
    edges = seen.chunk_edges_mjd(3)
    assert edges[0] == seen.start_mjd
    assert edges[-1] == seen.end_mjd
    assert np.histogram(seen.times_mjd, edges)[0].tolist() == [3, 2, 2]
    assert np.diff(seen.chunk_edges_mjd(99)) * 86400 == pytest.approx(seen.interval_s, rel=1e-4)
    assert seen.chunk_edges_mjd(99).size == 8


def test_times_that_are_the_same_but_for_their_digits():
    np.testing.assert_array_equal(distinct_times_s(np.array([5.0, 1.0, 1.0 + 1e-6, 5.0])), [1.0, 5.0])
