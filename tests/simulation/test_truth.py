"""Truth files: written, read, and in the form that the telescope's sample has."""

import json

import numpy as np
import pytest

from dsa110_contimg.errors import UsageError
from dsa110_contimg.simulation.truth import read_truth, sources_as_json, sources_from_json, write_truth
from dsa110_contimg.telescope.prediction import PointSources

# A truth file that was not written by the package, as short as it can be.
RECORD = {
    "start": "2025-10-05T12:30:00",
    "pt_dec_deg": 54.5734,
    "antennas": [24, 103, 11],
    "sources": [{"ra": 83.7, "dec": 54.5, "flux": 5.0, "alpha": -0.7}, {"ra": 84.6, "dec": 54.7, "flux": 2.0}],
    "meridian": [83.7, 54.5],
    "mjd": [60953.52090789874, 60953.521057029546],
    "site": [37.2334051, -118.283, 1188.0519],
    "beam": "Airy disc",
}


def test_a_truth_without_gains(tmp_path):
    write_truth(tmp_path / "truth.json", RECORD)
    truth = read_truth(tmp_path / "truth.json")
    assert truth.antennas == (24, 103, 11)
    assert truth.sources.flux_jy.tolist() == [5.0, 2.0]
    assert truth.sources.alpha.tolist() == [-0.7, -0.7]
    assert truth.mjd.tolist() == RECORD["mjd"]
    assert truth.site.longitude_deg == -118.283
    assert truth.gains is None
    assert truth.record == RECORD


def test_sources_round_trip():
    sources = PointSources(*np.random.default_rng(1).normal(size=(4, 5)))
    again = sources_from_json(json.loads(json.dumps(sources_as_json(sources))))
    assert all(np.array_equal(a, b) for a, b in zip(again, sources, strict=True))
    assert sources_from_json([]).flux_jy.size == 0


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps(RECORD | {"site": [1]}), json.dumps(RECORD | {"sources": [1]})]
)
def test_what_is_not_a_truth(tmp_path, text):
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(UsageError, match="truth"):
        read_truth(tmp_path / "truth.json")


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="absent"):
        read_truth(tmp_path / "absent.json")
