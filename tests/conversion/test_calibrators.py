"""Which groups a calibrator crosses; Measurement Sets turned to it, whose MODEL_DATA is what the array sees."""

import json
import logging
from datetime import timedelta

import casacore.tables as ct
import numpy as np
import pytest
from scipy.special import j1

import subband_files
from casa import needs_casa, run_casa
from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.catalogue.candidates import Strip, find_candidates
from dsa110_contimg.conversion.batch import FailedGroup
from dsa110_contimg.conversion.calibrators import convert_calibrator_groups, find_calibrator_groups, point_groups
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.conversion.plan import Averaging
from dsa110_contimg.errors import NoGroupsError, UsageError
from dsa110_contimg.simulation.options import SimulationOptions
from dsa110_contimg.simulation.run import simulate
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.transits import find_transits, nearest_transit, utc_of
from sky_truth import hour_angle_and_dec

NAME = "0834+555"
SOURCE = find_calibrator(NAME)
TRANSIT = nearest_transit(SOURCE.ra_deg, SOURCE.dec_deg, 60953.6, HEADER_SITE)
GROUP_S = 24 * INTEGRATION_S


# -- which groups ------------------------------------------------------------------------------------------------------


def write_groups(directory, starts, dec_deg=54.57, n_times=24):
    """Groups of three antennas without a sky, three subbands each."""
    for start in starts:
        paths = subband_files.write_group(directory, start, subbands=range(3), n_times=n_times)
        for path in paths.values():
            subband_files.replace(path, "Header/phase_center_app_dec", np.radians(dec_deg))
            subband_files.replace(path, "Header/extra_keywords/phase_center_dec", np.radians(dec_deg))
    return find_groups(directory).groups


def around_transit(fraction, transit=TRANSIT):
    """Starts of three groups, the transit at this fraction of the middle one."""
    first = utc_of(transit.mjd) - timedelta(seconds=(1 + fraction) * GROUP_S)
    return [first + timedelta(seconds=k * GROUP_S) for k in range(3)]


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.5, {1}), (0.26, {1}), (0.74, {1}), (0.24, {0, 1}), (0.0, {0, 1}), (0.76, {1, 2}), (0.99, {1, 2})],
)
def test_middle_of_a_group_is_one_and_near_a_boundary_two(tmp_path, fraction, expected):
    groups = write_groups(tmp_path, around_transit(fraction))
    found = find_calibrator_groups(groups, NAME)
    assert [item.group.id for item in found] == [groups[k].id for k in sorted(expected)]
    for item in found:
        assert item.transit.mjd == pytest.approx(TRANSIT.mjd, abs=1e-9)
        assert item.candidate.offset_deg == pytest.approx(TRANSIT.dec_deg - 54.57, abs=1e-4)


@pytest.mark.parametrize(("window_s", "expected"), [(0.0, {1}), (300.0, {1}), (320.0, {0, 1, 2}), (1000.0, {0, 1, 2})])
def test_the_window_can_be_chosen(tmp_path, window_s, expected):
    groups = write_groups(tmp_path, around_transit(0.5))
    found = find_calibrator_groups(reversed(groups), NAME, window_s)
    assert [item.group.id for item in found] == [groups[k].id for k in sorted(expected)]


def test_two_days_have_two_transits(tmp_path):
    later = find_transits(SOURCE.ra_deg, SOURCE.dec_deg, TRANSIT.mjd + 0.5, TRANSIT.mjd + 1.2, HEADER_SITE)[0]
    groups = write_groups(tmp_path, [*around_transit(0.5), *around_transit(0.5, later)])
    found = find_calibrator_groups(groups, NAME)
    assert [item.group.id for item in found] == [groups[1].id, groups[4].id]
    assert found[1].transit.mjd - found[0].transit.mjd == pytest.approx(0.99727, abs=1e-5)


def test_auto_takes_the_most_flux_through_the_beam(tmp_path, caplog):
    """1613+342 has 2.7 Jy to the 2.6 of 1602+334, twelve minutes earlier, but is further from the pointing."""
    caplog.set_level(logging.INFO)
    brighter, better = find_calibrator("1613+342"), find_calibrator("1602+334")
    transit = nearest_transit(better.ra_deg, better.dec_deg, TRANSIT.mjd, HEADER_SITE)
    first = around_transit(0.5, transit)[1]
    groups = write_groups(tmp_path, [first + timedelta(seconds=k * GROUP_S) for k in range(4)], dec_deg=33.0)
    ranked = find_candidates(Strip(33.0, HEADER_SITE), groups[0].start_mjd, groups[-1].end_mjd)
    assert {candidate.calibrator for candidate in ranked} >= {brighter, better}
    (found,) = find_calibrator_groups(groups, "AUTO")
    assert (found.candidate.calibrator, found.group) == (better, groups[0])
    assert "2.47 of 2.60 Jy come through the beam" in caplog.text
    assert find_calibrator_groups(groups, "1613+342")[0].group == groups[2]


