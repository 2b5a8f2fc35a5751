"""What is known of a group's Measurement Set before its visibilities are read."""

import numpy as np
import pytest

from dsa110_contimg.conversion.helpers import PhaseCentre
from dsa110_contimg.conversion.plan import Averaging, plan_conversion
from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.stations import Stations, load_stations
from dsa110_contimg.uvh5.header import read_header
from point_source_truth import directions, in_meridian_frame
from subband_files import BASELINES, frequencies_hz, write_group

MERIDIAN = PhaseCentre("meridian")


@pytest.fixture(scope="module")
def headers(tmp_path_factory):
    files = write_group(tmp_path_factory.mktemp("group"), subbands=[0, 3, 15], n_times=4)
    return {sb: read_header(path) for sb, path in files.items()}


@pytest.fixture(scope="module")
def plan(headers):
    return plan_conversion(headers, MERIDIAN)


def test_rows_are_in_order(plan):
    """The file's baselines are unsorted, and in either direction; the Measurement Set's are neither."""
    pairs = list(zip(plan.description.antenna1.tolist(), plan.description.antenna2.tolist(), strict=True))
    assert pairs == sorted((min(pair), max(pair)) for pair in BASELINES)
    for k, (first, second) in enumerate(BASELINES):
        assert pairs[plan.row[k]] == (min(first, second), max(first, second))
        # The file has <E1* E2>; an MS's row is its conjugate where ant_1 comes first.
        assert plan.conjugate[k] == (first < second)
    assert plan.description.antenna1.dtype == np.int32


def test_antennas_of_the_turn(plan):
    used = np.unique(BASELINES)
    for k, pair in enumerate(BASELINES):
        assert used[plan.antenna_1[k]] == min(pair)
        assert used[plan.antenna_2[k]] == max(pair)
    assert plan.turn_m.shape == (4, 3)


def test_the_turn_is_the_path_between_the_phase_centres(plan, headers):
    """By astropy: r . (s0 - c) between any two antennas."""
    header = headers[0]
    field = plan.description.fields[0]
    used = np.unique(BASELINES)
    local_m = in_meridian_frame(header.antenna_itrf_m - header.antenna_itrf_m[0], header.site)[used]
    centre = directions(field.ra_deg, field.dec_deg, header.times_mjd, header.site)
    meridian = np.array([np.cos(header.dec_rad), 0, np.sin(header.dec_rad)])
    expected = (meridian - centre) @ local_m.T
    turn = plan.turn_m - plan.turn_m[:, :1]
    assert turn == pytest.approx(expected - expected[:, :1], abs=1e-6)
    assert np.abs(turn).max() > 0.01


def test_drifting_data_stay_as_they_are(headers):
    plan = plan_conversion(headers, PhaseCentre("drift"))
    assert not plan.turn_m.any()
    assert len(plan.description.fields) == 4
    assert plan.description.field_id.tolist() == [0, 1, 2, 3]


def test_one_integration_that_drifts(tmp_path):
    """One field, and still its own phase centre."""
    files = write_group(tmp_path, subbands=[5], n_times=1)
    plan = plan_conversion({5: read_header(files[5])}, PhaseCentre("drift"))
    assert np.abs(plan.turn_m - plan.turn_m[:, :1]).max() < 1e-6
    assert plan.description.fields[0].name.startswith("drift_")


def test_subbands(plan):
    assert plan.missing == tuple(sb for sb in range(16) if sb not in {0, 3, 15})
    assert [plan.block(sb) for sb in (0, 15)] == [15, 0]
    for sb in (0, 3, 15):
        assert plan.subband_frequencies_hz(sb) == pytest.approx(frequencies_hz(sb)[::-1], abs=1)


def test_weights(plan):
    assert plan.full_weight == pytest.approx(2 * 244140.625 * 12.884902)
    weight = plan.weight(np.array([96, 48, 0, -1, np.nan]))
    assert weight == pytest.approx(np.array([1, 0.5, 0, 0, 0]) * plan.full_weight)
    assert weight.dtype == np.float32


def test_description(plan, headers):
    description = plan.description
    assert (description.n_times, description.n_baselines, description.n_channels) == (4, 6, 768)
    assert np.array_equal(description.times_mjd, headers[0].times_mjd)
    assert (description.telescope_name, description.processor, description.project) == ("OVRO_MMA", "DSA", "search")
    assert description.antennas.names == tuple(str(n) for n in range(1, 118))
    assert np.array_equal(description.antennas.itrf_m, headers[0].antenna_itrf_m)
    assert description.uvw_m.shape == (4, 6, 3)
    assert description.tile_channels == 48


def test_averaged_description(headers):
    plan = plan_conversion(headers, MERIDIAN, averaging=Averaging(16, 2))
    description = plan.description
    assert (description.n_times, description.n_channels, description.tile_channels) == (2, 48, 3)
    assert description.times_mjd == pytest.approx(headers[0].times_mjd.reshape(2, 2).mean(axis=1), abs=1e-10)
    assert description.interval_s == pytest.approx(2 * 12.884902)
    assert description.channel_width_hz == pytest.approx(16 * 244140.625)
    # The correlator's own stay known.
    assert plan.times_mjd.size == 4
    assert plan.freq_hz.size == 768
    assert description.uvw_m == pytest.approx(plan.uvw_m.reshape(2, 2, 6, 3).mean(axis=1))


def test_is_averaging_on():
    assert not Averaging().is_on
    assert Averaging(2, 1).is_on
    assert Averaging(1, 2).is_on


@pytest.mark.parametrize(("channels", "times"), [(5, 1), (0, 1), (-2, 1), (96, 1), (1, 3), (1, 0), (1, -4)])
def test_what_does_not_divide(headers, channels, times):
    with pytest.raises(UsageError, match="cannot average"):
        plan_conversion(headers, MERIDIAN, averaging=Averaging(channels, times))


def test_given_positions_replace_the_headers(headers):
    table = load_stations()
    numbers = np.array([24, 103, 99, 500])
    itrf_m = np.vstack([table.itrf_m[numbers[:3] - 1] + 5.0, [[1.0, 2.0, 3.0]]])
    plan = plan_conversion(headers, MERIDIAN, stations=Stations(numbers, itrf_m))
    positions = plan.description.antennas.itrf_m
    assert np.array_equal(positions[[23, 102, 98]], itrf_m[:3])
    others = np.delete(np.arange(117), [23, 102, 98])
    assert np.array_equal(positions[others], headers[0].antenna_itrf_m[others])


def test_given_positions_that_lack_a_station(headers):
    table = load_stations()
    with pytest.raises(UsageError, match="no position for station 99, 103 in the given table"):
        plan_conversion(headers, MERIDIAN, stations=Stations(table.numbers[:50], table.itrf_m[:50]))


def test_another_intent(headers):
    plan = plan_conversion(headers, MERIDIAN, obs_mode="CALIBRATE_BANDPASS#ON_SOURCE")
    assert plan.description.obs_mode == "CALIBRATE_BANDPASS#ON_SOURCE"
