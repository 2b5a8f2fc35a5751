"""A whole Measurement Set: interference found, clean samples kept, every sick antenna named."""

import shutil

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.config.settings import FlagSettings
from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.flagging.flags import find_flags, write_flags
from dsa110_contimg.flagging.reasons import Reason
from dsa110_contimg.flagging.versions import list_versions, restore_version
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.simulation.faults import parse_faults
from flagged_groups import ANTENNAS, DEAD, DEAF, ONE_POL_DEAD, PLACE, columns, converted, make_group, write_sky

INTERFERENCE = (Reason.ARRAY, Reason.BASELINE)
ONE = FlagSettings(workers=1)


@pytest.fixture(scope="module")
def found(group):
    return find_flags(group.ms, ONE)


def copy(group, directory):
    path = directory / "a.ms"
    shutil.copytree(group.ms, path)
    return path


def named(found):
    return {(ailment.name, ailment.polarization): ailment.kind for ailment in found.ailments}


def test_strong_interference_is_found_and_clean_samples_stay(group, found):
    assert (group.strength > 5).mean() > 0.01
    flags = np.isin(found.reasons, INTERFERENCE)
    assert group.found(flags) > 0.999
    assert group.lost(flags) < 0.005


def test_faint_interference_is_found_because_the_whole_array_sees_it(group, found):
    faint = (group.strength > 1) & (group.strength < 3) & group.well[:, None]
    assert faint.sum() > 1000
    assert np.isin(found.reasons, INTERFERENCE)[faint].mean() > 0.9


def test_each_sick_antenna_is_named_with_what_ails_it_and_no_other(found):
    assert named(found) == {
        (str(DEAD), "XX"): "dead",
        (str(DEAD), "YY"): "dead",
        (str(ONE_POL_DEAD), "XX"): "dead",
        (str(DEAF), "XX"): "deaf",
        (str(DEAF), "YY"): "deaf",
    }
    assert found.remarks == ()
    assert "station 46 XX is dead: its power is 0.00011 of the array's median" in map(str, found.ailments)


def test_all_of_a_sick_antenna_is_flagged_in_its_polarization_alone(group, found):
    (first, second) = (columns(group.ms, name)[0][0] for name in ("ANTENNA1", "ANTENNA2"))
    for station, polarizations in ((DEAD, (0, 1)), (DEAF, (0, 1)), (ONE_POL_DEAD, (0,))):
        its = (first == station - 1) | (second == station - 1)
        assert (found.reasons[:, its][..., list(polarizations)] == Reason.ANTENNA).all()
    assert not (found.reasons.transpose(0, 2, 1, 3)[:, :, group.well] == Reason.ANTENNA).any()


def test_processes_find_the_same(group, found):
    several = find_flags(group.ms, FlagSettings(workers=2))
    np.testing.assert_array_equal(several.reasons, found.reasons)
    assert several.ailments == found.ailments