def test_auto_takes_one_for_each_strip(tmp_path):
    other = find_calibrator("3C147")
    passing = nearest_transit(other.ra_deg, other.dec_deg, TRANSIT.mjd + 2, HEADER_SITE)
    write_groups(tmp_path, around_transit(0.5))
    groups = write_groups(tmp_path, around_transit(0.5, passing), dec_deg=50.0)
    assert {round(strip.dec_deg, 2) for strip, _ in point_groups(groups)} == {54.57, 50.0}
    found = find_calibrator_groups(groups, "auto")
    assert [item.candidate.calibrator.label for item in found] == [NAME, "3C147"]
    assert [item.candidate.calibrator.label for item in find_calibrator_groups(groups, "3c147")] == ["3C147"]


@pytest.mark.parametrize("subband", [0, 1, 2])
def test_one_file_with_a_stale_declination_does_not_decide(tmp_path, subband):
    (group,) = write_groups(tmp_path, [utc_of(TRANSIT.mjd)], n_times=2)
    subband_files.replace(group.files[subband], "Header/extra_keywords/phase_center_dec", np.radians(54.1))
    subband_files.replace(group.files[subband], "Header/phase_center_app_dec", np.radians(54.1))
    ((strip, _),) = point_groups([group])
    assert strip.dec_deg == pytest.approx(54.57)


def test_what_never_reaches_the_strip_is_refused_by_name(tmp_path):
    groups = write_groups(tmp_path, around_transit(0.5), n_times=2)
    with pytest.raises(UsageError, match=r"3C286 never comes into the beam: .* 24\.19 deg, .* of its power"):
        find_calibrator_groups(groups, "3C286")


def test_what_does_not_transit_now_is_told_when_it_does(tmp_path):
    groups = write_groups(tmp_path, [utc_of(TRANSIT.mjd + 0.2)], n_times=2)
    with pytest.raises(NoGroupsError, match=rf"does not transit in any .* {utc_of(TRANSIT.mjd):%Y-%m-%dT%H:%M:%S} UTC"):
        find_calibrator_groups(groups, NAME)


def test_a_gap_at_the_transit_is_no_group(tmp_path):
    before, _, after = around_transit(0.5)
    groups = write_groups(tmp_path, [before, after])
    with pytest.raises(NoGroupsError, match="does not transit in any"):
        find_calibrator_groups(groups, NAME)


def test_nothing_suitable(tmp_path):
    groups = write_groups(tmp_path, [utc_of(TRANSIT.mjd)], dec_deg=89.0, n_times=2)
    with pytest.raises(NoGroupsError, match=r"no suitable calibrator transits .* declination 89\.00"):
        find_calibrator_groups(groups, "auto")
    with pytest.raises(NoGroupsError, match="none of 0 groups"):
        find_calibrator_groups([], "auto")


def test_far_off_and_confused_sources_are_warned_of(tmp_path, caplog):
    confused = find_calibrator("3C171")
    passing = nearest_transit(confused.ra_deg, confused.dec_deg, TRANSIT.mjd, HEADER_SITE)
    groups = write_groups(tmp_path, around_transit(0.5, passing), dec_deg=passing.dec_deg - 1.6)
    assert find_calibrator_groups(groups, "3C171")
    assert "beyond half the beam's width" in caplog.text
    assert "VLA quality XXXP" in caplog.text


def test_a_group_that_cannot_be_read_fails_alone(tmp_path):
    groups = write_groups(tmp_path / "in", around_transit(0.0))
    for path in groups[1].files.values():
        path.write_bytes(b"no longer")
    found = find_calibrator_groups(groups, NAME)
    assert [item.group.id for item in found] == [groups[0].id, groups[1].id]
    options = ConversionOptions(min_subbands=3)
    good, bad = convert_calibrator_groups(found, tmp_path / "out", options)
    assert (good.outcome, bad.outcome) == ("partial", "failed")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [good.ms.name]


# -- what is in them ---------------------------------------------------------------------------------------------------


def simulate_calibrator(directory, source, transit, start_mjd, groups):
    """A sky of one point source half a degree north of the pointing; no noise, gains of one."""
    sky = directory / "sky.csv"
    sky.write_text(f"ra,dec,flux,alpha\n{source.ra_deg},{source.dec_deg},{source.flux_20cm_jy},-0.7\n")
    options = SimulationOptions(
        start=utc_of(start_mjd), dec_deg=transit.dec_deg - 0.5, groups=groups, integrations=8, antennas=6,
        sky=str(sky), noise=0,
    )  # fmt: skip
    simulate(directory / "in", options)
    return find_groups(directory / "in").groups


