"""Quicklooks from end to end: the page appears whole, the Measurement Set stays as it was."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.config.settings import Settings
from dsa110_contimg.errors import CalibrationError, MeasurementSetError, ToolError
from dsa110_contimg.ms.columns import read_block, write_block
from dsa110_contimg.naming import GALLERY_NAME, partial_name
from dsa110_contimg.qa.quicklook_drawing import Drawing
from dsa110_contimg.qa.quicklooks import draw_converted, drawing_of, main, make_quicklooks
from linked_pages import check_links
from predicted_ms import PredictedMs
from stand_in_tools import only_path, stand_ins

NAME = "20251005T123000"


@pytest.fixture(scope="module")
def ms(tmp_path_factory):
    """A small one with a model and calibrated data."""
    path = tmp_path_factory.mktemp("ms") / f"{NAME}.ms"
    PredictedMs(path, [(0.2, 0.1)], [3.0], n_times=3, stations=(1, 14, 30, 103), noise_jy=0.1, autos=6000.0)
    for column in ("MODEL_DATA", "CORRECTED_DATA"):
        write_block(path, column, 0, read_block(path, "DATA", 0, 3))
    return path


@pytest.fixture(autouse=True)
def _tools_on_path(in_tmp, monkeypatch):
    only_path(monkeypatch, stand_ins(in_tmp / "bin"))


@pytest.fixture
def unchanged(ms):
    """See to it that nothing in or beside the Measurement Set is touched."""

    def state():
        files = sorted(path for path in ms.parent.rglob("*"))
        return [
            (path, path.stat().st_mtime_ns, hashlib.blake2b(path.read_bytes()).digest() if path.is_file() else b"")
            for path in files
        ]

    before = state()
    yield
    assert state() == before


@pytest.mark.usefixtures("unchanged")
class TestPage:
    def test_it_is_in_the_state_directory_and_nothing_else_is(self, in_tmp, ms):
        made = make_quicklooks(ms, in_tmp / "state", in_tmp / "tools")
        assert made.page == in_tmp / "state" / "qa" / NAME / GALLERY_NAME
        assert made.problems == ()
        assert [path.name for path in (in_tmp / "state" / "qa").iterdir()] == [NAME]
        page = check_links(made.page)
        assert {figure.file for figure in made.figures} <= set(page.links)
        assert all(figure.caption in page.said for figure in made.figures)

    def test_a_new_one_takes_the_place_of_the_old_one(self, in_tmp, ms):
        make_quicklooks(ms, in_tmp, in_tmp / "tools")
        made = make_quicklooks(ms, in_tmp, in_tmp / "tools", Drawing(max_plots=1))
        assert {path.name for path in made.page.parent.iterdir()} == {
            GALLERY_NAME,
            "logs",
            "shadems-corrected-amplitude-uv.png",
        }

    def test_what_a_killed_one_left_is_removed(self, in_tmp, ms):
        left = in_tmp / "qa" / partial_name("2025-10-05T12:30:00", "1-dead")
        (left / NAME).mkdir(parents=True)
        make_quicklooks(ms, in_tmp, in_tmp / "tools", Drawing(max_plots=1))
        assert [path.name for path in (in_tmp / "qa").iterdir()] == [NAME]

    def test_progress_ends_at_1(self, in_tmp, ms):
        told = []
        make_quicklooks(ms, in_tmp, in_tmp / "tools", progress=told.append)
        assert told == sorted(told)
        assert told[-1] == 1.0

    def test_what_failed_is_on_it_and_in_the_log(self, in_tmp, ms, caplog, monkeypatch):
        only_path(monkeypatch, stand_ins(in_tmp / "fewer", ragavi_vis=None, ragavi_gains=None))
        made = make_quicklooks(ms, in_tmp, in_tmp / "tools", Drawing(ragavi=True, max_plots=1))
        assert "ragavi is not installed" in check_links(made.page).said
        assert f"{NAME}.ms: ragavi is not installed. Remedy: dsa110-contimg tools install ragavi" in caplog.text

    def test_nothing_at_all_leaves_the_old_one(self, in_tmp, ms, monkeypatch):
        old = make_quicklooks(ms, in_tmp, in_tmp / "tools", Drawing(max_plots=1)).page.read_bytes()
        only_path(monkeypatch, in_tmp / "nowhere")
        with pytest.raises(ToolError, match=r"nothing could be drawn of it.*tools install shadems"):
            make_quicklooks(ms, in_tmp, in_tmp / "tools")
        assert (in_tmp / "qa" / NAME / GALLERY_NAME).read_bytes() == old
        assert [path.name for path in (in_tmp / "qa").iterdir()] == [NAME]

    def test_what_is_no_calibration_table_is_said_before_anything_is_drawn(self, in_tmp, ms):
        with pytest.raises(CalibrationError, match="is not a calibration table"):
            make_quicklooks(ms, in_tmp, in_tmp / "tools", Drawing(tables=(ms,)))


def test_what_is_no_measurement_set(in_tmp):
    with pytest.raises(MeasurementSetError):
        make_quicklooks(in_tmp / "none.ms", in_tmp, in_tmp / "tools")


@pytest.mark.usefixtures("unchanged")
class TestCommand:
    def test_module(self, in_tmp, ms):
        command = [sys.executable, "-m", "dsa110_contimg.qa.quicklooks", "--ms", ms, "--state-dir", "s"]
        done = subprocess.run([*command, "--max", "1", "--ragavi", "--timeout", "60"], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, f"{in_tmp}/s/qa/{NAME}/index.html\n"), done.stderr
        assert "1 figures of" in done.stderr

    @pytest.mark.parametrize("flag", ["--no-shadems", "--json"])
    def test_main(self, in_tmp, ms, capsys, flag, monkeypatch):
        monkeypatch.setenv("DSA110_CONTIMG_QUICKLOOKS__MAX_PLOTS", "2")
        monkeypatch.setenv("DSA110_CONTIMG_PATHS__CACHE", str(in_tmp / "cache"))
        monkeypatch.setenv("NUMBA_CACHE_DIR", os.environ.get("NUMBA_CACHE_DIR", ""))
        status = main(["--ms", str(ms), flag])
        out = capsys.readouterr().out
        if flag == "--json":
            assert status == 0
            assert len(json.loads(out)["figures"]) == 2
        else:
            assert status == 1

    @pytest.mark.parametrize(
        ("arguments", "status"), [(["--max", "0"], 2), (["--timeout", "-1"], 2), (["--timeout", "nan"], 2)]
    )
    def test_main_says_wrong_usage(self, ms, capsys, arguments, status):
        assert main(["--ms", str(ms), *arguments]) == status
        assert capsys.readouterr().err.startswith("error: --max and --timeout")

    def test_verb(self, in_tmp, ms):
        arguments = ["qa", "quicklooks", "--ms", str(ms), "--state-dir", str(in_tmp), "--max", "1", "--timeout", "60"]
        done = CliRunner().invoke(app, [*arguments, "--json"])
        assert done.exit_code == 0, done.output
        assert [figure["file"] for figure in json.loads(done.stdout)["figures"]] == [
            "shadems-corrected-amplitude-uv.png"
        ]
        done = CliRunner().invoke(app, arguments)
        assert done.stdout == f"{in_tmp}/qa/{NAME}/index.html\n"
        assert CliRunner().invoke(app, [*arguments, "--timeout", "0"]).exit_code == 2


class TestConverted:
    def test_the_page_is_given(self, in_tmp, ms):
        page = draw_converted(ms, "shadems", Settings(quicklooks={"max_plots": 1}))
        assert page == in_tmp / "contimg-data" / "state" / "qa" / NAME / GALLERY_NAME

    @pytest.mark.parametrize(
        ("what", "drawn"),
        [("fast", (False, False, True)), ("shadems", (True, False, False)), ("all", (True, True, True))],
    )
    def test_what_is_drawn(self, what, drawn):
        wanted = drawing_of(what, Settings(quicklooks={"timeout_s": 7.0}))
        assert (wanted.shadems, wanted.ragavi, wanted.fast_plots) == drawn
        assert wanted.timeout_s == 7.0

    def test_a_failure_costs_a_warning(self, in_tmp, ms, caplog):
        assert draw_converted(in_tmp / "none.ms", "shadems", Settings()) is None
        assert "no quicklooks: " in caplog.text

    def test_so_does_one_that_nobody_foresaw(self, in_tmp, ms, caplog, monkeypatch):
        monkeypatch.setattr("dsa110_contimg.qa.quicklooks.write_gallery", lambda *_: 1 / 0)
        assert draw_converted(ms, "shadems", Settings(quicklooks={"max_plots": 1})) is None
        assert "division by zero" in caplog.text
