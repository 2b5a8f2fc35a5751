"""``calibrators``: what it lists, as text and as JSON, and what it refuses."""

import json
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

import subband_files
from dsa110_contimg.cli.app import app
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.transits import mjd_of
from sky_truth import hour_angle_and_dec

TIME = "2025-10-05T12:30:00"


@pytest.fixture
def run(in_tmp):
    return lambda *arguments: CliRunner().invoke(app, ["calibrators", *map(str, arguments)])


def candidates(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["candidates"]


def test_a_day_of_a_strip(run):
    listed = candidates(run("--time", TIME, "--dec", 54.57, "--json"))
    assert listed[0]["name"] == "0834+555"
    assert listed[0]["suitable"] is True
    assert len(listed) == 20
    through = [one["apparent_flux_jy"] for one in listed]
    assert through == sorted(through, reverse=True)
    for one in listed:
        assert abs(one["offset_deg"]) < 1.37
        for transit in one["transits"]:
            time = datetime.fromisoformat(transit["utc"])
            assert abs(time - datetime.fromisoformat(f"{TIME}Z")) <= timedelta(hours=12)
            ha, dec = hour_angle_and_dec(one["ra_deg"], one["dec_deg"], mjd_of(time), HEADER_SITE)
            assert abs(ha) < 1e-4
            assert transit["apparent_dec_deg"] == pytest.approx(float(dec), abs=1e-4)


def test_window_and_limit(run):
    listed = candidates(run("--time", TIME, "--dec", 54.57, "--window", 6, "--limit", 2, "--json"))
    # 0834+555 transits at 15h31m: 61 s too late.
    assert [one["name"] for one in listed] == ["0655+541", "0824+558"]
    for one in listed:
        for transit in one["transits"]:
            assert abs(datetime.fromisoformat(transit["utc"]) - datetime.fromisoformat(f"{TIME}Z")) <= timedelta(
                hours=3
            )


def test_table(run):
    result = run("--time", TIME, "--dec", 54.57, "--limit", 3)
    header, first, *rest = result.stdout.splitlines()
    assert header.split()[:2] == ["J2000", "name"]
    assert first.split() == [
        *("0834+555", "2025-10-05T15:31:45.941", "+55.4814", "+0.91", "0.74", "8.80", "6.51", "SPPP", "yes")
    ]
    assert len(rest) == 2


def test_transits_of_one_source_before_and_after(run):
    (one,) = candidates(run("--time", TIME, "--transits", "3c 286", "--window", 1, "--json"))
    assert (one["name"], one["alt_name"], one["b1950_name"]) == ("1331+305", "3C286", "1328+307")
    times = [datetime.fromisoformat(transit["utc"]) for transit in one["transits"]]
    middle = datetime.fromisoformat(f"{TIME}Z")
    assert times[0] < middle < times[-1]
    assert (times[1] - times[0]).total_seconds() == pytest.approx(86164.1, abs=0.1)
    assert one["offset_deg"] is None
    assert "nan" not in run("--time", TIME, "--transits", "3C286").stdout


def test_transits_over_a_window(run):
    (one,) = candidates(run("--time", TIME, "--transits", "3C48", "--window", 240, "--dec", 33, "--json"))
    assert len(one["transits"]) == 10
    assert one["offset_deg"] == pytest.approx(0.29, abs=0.01)
    assert one["spectrum"] == "Perley & Butler 2017"


def test_from_files(run, in_tmp):
    transit = datetime.fromisoformat("2025-10-05T15:31:45.941Z")
    for k in (-1.1, -0.1):
        subband_files.write_group(in_tmp, transit + timedelta(seconds=k * 24 * INTEGRATION_S), range(2), n_times=24)
    (one,) = candidates(run("--input", in_tmp, "--json"))
    assert one["name"] == "0834+555"
    assert one["pointing_dec_deg"] == pytest.approx(54.57)
    assert one["transits"][0]["groups"] == ["2025-10-05T15:26:06", "2025-10-05T15:31:15"]
    assert "2025-10-05T15:31:15" in run("--input", in_tmp).stdout
    (one,) = candidates(run("--input", in_tmp, "--transits", "0834+555", "--json"))
    assert len(one["transits"]) == 1


def test_nothing_there_is_1(run):
    assert run("--time", TIME, "--dec", -89).exit_code == 1
    assert run("--input", ".").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--time and --dec"),
        (["--time", TIME], "--time and --dec"),
        (["--dec", "54.57"], "--time and --dec"),
        (["--input", ".", "--time", TIME], "--input"),
        (["--time", TIME, "--transits", "CJ2"], "could be"),
        (["--time", TIME, "--transits", "nothing"], "no calibrator is called"),
        (["--time", TIME, "--dec", "99"], "--dec"),
    ],
)
def test_wrong_usage_is_2(run, arguments, word):
    result = run(*arguments)
    assert result.exit_code == 2
    assert word in result.stderr