@pytest.fixture(scope="module")
def boundary(tmp_path_factory):
    """Two groups; the source transits 5 s after the first ends."""
    directory = tmp_path_factory.mktemp("boundary")
    start = TRANSIT.mjd - (8 * INTEGRATION_S + 5) / 86400
    return find_calibrator_groups(simulate_calibrator(directory, SOURCE, TRANSIT, start, 2), NAME)


@pytest.fixture(scope="module")
def measurement_sets(boundary, tmp_path_factory):
    return [one.ms for one in convert_calibrator_groups(boundary, tmp_path_factory.mktemp("ms"), ConversionOptions())]


def columns(ms, *names):
    with ct.table(str(ms), ack=False) as table:
        return [table.getcol(name) for name in names]


def airy_flux_jy(ms, source, dec_deg):
    """The apparent flux of a power law at each row and channel, from astropy's places and Airy's formula alone."""
    (time_s,) = columns(ms, "TIME")
    times, moment = np.unique(time_s, return_inverse=True)
    with ct.table(f"{ms}::SPECTRAL_WINDOW", ack=False) as table:
        freq_hz = table.getcell("CHAN_FREQ", 0)
    ha, dec = np.radians([hour_angle_and_dec(source.ra_deg, source.dec_deg, t / 86400, HEADER_SITE) for t in times]).T
    d0 = np.radians(dec_deg)
    cos_off = np.sin(dec) * np.sin(d0) + np.cos(dec) * np.cos(d0) * np.cos(ha)
    a = np.pi * 4.65 * freq_hz / 299792458.0 * np.sqrt(1 - cos_off**2)[:, None]
    flux = source.flux_20cm_jy * (freq_hz / 1.4e9) ** -0.7 * (2 * j1(a) / a) ** 2
    return flux[moment]


def test_one_for_each_group_at_the_boundary(boundary, measurement_sets):
    assert [ms.name for ms in measurement_sets] == [
        f"{item.group.id.replace('-', '').replace(':', '')}_0834+555.ms" for item in boundary
    ]
    assert len(measurement_sets) == 2


def test_data_are_the_model(measurement_sets):
    """Turned to the source, its drift through the beam in the model: what is left is 1."""
    for ms in measurement_sets:
        data, model, flag = columns(ms, "DATA", "MODEL_DATA", "FLAG")
        assert not flag.any()
        assert np.abs(data / model - 1).max() < 1e-5


def test_model_is_airys_beam_where_astropy_sees_the_source(boundary, measurement_sets):
    for item, ms in zip(boundary, measurement_sets, strict=True):
        (model,) = columns(ms, "MODEL_DATA")
        pointing = TRANSIT.dec_deg - 0.5
        assert item.candidate.offset_deg == pytest.approx(0.5, abs=1e-4)
        true = airy_flux_jy(ms, SOURCE, pointing)
        assert np.abs(model / true[:, :, None] - 1).max() < 1e-4
        assert np.ptp(model.real[:, 0, 0]) > 0.005  # it drifts


def test_it_says_what_it_is(measurement_sets):
    ms = measurement_sets[0]
    with ct.table(f"{ms}::FIELD", ack=False) as field:
        assert field.getcol("NAME") == [NAME]
        for column in ("PHASE_DIR", "REFERENCE_DIR", "DELAY_DIR"):
            ra, dec = np.degrees(field.getcol(column)[0, 0])
            assert (ra % 360, dec) == pytest.approx((SOURCE.ra_deg, SOURCE.dec_deg), abs=1e-9)
    with ct.table(f"{ms}::STATE", ack=False) as state:
        assert "CALIBRATE_BANDPASS#ON_SOURCE" in state.getcell("OBS_MODE", 0)
    with ct.table(f"{ms}::HISTORY", ack=False) as history:
        assert any("calibrator: name 0834+555" in message for message in history.getcol("MESSAGE"))
    facts = json.loads((ms / "contimg.json").read_text())["calibrator"]
    assert facts["name"] == facts["j2000_name"] == NAME
    assert facts["flux_1p4ghz_jy"] == pytest.approx(8.8)
    assert facts["model"] == "apparent"
    assert "Airy" in facts["beam"]
    assert "spectral index -0.7" in facts["spectrum"]
    assert facts["transit_utc"].startswith(f"{utc_of(TRANSIT.mjd):%Y-%m-%dT%H:%M:%S}")
    assert facts["offset_deg"] == pytest.approx(0.5, abs=1e-6)


