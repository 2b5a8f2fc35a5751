"""How a Measurement Set was made, as it says itself."""

import json

import casacore.tables as ct
import pytest

from dsa110_contimg import __version__
from dsa110_contimg.conversion.plan import Averaging
from dsa110_contimg.conversion.provenance import FORMAT, read_provenance
from dsa110_contimg.naming import parse_subband_name
from dsa110_contimg.telescope.correlator import CorrelatorState
from dsa110_contimg.telescope.earth import earth_orientation
from dsa110_contimg.telescope.geometry import aberration_scale
from subband_samples import change


@pytest.fixture(scope="module")
def group(simulated):
    return simulated(antennas=(24, 103, 11), integrations=2)


@pytest.fixture(scope="module")
def partial(group, converted, tmp_path_factory):
    """A group without sb04, whose sb07 is zeros, and a third of sb09."""
    import shutil

    out = tmp_path_factory.mktemp("partial")
    files = [shutil.copy(path, out) for path in group.files if parse_subband_name(path.name).subband != 4]
    change(files[6], "visdata", slice(None), 0)
    change(files[8], "visdata", slice(0, 4), 0)
    return tuple(files), converted(tuple(files), averaging=Averaging(4, 2), workers=3)


def test_a_whole_group(group, converted):
    ms = converted(group.files)
    facts = read_provenance(ms.path)
    assert facts["format"] == FORMAT
    assert facts["group"] == "2025-10-05T12:30:00"
    assert [(file["subband"], file["path"]) for file in facts["files"]] == [
        (k, str(path)) for k, path in enumerate(group.files)
    ]
    assert [file["bytes"] for file in facts["files"]] == [path.stat().st_size for path in group.files]
    assert facts["missing"] == facts["set_aside"] == []
    assert facts["flagged"] == 0
    assert (facts["antennas"], facts["integrations"]) == (3, 2)
    assert facts["pointing_dec_deg"] == pytest.approx(54.57)
    assert facts["site"] == [37.2334051, -118.283, 1188.0519]
    middle = group.mjd.mean()
    assert facts["ut1_utc_s"] == pytest.approx(earth_orientation(middle).ut1_utc_s[0], abs=1e-6)
    assert facts["earth_orientation"] == "measured"
    centre = facts["phase_centre"]
    assert centre["kind"] == "meridian"
    assert facts["aberration_scale"] == pytest.approx(
        aberration_scale(centre["ra_deg"], centre["dec_deg"], middle, group.site), abs=1e-9
    )
    assert facts["versions"]["dsa110-contimg"] == __version__
    assert {"python", "numpy", "python-casacore", "astropy-iers-data", "numba"} <= set(facts["versions"])
    assert facts["seconds"] > 0
    assert facts["calibrator"] is None
    state = CorrelatorState.from_json(facts["correlator"])
    assert state.start_mjd == pytest.approx(group.mjd[0], abs=1e-9)
    assert state.dec_deg == pytest.approx(54.57)
    assert state.changes(state._replace(antenna_order="")) == ("the order of the antennas changed",)


def test_a_partial_group(partial):
    files, ms = partial
    facts = read_provenance(ms.path)
    assert facts["missing"] == [4, 7]
    assert [file["subband"] for file in facts["files"]] == [k for k in range(16) if k not in {4, 7}]
    zeros = {file["subband"]: file["zeros"] for file in facts["files"]}
    assert zeros.pop(9) == pytest.approx(4 / 12, abs=1e-6)
    assert set(zeros.values()) == {0}
    assert facts["flagged"] == pytest.approx((2 + 4 / 12) / 16, abs=1e-6)
    (item,) = facts["set_aside"]
    assert (item["outcome"], item["path"]) == ("zero-filled", str(files[6]))
    assert facts["settings"] == {
        "writer": "direct-subband",
        "min_subbands": 12,
        "workers": 3,
        "average_channels": 4,
        "average_times": 2,
        "antenna_positions": "from the files",
    }


def test_history(partial):
    files, ms = partial
    with ct.table(f"{ms.path}::HISTORY", ack=False) as history:
        messages = history.getcol("MESSAGE")
        assert set(history.getcol("APPLICATION")) == {f"dsa110-contimg {__version__}"}
        assert set(history.getcol("ORIGIN")) == {"dsa110-contimg"}
    text = "\n".join(messages)
    for path in (*files[:6], *files[7:]):
        assert sum(str(path) in message for message in messages) == 1
    assert f"set aside, zero-filled: {files[6]}" in text
    assert "subbands 4, 7 are missing: their channels are flagged" in text
    assert "site latitude 37.2334051 deg, longitude -118.283 deg, height 1188.0519 m" in text
    assert "UT1-UTC" in text
    assert "average_channels 4" in text
    assert "python-casacore" in text


def test_casacore_does_not_mind_the_file(partial):
    _, ms = partial
    with ct.table(str(ms.path), ack=False) as table:
        assert "contimg" not in str(table.getkeywords())
    assert json.loads((ms.path / "contimg.json").read_text()) == read_provenance(ms.path)


def test_given_positions(group, tmp_path):
    from dsa110_contimg.conversion import write_ms_from_subbands
    from dsa110_contimg.conversion.group import ConversionOptions
    from dsa110_contimg.telescope.stations import load_stations

    done = write_ms_from_subbands(group.files, tmp_path / "a.ms", ConversionOptions(stations=load_stations()))
    assert read_provenance(done.ms)["settings"]["antenna_positions"] == "given"
