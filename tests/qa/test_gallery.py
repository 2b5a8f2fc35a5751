"""The page of quicklooks: every link leads somewhere, and what is missing is named."""

import pytest

from dsa110_contimg.ms.information import read_info
from dsa110_contimg.qa.gallery import Figure, Problem, write_gallery
from linked_pages import check_links
from predicted_ms import PredictedMs


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    path = tmp_path_factory.mktemp("ms") / "20251005T123000.ms"
    PredictedMs(path, [(0.0, 0.0)], [3.0], n_times=2, step=1, stations=(1, 14, 103), start_mjd=60953.520833333336)
    return read_info(path)


@pytest.fixture
def directory(tmp_path):
    """Two pictures, a page, a log."""
    (tmp_path / "logs").mkdir()
    for name in ("a.png", "b 100%.png", "c.html", "logs/x.log"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_links_and_text(directory, info):
    figures = [
        Figure("a.png", "First", "One <of> two", "shadeMS 1.2"),
        Figure("b 100%.png", "First", "Two", "shadeMS 1.2"),
        Figure("c.html", "Second", "Three", "ragavi 0.5"),
    ]
    problem = Problem("It was ended after 3 s", "give it more time", "logs/x.log", "<b>oh</b>")
    page = check_links(write_gallery(directory, info, ["DATA", "MODEL_DATA", "FLAG"], figures, [problem]))
    assert "One <of> two shadeMS 1.2" in page.said
    assert "Three interactive; ragavi 0.5" in page.said
    assert "It was ended after 3 s. <b>oh</b> Log. Remedy: give it more time" in page.said
    assert "2025-10-05T12:30:00 to 12:30:26, 2 integrations of 12.9 s" in page.said
    assert "Antennas3, 3 baselines" in page.said
    assert "VisibilitiesDATA, MODEL_DATA " in page.said
    assert "What the tools said is in logs" in page.said


def test_one_section_without_problems_has_no_list_of_them(directory, info):
    figures = [Figure("a.png", "First", "One", "shadeMS 1.2")]
    page = check_links(write_gallery(directory, info, ["DATA"], figures, []))
    assert "Remedy" not in page.said
    assert not any(link.startswith("#") for link in page.links)


def test_a_problem_in_a_line():
    assert str(Problem("it failed", "try again", None, "oh")) == "it failed (oh). Remedy: try again"
