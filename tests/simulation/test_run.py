"""Whole runs: files, their names and headers, groups in a row, faults, and the truth beside them."""

from datetime import UTC, datetime

import h5py
import numpy as np
import pytest

from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.errors import OutputError, OutputExistsError, UsageError
from dsa110_contimg.naming import group_id_from_mjd, parse_subband_name
from dsa110_contimg.simulation import SimulationOptions, read_truth, simulate
from dsa110_contimg.simulation.faults import parse_faults
from dsa110_contimg.telescope.band import subband_frequencies_hz
from dsa110_contimg.telescope.stations import load_stations

STATIONS = (24, 103, 11, 50)
SMALL = SimulationOptions(antennas=STATIONS, integrations=6, subbands=(0, 7), sky="random:5", noise=0)
INTEGRATION_S = 12.884901888


def options(**changes):
    return SMALL.model_copy(update=changes)


def visibilities(path):
    with h5py.File(path) as file:
        return file["Data/visdata"][:]


def header(path, name):
    with h5py.File(path) as file:
        return file["Header"][name][()]


def test_files_and_their_names(tmp_path):
    seen = []
    result = simulate(tmp_path / "new" / "out", options(jitter_s=5.0), on_file=seen.append)
    (group,) = result.groups
    assert group.id == "2025-10-05T12:30:00"
    assert [parse_subband_name(path.name).subband for path in group.files] == [0, 7]
    for path in group.files:
        late_s = (parse_subband_name(path.name).time - datetime(2025, 10, 5, 12, 30, tzinfo=UTC)).total_seconds()
        assert late_s in range(5)
    assert sorted(seen) == sorted(group.files)
    left = {entry.name for entry in (tmp_path / "new" / "out").iterdir()}
    assert left == {path.name for path in group.files} | {"truth.json", "sky.csv"}


def test_headers(tmp_path):
    (group,) = simulate(tmp_path, options(dec_deg=16.27, site=(37.0, -118.0, 1000.0))).groups
    high, low = group.files
    assert header(high, "freq_array")[0] == pytest.approx(1498.643188e6 - 244140.625 * np.arange(48))
    assert np.array_equal(header(low, "freq_array")[0], subband_frequencies_hz(7))
    assert header(low, "phase_center_app_dec") == np.radians(16.27)
    jd = header(low, "time_array")[::10]
    assert np.array_equal(header(high, "time_array")[::10], jd)
    mid_s = (jd - 2400000.5 - 60953 - 12.5 / 24) * 86400
    assert mid_s == pytest.approx((np.arange(6) + 0.5) * INTEGRATION_S, abs=5e-5)
    # Whatever the site, site and offset together are where the station stands.
    from astropy.coordinates import EarthLocation

    site = EarthLocation.from_geodetic(*(float(header(low, n)) for n in ("longitude", "latitude", "altitude")))
    itrf_m = header(low, "antenna_positions") + [c.to_value("m") for c in site.geocentric]
    assert itrf_m == pytest.approx(load_stations().itrf_m, abs=1e-6)


def test_uvw_as_in_a_file_of_the_telescope(tmp_path):
    # Recorded from one: stations 24 and 103 at declination 54.5734 deg.
    (group,) = simulate(tmp_path, options(dec_deg=54.5734)).groups
    uvw_m = header(group.files[0], "uvw_array")
    assert uvw_m[1] == pytest.approx([198.18013, -356.97168, -112.83299], abs=1e-4)
    assert np.array_equal(uvw_m[:10], uvw_m[50:60])
    assert header(group.files[0], "ant_1_array")[:10].tolist() == [23, 23, 102, 23, 102, 10, 23, 102, 10, 49]
    assert header(group.files[0], "ant_2_array")[:10].tolist() == [23, 102, 102, 10, 10, 10, 49, 49, 49, 49]


def test_equal_options_give_equal_files(tmp_path):
    wanted = options(noise="auto", gains=3, rfi=True, subbands=(7,))
    one, two = (simulate(tmp_path / name, wanted).groups[0] for name in "ab")
    assert one.files[0].name == two.files[0].name
    assert one.files[0].read_bytes() == two.files[0].read_bytes()
    # What is in a subband does not depend on which others are written.
    other = simulate(tmp_path / "c", wanted.model_copy(update={"subbands": (0, 7)})).groups[0]
    assert np.array_equal(visibilities(other.files[1]), visibilities(one.files[0]))
    assert not np.array_equal(
        visibilities(other.files[1]),
        visibilities(simulate(tmp_path / "d", wanted.model_copy(update={"seed": 1})).groups[0].files[0]),
    )


