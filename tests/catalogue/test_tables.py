"""Tables of sources, in the formats that people have."""

import json

import numpy as np
import pytest
from astropy.table import Table

from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.prediction import PointSources

SKY = PointSources(np.array([10.5, 359.9]), np.array([-3.25, 54.0]), np.array([1.5, 0.02]), np.array([-0.7, 0.0]))


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("delimiter", [" ", ","])
def test_ecsv(tmp_path, delimiter):
    table = Table(list(SKY), names=["ra", "dec", "flux", "alpha"])
    table.write(tmp_path / "sky.ecsv", format="ascii.ecsv", delimiter=delimiter)
    assert same(read_sources(tmp_path / "sky.ecsv"), SKY)


@pytest.mark.parametrize("wrapped", [False, True])
def test_json(tmp_path, wrapped):
    rows = [{"ra": 10.5, "dec": -3.25, "flux": 1.5}, {"ra": 359.9, "dec": 54.0, "flux": 0.02, "alpha": 0.0}]
    (tmp_path / "sky.json").write_text(json.dumps({"sources": rows} if wrapped else rows))
    assert same(read_sources(tmp_path / "sky.json"), SKY)


def test_comments_and_missing_alpha(tmp_path):
    (tmp_path / "sky.csv").write_text("# mine\nra,dec,flux,alpha\n1,2,3,\n4,5,6,0\n")
    assert read_sources(tmp_path / "sky.csv").alpha.tolist() == [-0.7, 0.0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sky.csv", "ra,dec\n1,2\n"),
        ("sky.csv", "ra,dec,flux\n1,2,bright\n"),
        ("sky.csv", "ra,dec,flux\n1,2,nan\n"),
        ("sky.csv", "ra,dec,flux\n1,95,1\n"),
        ("sky.json", "{"),
        ("sky.json", '{"stars": []}'),
        ("sky.json", "[3]"),
    ],
)
def test_what_is_not_a_sky(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=name):
        read_sources(tmp_path / name)


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="absent"):
        read_sources(tmp_path / "absent.csv")
