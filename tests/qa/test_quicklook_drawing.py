"""Tools that are missing, fail, hang or print garbage: what the others draw is there, and the rest is named."""

import pytest

from dsa110_contimg.ms.columns import read_block, write_block
from dsa110_contimg.qa.quicklook_drawing import Drawing, draw, is_whole
from predicted_ms import PredictedMs
from stand_in_tools import only_path, stand_ins

SHADEMS = Drawing(shadems=True, max_plots=2)
BOTH = Drawing(shadems=True, ragavi=True, max_plots=2)


@pytest.fixture(scope="module")
def ms(tmp_path_factory):
    """A small one with a model and calibrated data."""
    path = tmp_path_factory.mktemp("ms") / "20251005T123000.ms"
    PredictedMs(path, [(0.0, 0.0)], [3.0], n_times=2, stations=(1, 14, 103), noise_jy=0.1)
    for column in ("MODEL_DATA", "CORRECTED_DATA"):
        write_block(path, column, 0, read_block(path, "DATA", 0, 2))
    return path


@pytest.fixture
def drawn(tmp_path, monkeypatch, ms):
    """Draw with stand-ins; give names of files, problems, and where they are."""

    def draw_them(drawing, columns=("DATA",), gains=(), **sources):
        only_path(monkeypatch, stand_ins(tmp_path / "bin", **sources))
        page = tmp_path / "page"
        figures, problems = draw(ms, page, tmp_path / "tools", drawing, set(columns), gains)
        assert {figure.file for figure in figures} == {path.name for path in page.iterdir() if path.is_file()}
        assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []
        return figures, problems, page

    return draw_them


def test_all_is_drawn_and_nothing_else_left(drawn):
    figures, problems, page = drawn(Drawing(shadems=True, ragavi=True), ["DATA", "MODEL_DATA"])
    assert problems == []
    assert len(figures) == 12 + 6
    assert {figure.made_by for figure in figures} == {"shadeMS 9.8.7", "ragavi 7.6.5"}
    assert {entry.name for entry in (page / "logs").iterdir()} == {
        *(f"shadems-{what}{time}.log" for what in ("data", "residual") for time in ("", "-time")),
        *(f"{figure.file.removesuffix('.html')}.log" for figure in figures if figure.is_page),
    }


def test_fast_plots_are_among_them(drawn):
    figures, problems, page = drawn(Drawing(shadems=False, fast_plots=True), ["DATA"])
    assert problems == []
    assert {figure.section for figure in figures} == {"Fast plots"}
    assert len({figure.caption for figure in figures}) == len(figures) > 5
    assert not (page / "logs").exists()


def test_fast_plots_that_fail_cost_themselves_alone(drawn, ms, tmp_path, monkeypatch):
    only_path(monkeypatch, stand_ins(tmp_path / "bin"))
    gone = tmp_path / "gone.ms"
    drawing = SHADEMS._replace(fast_plots=True)
    figures, (problem,) = draw(gone, tmp_path / "page", tmp_path / "tools", drawing, {"DATA"})
    assert len(figures) == 2
    assert problem.what.startswith("Fast plots failed")


def test_a_tool_that_is_missing(drawn):
    figures, (problem,), _ = drawn(BOTH, shadems=None)
    assert [figure.section.split(":")[0] for figure in figures] == ["ragavi", "ragavi"]
    assert problem == ("shadeMS is not installed", "dsa110-contimg tools install shadems", None, "")


GARBAGE = """
import sys
sys.stdout.buffer.write(bytes(range(256)) * 2000 + b"\\n\\x1b[31mno such \\xff thing\\n")
raise SystemExit(5)
"""


def test_a_tool_that_fails_and_prints_garbage(drawn):
    figures, (problem,), page = drawn(BOTH, shadems=GARBAGE)
    assert [figure.section for figure in figures] == ["ragavi: data as recorded"]
    assert problem.what.endswith("(data as recorded): it ended with status 5")
    assert "tools install shadems" in problem.remedy
    assert problem.last_words == "[31mno such \N{REPLACEMENT CHARACTER} thing"
    assert 200_000 <= (page / problem.log).stat().st_size < 201_000


def test_one_that_hangs_is_ended_and_what_it_drew_before_is_kept(drawn):
    source = """
import sys, time
from PIL import Image
Image.new("RGB", (8, 8)).save("DATA-XX-amp-uv.png")
print("drawing the next", flush=True)
time.sleep(600)
"""
    (figure,), (problem,), _ = drawn(SHADEMS._replace(timeout_s=3.0), shadems=source)
    assert figure.file == "shadems-data-amplitude-uv.png"
    assert problem.what == (
        "shadeMS unknown did not draw amplitude against frequency (data as recorded): it was ended after 3 s"
    )
    assert problem.remedy == "give it more time (--timeout, now 3 s), or have less drawn (--max)"
    assert problem.last_words == "drawing the next"


@pytest.mark.parametrize("content", ["", "\\x89PNG\\r\\n\\x1a\\nhalf of it"])
def test_half_a_picture_is_none(drawn, content):
    source = f"from pathlib import Path\nPath('DATA-amp-uv.png').write_bytes('{content}'.encode('latin-1'))"
    figures, problems, _ = drawn(SHADEMS, shadems=source)
    assert figures == []
    assert "it ended without having drawn" in problems[0].what


def test_half_a_page_is_none(tmp_path):
    (tmp_path / "page.html").write_text("<html>\n</html>\n")
    assert is_whole(tmp_path / "page.html")
    (tmp_path / "page.html").write_text("<html>\n")
    assert not is_whole(tmp_path / "page.html")


def test_the_page_of_a_run_that_says_nothing(drawn):
    _, (problem,), _ = drawn(SHADEMS, shadems="")
    assert problem.last_words == ""