def test_groups_follow_without_a_gap(tmp_path):
    sky = tmp_path / "sky.csv"
    sky.write_text("ra,dec,flux,alpha\n83.7,54.5,3,-0.7\n")
    wanted = options(groups=2, sky=str(sky), noise="auto", gains=3, subbands=(7,))
    first, second = simulate(tmp_path / "both", wanted).groups
    jd = np.concatenate([header(group.files[0], "time_array")[::10] for group in (first, second)])
    assert np.diff(jd) * 86400 == pytest.approx(np.full(11, INTEGRATION_S), abs=1e-4)
    assert second.id == group_id_from_mjd(60953 + 12.5 / 24 + 6 * INTEGRATION_S / 86400)
    assert [group.truth.name for group in (first, second)] == [
        "truth_20251005T123000.json",
        "truth_20251005T123117.json",
    ]
    # The second group alone is the second group of two: sky, gains and noise know the time but no group.
    start = datetime(2025, 10, 5, 12, 31, 17, 309411, tzinfo=UTC)
    (alone,) = simulate(tmp_path / "one", wanted.model_copy(update={"groups": 1, "start": start})).groups
    a, b = visibilities(second.files[0]), visibilities(alone.files[0])
    assert np.abs(a - b).max() < 1e-4 * np.abs(a).max()


def test_truth_is_that_of_the_files(tmp_path):
    wanted = options(gains=3, rfi=True, dead=(11,), faults=parse_faults("short:0@4,missing:0"), beam="gaussian:2.5")
    result = simulate(tmp_path, wanted)
    (group,) = result.groups
    truth = read_truth(group.truth)
    assert truth.start == group.id
    assert truth.antennas == STATIONS
    assert np.array_equal(truth.mjd, header(group.files[0], "time_array")[::10] - 2400000.5)
    assert truth.gains.amplitude.shape == (2, 4)
    assert np.array_equal(truth.sources.flux_jy, read_sources(result.sky).flux_jy)
    assert truth.record["files"] == [group.files[0].name]
    assert truth.record["missing_subbands"] == [n for n in range(16) if n != 7]
    assert truth.record["faults"] == ["missing:0"]
    assert truth.record["dead"] == [11]
    assert truth.record["rfi"]
    assert "Gaussian" in truth.record["beam"]
    assert truth.record["noise_jy"] == 0.0


def test_gains_in_the_truth_take_the_sky_to_the_counts(tmp_path):
    sky = simulate(tmp_path / "sky", options(subbands=(7,))).groups[0]
    counts = simulate(tmp_path / "counts", options(subbands=(7,), gains=3)).groups[0]
    truth = read_truth(counts.truth)
    g = np.stack([truth.gains.at(mjd, subband_frequencies_hz(7)) for mjd in truth.mjd])  # (T, P, A, C)
    second, first = np.tril_indices(4)
    applied = (np.conj(g[:, :, first]) * g[:, :, second]).transpose(0, 2, 3, 1).reshape(60, 1, 48, 2)
    expected = applied * visibilities(sky.files[0])
    assert np.abs(visibilities(counts.files[0]) - expected).max() < 1e-5 * np.abs(expected).max()


def test_interference_is_in_the_files(tmp_path):
    quiet, loud = (
        simulate(tmp_path / str(rfi), options(rfi=rfi, subbands=tuple(range(16)))).groups[0] for rfi in (False, True)
    )
    mask = np.zeros((6, 16, 48), dtype=bool)
    freq_hz = np.stack([subband_frequencies_hz(n) for n in range(16)])
    for one in read_truth(loud.truth).record["rfi"]:
        mask[one["integrations"]] |= (freq_hz > one["low_hz"]) & (freq_hz < one["high_hz"])
    differs = np.stack(
        [
            (visibilities(b) != visibilities(a)).reshape(6, 10, 48, 2).any(axis=(1, 3))
            for a, b in zip(quiet.files, loud.files, strict=True)
        ],
        axis=1,
    )
    assert np.array_equal(differs, mask)
    assert mask.any()


def test_faults_by_subband_and_group(tmp_path):
    wanted = options(
        groups=2,
        subbands=(0, 1, 2, 3),
        faults=parse_faults("missing:0,short:1@1,duplicate:2@0,truncated:3@1,restarted:2@1"),
    )
    first, second = simulate(tmp_path, wanted).groups
    subbands = [[parse_subband_name(path.name).subband for path in group.files] for group in (first, second)]
    assert subbands == [[1, 2, 2, 3], [1, 2, 3]]
    assert header(first.files[0], "Ntimes") == 6
    assert header(second.files[0], "Ntimes") == 3
    assert np.array_equal(visibilities(first.files[1]), visibilities(first.files[2]))
    assert header(second.files[1], "time_array")[0] == pytest.approx(header(first.files[0], "time_array")[0], abs=1e-9)
    with pytest.raises(OSError, match="truncated"):
        h5py.File(second.files[2])


def test_a_site_elsewhere_moves_the_meridian(tmp_path):
    here, there = (
        simulate(tmp_path / str(k), options(site=site)).groups[0] for k, site in enumerate([None, (37.0, -117.0, 0.0)])
    )
    meridian = [read_truth(group.truth).record["meridian"] for group in (here, there)]
    assert meridian[1][0] - meridian[0][0] == pytest.approx(1.283, abs=0.002)


def test_an_existing_file_is_not_overwritten(tmp_path):
    simulate(tmp_path, options(jitter_s=0))
    with pytest.raises(OutputExistsError):
        simulate(tmp_path, options(jitter_s=0))


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        simulate(tmp_path / "file" / "out", options())


@pytest.mark.parametrize("sky", ["random", "random:many", "nowhere.csv"])
def test_skies_that_there_are_not(tmp_path, sky):
    with pytest.raises(UsageError):
        simulate(tmp_path, options(sky=sky))