def test_intrinsic_model_is_the_spectrum_and_no_second_product(boundary, measurement_sets, tmp_path):
    (one,) = convert_calibrator_groups(boundary[:1], tmp_path, ConversionOptions(), "intrinsic")
    (model,) = columns(one.ms, "MODEL_DATA")
    with ct.table(f"{one.ms}::SPECTRAL_WINDOW", ack=False) as table:
        freq_hz = table.getcell("CHAN_FREQ", 0)
    assert np.abs(model[:, :, 0] / (8.8 * (freq_hz / 1.4e9) ** -0.7) - 1).max() < 1e-6
    assert json.loads((one.ms / "contimg.json").read_text())["calibrator"]["beam"] is None
    # It stays: another model must be asked for with overwrite.
    (again,) = convert_calibrator_groups(boundary[:1], tmp_path, ConversionOptions(), "intrinsic")
    assert again.outcome == "exists"
    (other,) = convert_calibrator_groups(boundary[:1], tmp_path, ConversionOptions())
    assert isinstance(other, FailedGroup)
    assert "with the intrinsic model" in str(other.error)
    (other,) = convert_calibrator_groups(boundary[:1], tmp_path, ConversionOptions(overwrite=True))
    assert np.array_equal(*(columns(ms, "MODEL_DATA")[0] for ms in (other.ms, measurement_sets[0])))


def test_averaged_data_are_the_averaged_model(boundary, measurement_sets, tmp_path):
    options = ConversionOptions(averaging=Averaging(channels=16, times=4))
    (one,) = convert_calibrator_groups(boundary[:1], tmp_path, options)
    data, model = columns(one.ms, "DATA", "MODEL_DATA")
    (full,) = columns(measurement_sets[0], "MODEL_DATA")
    n_baselines = model.shape[0] // 2
    mean = full.reshape(2, 4, n_baselines, 48, 16, 2).mean(axis=(1, 4)).reshape(model.shape)
    assert np.abs(model - mean).max() < 1e-5
    assert np.abs(data / model - 1).max() < 1e-5


def test_the_reference_writer_has_the_same_model(boundary, measurement_sets, tmp_path):
    (one,) = convert_calibrator_groups(boundary[:1], tmp_path, ConversionOptions(writer="pyuvdata"))
    ours, theirs = (columns(ms, "MODEL_DATA", "DATA") for ms in (measurement_sets[0], one.ms))
    assert np.array_equal(ours[0], theirs[0])
    assert np.abs(theirs[1] / theirs[0] - 1).max() < 1e-3


def test_at_midnight_and_across_0h_of_right_ascension(tmp_path):
    """2355+498 is at 23h56m45s of date; the groups go on past 0h, and the day changes among them."""
    source = find_calibrator("2355+498")
    by_day = find_transits(source.ra_deg, source.dec_deg, 61040.0, 61070.0, HEADER_SITE)
    transit = min(by_day, key=lambda one: abs(one.mjd - round(one.mjd)))
    midnight = round(transit.mjd)
    start = min(transit.mjd, midnight) - 60 / 86400
    groups = simulate_calibrator(tmp_path, source, transit, start, 4)
    # What is at 359.67 deg in J2000 is at 0h of date.
    first, last = (hour_angle_and_dec(359.67, 0.0, mjd, HEADER_SITE)[0] for mjd in (start, groups[-1].end_mjd))
    assert first < 0 < last
    assert groups[0].start_mjd < midnight < groups[-1].end_mjd
    found = find_calibrator_groups(groups, "auto")
    assert {item.candidate.calibrator.name for item in found} == {"2355+498"}
    assert any(item.group.start_mjd <= transit.mjd < item.group.end_mjd for item in found)
    for one in convert_calibrator_groups(found, tmp_path / "out", ConversionOptions()):
        data, model = columns(one.ms, "DATA", "MODEL_DATA")
        assert np.abs(data / model - 1).max() < 1e-5


@needs_casa
@pytest.mark.casa
def test_casas_bandpass_needs_no_further_step(measurement_sets, tmp_path):
    ran = run_casa(
        tmp_path,
        """
        from casatasks import bandpass
        bandpass(vis=args["ms"], caltable="b.cal", minblperant=2)
        """,
        ms=str(measurement_sets[1]),
    )
    # The package casadata is older than the clock.
    assert [message for message in ran.complaints if "MeasTable::dUTC" not in message.origin] == []
    with ct.table(str(tmp_path / "b.cal"), ack=False) as table:
        gains, flags, antennas = (table.getcol(name) for name in ("CPARAM", "FLAG", "ANTENNA1"))
    assert len(set(antennas[~flags.all(axis=(1, 2))])) == 6
    assert np.abs(gains[~flags] - 1).max() < 1e-5
