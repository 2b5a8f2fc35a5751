"""Lists of strips from mosaics and fetched catalogues."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable

from dsa110_contimg.catalogue.strips import add_strip
from dsa110_contimg.config.settings import Settings
from dsa110_contimg.mosaic.inputs import find_inputs
from dsa110_contimg.mosaic.joining import join
from dsa110_contimg.mosaic.products import write_mosaic
from dsa110_contimg.pipeline.reference_lists import extend, origins, read_offer, strip_among
from restored_image import Source
from strip_images import make_strip

SOURCES = [Source(129.0, 54.57, 0.3), Source(129.1, 54.62, 0.1)]
STRIP = "+54.6"


@pytest.fixture
def settings(tmp_path):
    return Settings(catalogue={"workers": 1, "directory": tmp_path / "catalogues"}, mosaic={"workers": 1})


def test_a_mosaic_and_a_catalogue_make_a_list_together(tmp_path, settings):
    inputs = find_inputs(make_strip(tmp_path / "ms", SOURCES, 1, n_pixels=240))
    mosaic = write_mosaic(join(inputs, settings.mosaic), inputs, tmp_path, settings.mosaic, {}).directory
    # One of the mosaic, a little off; one that is not in it; and beside it one that cannot be told from it.
    ra, dec = np.array([129.0003, 140.0, 140.001]), np.array([54.5702, 54.6, 54.6])
    table = QTable({"ra": ra, "dec": dec, "flux": [0.3, 0.02, 0.05], "e_ra": [1.0] * 3, "e_dec": [1.0] * 3})
    add_strip(settings.catalogue.directory / "nvss", {"name": "nvss", "freq_hz": 1.4e9}, 54, table, "2025-10-05")
    offers = [read_offer(source, STRIP, 5.0, 0.01, settings) for source in (mosaic, Path("nvss"))]
    root = tmp_path / "lightcurves"
    tried, _ = extend(root, STRIP, offers, settings, begin=True, dry_run=True)
    assert not root.exists()
    made, taken = extend(root, STRIP, offers, settings, begin=True)
    np.testing.assert_array_equal(tried.source_id, made.source_id)
    assert [(one.offered, one.known, one.added) for one in taken] == [(2, 0, 2), (3, 1, 1)]
    assert origins(made) == {f"mosaic:{mosaic.name}": 2, "catalogue:nvss": 1}
    bright = made.flux_jy[made.origin == "catalogue:nvss"]
    assert bright == pytest.approx([0.05])
    assert made.version == 1
    again, _ = extend(root, STRIP, offers, settings, begin=False)
    assert again.version == 1


def test_epochs_tell_the_strip(tmp_path):
    one, same, other = (
        tmp_path / f"20251005T12{k}000{dec}-epoch" for k, dec in ((0, "+54.6"), (1, "+54.6"), (2, "+16.3"))
    )
    assert strip_among([one, same, tmp_path / "nvss"]) == "+54.6"
    assert strip_among([one, other]) is None
    assert strip_among([]) is None
