"""The page about a group: one file, nothing from elsewhere, the verdict first."""

import json
from html.parser import HTMLParser

import pytest

from dsa110_contimg.config.settings import QualitySettings
from dsa110_contimg.errors import OutputError
from dsa110_contimg.naming import report_facts_name, report_name
from dsa110_contimg.qa.closeups import draw_closeups
from dsa110_contimg.qa.preview import draw_preview
from dsa110_contimg.qa.quality import judge_images
from dsa110_contimg.qa.report import brightest, main, write_report
from judged_images import GROUP, STEM, make_planes, write_made

MADE = make_planes(128, 4.0, 25)
FACTS = {
    "group": GROUP,
    "outcome": "done",
    "ms": {"calibration": {"sets": ["20251005T083238_3C48_1.cal"], "why": "the nearest"}, "files": []},
    "stages": [{"name": "image", "seconds": 40.0, "bytes_in": 10, "bytes_out": 20}],
    "log": ["12:30:00 fine", "12:30:01 warning: <script>alert(1)</script>"],
}
VOID = {"meta", "img", "br", "line", "path", "rect"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects texts, links and sources."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.seen.append(tag)
        facts = dict(attrs)
        self.links += [facts["href"]] if "href" in facts else []
        self.sources += [facts["src"]] if "src" in facts else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if data.strip() and self.open[-1] != "style":
            self.texts.append(data.strip())


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / f"{STEM}-images"
    path.mkdir()
    write_made(MADE, path)
    quality = judge_images(path, STEM, QualitySettings(), sources=MADE.sources)
    draw_preview(path, STEM, sources=MADE.sources, quality=quality)
    draw_closeups(path, STEM, MADE.sources)
    return path


def test_the_page(directory) -> None:
    path = write_report(directory, STEM, FACTS, sources=MADE.sources)
    assert path == directory / report_name(STEM)
    page = Page(path.read_text())
    assert page.open == []
    assert page.texts[:2] == [f"good: {GROUP}", "good"]  # title, then the badge
    text = " ".join(page.texts)
    for part in (
        GROUP,
        "2.00 mJy/beam",
        brightest(MADE.sources)[0]["name"],
        "20251005T083238_3C48_1.cal",
        "309 s of sky",
        "40 s",
    ):
        assert part in text
    assert path.stat().st_size < 3_000_000


def test_nothing_comes_from_elsewhere(directory) -> None:
    page = Page(write_report(directory, STEM, FACTS, sources=MADE.sources).read_text())
    assert "script" not in page.seen
    assert "link" not in page.seen
    assert len(page.sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert all((directory / link).exists() for link in page.links)
    assert f"{STEM}-image.fits" in page.links


def test_what_a_log_says_stays_text(directory) -> None:
    page = Page(write_report(directory, STEM, FACTS).read_text())
    assert any("<script>alert(1)</script>" in text for text in page.texts)


def test_again_by_hand(directory, capsys) -> None:
    path = write_report(directory, STEM, FACTS, sources=MADE.sources)
    before = path.read_text().split("<footer>")[0]
    path.unlink()
    assert main([str(directory)]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    assert path.read_text().split("<footer>")[0] == before


def test_nothing_is_known(tmp_path) -> None:
    page = Page(write_report(tmp_path, STEM, {}).read_text())
    assert page.open == []
    assert "unknown" in page.texts
    assert "There is no picture of the image." in page.texts


def test_the_end_of_a_log_file(tmp_path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {k}\n" for k in range(5000)))
    write_report(tmp_path, STEM, {"log_path": log})
    kept = json.loads((tmp_path / report_facts_name(STEM)).read_text())
    assert kept["log"][-1] == "line 4999"
    assert len(kept["log"]) == 60
    write_report(tmp_path, STEM, {"log_path": tmp_path / "none"})
    assert "the log cannot be read" in (tmp_path / report_name(STEM)).read_text()


def test_brightest() -> None:
    rows = brightest(MADE.sources, 5)
    assert len(rows) == 5
    assert [row["apparent"] for row in rows] == sorted(MADE.sources["apparent"].value, reverse=True)[:5]
    json.dumps(rows)


def test_no_place_for_it(tmp_path) -> None:
    with pytest.raises(OutputError):
        write_report(tmp_path / "none", STEM, {})
