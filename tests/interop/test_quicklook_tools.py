"""shadeMS and ragavi themselves, on a Measurement Set and calibration tables of ours."""

import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dsa110_contimg.calibration.casa_tables import write_caltable
from dsa110_contimg.ms.columns import read_block, write_block
from dsa110_contimg.qa.quicklook_drawing import Drawing
from dsa110_contimg.qa.quicklooks import make_quicklooks
from linked_pages import check_links
from predicted_ms import PredictedMs
from solution_sets import healthy_set, without
from stand_in_tools import real_tools

pytestmark = pytest.mark.slow
STATIONS = (1, 14, 30, 103)
FLUX_JY, NOISE_JY, AUTOS_JY = 20.0, 2.0, 6000.0


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """A point source at the phase centre, with noise and bright autocorrelations; its model is exact."""
    path = tmp_path_factory.mktemp("ms") / "20251005T123000.ms"
    made = PredictedMs(
        path, [(0.0, 0.0)], [FLUX_JY], n_times=4, stations=STATIONS, noise_jy=NOISE_JY, autos=AUTOS_JY, every=4
    )
    data = read_block(path, "DATA", 0, 4)
    write_block(path, "CORRECTED_DATA", 0, data)
    write_block(path, "MODEL_DATA", 0, np.full_like(data, FLUX_JY))
    return made


def hashes(directory):
    return {
        path: hashlib.blake2b(path.read_bytes()).digest() if path.is_file() else b""
        for path in sorted(directory.rglob("*"))
    }


def ink(path):
    """Tell where in a picture there is colour: rows and columns of pixels that are neither grey, black nor white."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return np.nonzero(np.ptp(pixels, axis=-1) > 20)


@pytest.fixture(scope="module")
def by_shadems(observed, tmp_path_factory):
    tools = real_tools("shadems")
    before = hashes(observed.path.parent)
    made = make_quicklooks(
        observed.path, tmp_path_factory.mktemp("state"), tools, Drawing(max_plots=9, timeout_s=300.0)
    )
    assert hashes(observed.path.parent) == before, "nothing in or beside the Measurement Set changes"
    return made


@pytest.fixture(scope="module")
def tables(observed, tmp_path_factory):
    """Solutions of the antennas that are there; the others are flagged, as ours are."""
    directory = tmp_path_factory.mktemp("cal") / "20251005T123000_3C286.cal"
    missing = [row for row in range(117) if row + 1 not in STATIONS]
    delays, bandpass, _ = healthy_set(n_antennas=117, n_channels=observed.freq_hz.size, n_times=4)
    made = {
        "K": replace(delays, freq_hz=np.array([observed.freq_hz.mean()])),
        "B": replace(bandpass, freq_hz=observed.freq_hz),
    }
    for kind, solutions in made.items():
        write_caltable(directory / f"{kind}.tab", without(solutions, np.s_[:, missing]), observed.path)
    return directory


@pytest.fixture(scope="module")
def by_ragavi(observed, tables, tmp_path_factory):
    tools = real_tools("ragavi")
    before = hashes(observed.path.parent) | hashes(tables.parent)
    drawing = Drawing(shadems=False, ragavi=True, max_plots=1, timeout_s=300.0, n_threads=2, tables=(tables,))
    made = make_quicklooks(observed.path, tmp_path_factory.mktemp("state"), tools, drawing)
    assert hashes(observed.path.parent) | hashes(tables.parent) == before
    return made


class TestShadems:
    def test_all_are_drawn(self, by_shadems):
        assert by_shadems.problems == ()
        assert len(by_shadems.figures) == 9
        assert {figure.made_by for figure in by_shadems.figures} == {"shadeMS 0.5.5"}
        check_links(by_shadems.page)

    def test_none_is_empty(self, by_shadems):
        for figure in by_shadems.figures:
            rows, _ = ink(by_shadems.page.parent / figure.file)
            assert rows.size > 2000, figure.file

    def test_the_phase_of_a_point_source_is_0_and_that_of_noise_is_anything(self, by_shadems):
        """Densest around the middle of an axis that ends at the extremes, or spread evenly over all of it."""
        spreads = {}
        for what in ("corrected", "residual"):
            rows, _ = ink(by_shadems.page.parent / f"shadems-{what}-phase-frequency.png")
            spreads[what] = np.std(rows) / np.ptp(rows)
        assert spreads["residual"] == pytest.approx(1 / np.sqrt(12), rel=0.1)
        assert spreads["corrected"] < 0.85 * spreads["residual"]

    def test_every_integration_is_a_column(self, by_shadems):
        _, columns = ink(by_shadems.page.parent / "shadems-corrected-amplitude-time.png")
        assert np.count_nonzero(np.diff(np.unique(columns)) > 10) == 4 - 1


class TestRagavi:
    def test_visibilities_and_tables_are_drawn(self, by_ragavi):
        assert by_ragavi.problems == ()
        assert [figure.file for figure in by_ragavi.figures] == [
            "ragavi-corrected-amplitude-uv.html",
            "ragavi-gains-1-B.html",
            "ragavi-gains-2-K.html",
        ]
        assert {figure.made_by for figure in by_ragavi.figures} == {"ragavi 0.5.2"}
        check_links(by_ragavi.page)

    def test_a_page_needs_no_network(self, by_ragavi):
        for figure in by_ragavi.figures:
            text = (by_ragavi.page.parent / figure.file).read_text()
            assert "Bokeh" in text
            assert re.search(r"<(?:script|link)[^>]+(?:src|href)=", text) is None, figure.file

    def test_amplitudes_are_those_of_cross_correlations(self, by_ragavi):
        """The picture ends below the autocorrelations, and has the source in it."""
        text = (by_ragavi.page.parent / "ragavi-corrected-amplitude-uv.html").read_text()
        low, height = (float(re.search(rf'"{key}":\[([0-9.]+)\]', text)[1]) for key in ("y", "dh"))
        assert low < FLUX_JY < low + height < 2 * FLUX_JY
