"""All plots of a Measurement Set, as files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import casacore.tables as ct
import numpy as np
import pytest
from PIL import Image

import dsa110_contimg
from dsa110_contimg.errors import MeasurementSetError, OutputError, UsageError
from dsa110_contimg.naming import PlotKind, Plotted, parse_fast_plot_name
from dsa110_contimg.qa.fast_plots import main, make_fast_plots, plots_directory
from dsa110_contimg.qa.pictures import NO_DATA
from plotted_ms import add_column, make_plotted_ms

SOME = ["waterfall", "flags"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(dsa110_contimg.__file__).parents[1])}
GREY = np.array([int(NO_DATA[k : k + 2], 16) for k in (1, 3, 5)])


@pytest.fixture(scope="module")
def ms(tmp_path_factory):
    path = make_plotted_ms(tmp_path_factory.mktemp("plotted") / "20251005T122848.ms").path
    add_column(path, "MODEL_DATA", 3)
    return path


def pixels(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def test_every_kind_is_drawn_and_none_is_blank(ms, tmp_path):
    told = []
    made = make_fast_plots(ms, tmp_path / "new" / "plots", progress=told.append)
    names = [parse_fast_plot_name(path.name) for path in made]
    assert [name.kind for name in names] == list(PlotKind)
    assert {name.visibilities for name in names} == {Plotted.DATA, None}
    assert sorted((tmp_path / "new" / "plots").iterdir()) == sorted(made)
    assert told == sorted(told)
    assert told[-1] == 1
    for path in made:
        colours = pixels(path)
        assert 1000 < colours.shape[1] < 1500
        used = np.unique(colours @ np.array([1, 256, 65536]))
        assert len(used) > 40, path.name
        assert (colours != 255).any(axis=2).mean() > 0.03
    waterfall = pixels(made[5])
    # Two of 32 channels are flagged: a sixteenth of the panels is as if there were nothing.
    blank = (np.abs(waterfall.astype(int) - GREY).max(axis=2) <= 3).mean()
    assert 0.5 / 16 < blank / (0.825 * 0.74) < 1.2 / 16


def test_columns_and_the_residual(ms, tmp_path):
    made = make_fast_plots(
        ms, tmp_path, columns=["MODEL_DATA", "DATA", "DATA"], include_residual=True, workers=1, kinds=SOME
    )
    names = [parse_fast_plot_name(path.name) for path in made]
    assert [(name.visibilities, name.kind) for name in names] == [
        (Plotted.MODEL, "waterfall"),
        (None, "flags"),
        (Plotted.DATA, "waterfall"),
        (Plotted.RESIDUAL, "waterfall"),
    ]
    assert len(list(tmp_path.iterdir())) == 4
    # Again, over what is there
    assert make_fast_plots(ms, tmp_path, columns=["DATA"], kinds=["waterfall"]) == (made[2],)


def test_corrected_data_come_first(tmp_path):
    path = make_plotted_ms(tmp_path / "a.ms", n_times=1).path
    add_column(path, "CORRECTED_DATA", 1)
    (only,) = make_fast_plots(path, tmp_path, kinds=["waterfall"])
    assert only.name == "a-plot-corrected-waterfall.png"


def test_a_picture_appears_whole_or_not_at_all(ms, tmp_path):
    first, second = make_fast_plots(ms, tmp_path, kinds=SOME)
    first.unlink()
    second.unlink()
    second.mkdir()  # something is in the way
    with pytest.raises(OutputError):
        make_fast_plots(ms, tmp_path, kinds=SOME)
    assert sorted(tmp_path.iterdir()) == sorted([first, second])


def test_the_ms_stays_as_it_is(ms, tmp_path):
    before = {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in ms.rglob("*")}
    make_fast_plots(ms, tmp_path, kinds=["flags"])
    with ct.table(str(ms), ack=False) as table:
        assert table.nrows() > 0
    after = {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in ms.rglob("*")}
    assert {file.name for file in after if after[file] != before.get(file)} <= {"table.lock"}


def test_what_cannot_be_drawn(ms, tmp_path):
    with pytest.raises(UsageError, match="'WEIGHT' cannot be drawn"):
        make_fast_plots(ms, tmp_path, columns=["WEIGHT"])
    with pytest.raises(UsageError, match="no plot 'closure'"):
        make_fast_plots(ms, tmp_path, kinds=["closure"])
    with pytest.raises(MeasurementSetError, match="no column CORRECTED_DATA"):
        make_fast_plots(ms, tmp_path, columns=["CORRECTED_DATA"])
    without = make_plotted_ms(tmp_path / "a.ms", n_times=1).path
    with pytest.raises(MeasurementSetError, match="has no MODEL_DATA, which a residual needs"):
        make_fast_plots(without, tmp_path / "out", include_residual=True)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        make_fast_plots(ms, tmp_path / "file")


def test_where_they_go(ms, tmp_path):
    assert plots_directory(ms, tmp_path) == tmp_path / "20251005T122848"


class TestCommand:
    def test_lists_what_it_made(self, ms, in_tmp, capsys, monkeypatch):
        monkeypatch.setenv("NUMBA_CACHE_DIR", "")
        monkeypatch.delenv("NUMBA_CACHE_DIR")
        (in_tmp / "contimg.toml").write_text('[paths]\ncache = "kernels"\n')
        assert main(["--ms", str(ms), "--json", "--column", "DATA", "--threads", "1", "--plot", "flags"]) == 0
        (made,) = json.loads(capsys.readouterr().out)
        assert os.environ["NUMBA_CACHE_DIR"] == str(in_tmp / "kernels")
        assert (in_tmp / made).parent == in_tmp / "contimg-data" / "qa" / ms.stem

    def test_says_in_a_line_what_is_wrong(self, ms, in_tmp, capsys):
        assert main(["--ms", "none.ms"]) == 1
        assert capsys.readouterr().err == "error: is not a Measurement Set: none.ms\n"
        assert main(["--ms", str(ms), "--threads", "0"]) == 2
        assert capsys.readouterr().err == "error: --threads is less than 1\n"
        (in_tmp / "contimg.toml").write_text("[paths]\nnothing = 1\n")
        assert main(["--ms", str(ms)]) == 2
        assert capsys.readouterr().err.count("\n") == 1

    def test_as_a_process(self, ms, in_tmp):
        """Without a display."""
        command = [sys.executable, "-W", "error", "-m", "dsa110_contimg.qa.fast_plots"]
        arguments = ["--ms", str(ms), "--output-dir", "out", "--plot", "waterfall", "--plot", "flags"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=ENVIRONMENT)
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.startswith("out/") for line in done.stdout.splitlines()] == [True] * 2
        without = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
        assert without.returncode == 2
        assert "Traceback" not in without.stderr