def test_progress_goes_from_nothing_to_all(group):
    told = []
    find_flags(group.ms, FlagSettings(rfi=False), told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_what_is_written_is_what_was_found_and_can_be_undone(group, found, tmp_path):
    path = copy(group, tmp_path)
    before = columns(path, "FLAG", "FLAG_ROW", "DATA")
    version = write_flags(found._replace(ms=path), "before a test")
    flags, rows, data = columns(path, "FLAG", "FLAG_ROW", "DATA")
    np.testing.assert_array_equal(flags, found.reasons != Reason.GOOD)
    np.testing.assert_array_equal(rows, flags.all(axis=(2, 3)))
    np.testing.assert_array_equal(data, before[2])
    assert list_versions(path) == [(version, "before a test")]
    with OpenMs(path, writable=True) as opened:
        restore_version(opened, version)
    for now, then in zip(columns(path, "FLAG", "FLAG_ROW"), before, strict=False):
        np.testing.assert_array_equal(now, then)


def test_flagging_again_keeps_all_flags_and_adds_few(group, found, tmp_path):
    path = copy(group, tmp_path)
    write_flags(found._replace(ms=path), "first")
    again = find_flags(path, ONE)
    assert (again.reasons[found.reasons != Reason.GOOD] != Reason.GOOD).all()
    assert (again.reasons[found.reasons == Reason.GOOD] != Reason.GOOD).mean() < 0.02
    # Powers are judged whatever their flags; of the deaf antenna nothing is left to be judged.
    assert named(again) == {key: kind for key, kind in named(found).items() if kind == "dead"}


def test_interference_of_one_antenna_is_found_on_its_baselines_only(group, tmp_path):
    path, station = copy(group, tmp_path), 75
    rng = np.random.default_rng(1)
    quiet = group.clean.all(axis=0)
    start = np.nonzero(np.convolve(quiet, np.ones(21), "valid") == 21)[0][0] + 9
    there = slice(start, start + 3)
    with ct.table(str(path), readonly=False, ack=False) as table:
        first, second, data = (table.getcol(name) for name in ("ANTENNA1", "ANTENNA2", "DATA"))
        its = ((first == station - 1) | (second == station - 1)) & (first != second)
        noise = np.median(np.abs(data[its]), axis=(1, 2), keepdims=True) / 1.18
        phases = np.exp(2j * np.pi * rng.random((its.sum(), 1, 1)))
        data[its, there] += 8 * noise * phases
        table.putcol("DATA", data)
    reasons = find_flags(path, ONE).reasons[:, :, there]
    its = its.reshape(reasons.shape[0], -1)[0] & group.well.all(axis=1)
    others = ~its & group.well.all(axis=1)
    assert (reasons[:, its] == Reason.BASELINE).mean() > 0.95
    assert (reasons[:, others] != Reason.GOOD).mean() < 0.05


def test_antennas_and_integrations_without_data(group, tmp_path):
    path, station = copy(group, tmp_path), 96
    with ct.table(str(path), readonly=False, ack=False) as table:
        first, second, data = (table.getcol(name) for name in ("ANTENNA1", "ANTENNA2", "DATA"))
        data[(first == station - 1) | (second == station - 1), :, 0] = 0
        data[:100, 5:9] = np.nan
        data[-100:, 20] = complex(np.inf, 0)
        table.putcol("DATA", data)
    found = find_flags(path, ONE)
    assert named(found)[str(station), "XX"] == "missing"
    assert (str(station), "YY") not in named(found)
    flat = found.reasons.reshape(-1, *found.reasons.shape[2:])
    zero = ((first == station - 1) | (second == station - 1)) & (first != second)
    assert (flat[zero][..., 0][100:-100] == Reason.ZERO).all()
    assert (flat[:100, 5:9, 1] == Reason.NOT_FINITE).all()
    assert (flat[-100:, 20, 1] == Reason.NOT_FINITE).all()


def test_limits_of_length(group):
    found = find_flags(group.ms, FlagSettings(rfi=False, min_uv_m=100, max_uv_m=900))
    (uvw_m,) = columns(group.ms, "UVW")
    length_m = np.hypot(uvw_m[..., 0], uvw_m[..., 1])
    outside = ((length_m < 100) | (length_m > 900)) & (length_m > 0)
    assert 0 < outside.mean() < 1
    marked = found.reasons == Reason.UV_RANGE
    assert not marked[~outside].any()
    assert np.isin(found.reasons[outside], (Reason.UV_RANGE, Reason.ANTENNA)).all()
    assert found.remarks == ("interference was not looked for: the settings say so",)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        {"ra": PLACE[0], "dec": PLACE[1], "flux": 10.0},
        {"ra": PLACE[0] + 1.3 / np.cos(np.radians(PLACE[1])), "dec": PLACE[1] + 0.2, "flux": 20.0},
    ],
    ids=["in transit", "rising through the beam"],
)
def test_a_calibrator_is_not_interference(tmp_path, source):
    group = make_group(tmp_path, [source], seed=7)
    found = find_flags(group.ms, ONE)
    flags = np.isin(found.reasons, INTERFERENCE)
    assert group.found(flags) > 0.99
    assert group.lost(flags) < 0.02
    assert found.ailments == ()


def test_data_without_noise_are_left_alone(tmp_path):
    options = {"antennas": ANTENNAS, "integrations": 4, "noise": 0.0, "faults": parse_faults("missing:3")}
    ms, _ = converted(tmp_path, sky=write_sky(tmp_path / "sky.json", []), **options)
    found = find_flags(ms, ONE)
    assert "of the noise of a radiometer" in found.remarks[0]
    missing = found.reasons.shape[2] // 16
    # sb03 is the fourth subband from the top.
    zero = np.zeros(found.reasons.shape, bool)
    zero[:, :, -4 * missing : -3 * missing] = True
    np.testing.assert_array_equal(found.reasons, np.where(zero, Reason.ZERO, Reason.GOOD))
    assert found.ailments == ()


def test_a_blank_field_makes_nobody_deaf(tmp_path):
    (tmp_path / "sky.json").write_text('[{"ra": 83.45, "dec": 54.55, "flux": 0.01}]')
    ms, _ = converted(tmp_path, sky=str(tmp_path / "sky.json"), antennas=ANTENNAS[:8], integrations=4)
    found = find_flags(ms, ONE)
    assert found.ailments == ()
    assert found.remarks == ("the field is too faint to tell deaf antennas",)


def test_without_autocorrelations(group, tmp_path):
    path = tmp_path / "cross.ms"
    with ct.table(str(group.ms), ack=False) as table, table.query("ANTENNA1 != ANTENNA2") as rows:
        rows.copy(str(path), deep=True).close()
    found = find_flags(path, ONE)
    assert found.remarks == ("no autocorrelations: dead and hot antennas are not told",)
    # What has no power shares none.
    assert named(found) == {
        (str(station), pol): "deaf"
        for station, pols in ((DEAD, ("XX", "YY")), (ONE_POL_DEAD, ("XX",)), (DEAF, ("XX", "YY")))
        for pol in pols
    }
    (first, second) = (columns(group.ms, name)[0][0] for name in ("ANTENNA1", "ANTENNA2"))
    cross = group._replace(strength=group.strength[:, first != second], well=group.well[first != second])
    flags = np.isin(found.reasons, INTERFERENCE)
    assert cross.found(flags) > 0.99
    assert cross.lost(flags) < 0.02


def test_other_correlations_are_refused(group, tmp_path):
    path = copy(group, tmp_path)
    with ct.table(f"{path}::POLARIZATION", readonly=False, ack=False) as table:
        table.putcell("CORR_TYPE", 0, np.array([9, 10]))
    with pytest.raises(MeasurementSetError, match="other correlations than XX and YY"):
        find_flags(path, ONE)
