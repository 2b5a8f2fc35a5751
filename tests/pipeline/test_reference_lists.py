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

STRIP = "+54.6"


@pytest.fixture
def settings(tmp_path):
    return Settings(
        catalogue={"workers": 1, "directory": tmp_path / "catalogues", "peak_sigma": 1e6}, mosaic={"workers": 1}
    )


def test_a_mosaic_and_a_catalogue_make_a_list_together(tmp_path, settings):
    inputs = find_inputs(make_strip(tmp_path / "ms", [Source(129.0, 54.57, 0.3)], 1, n_pixels=160))
    mosaic = write_mosaic(join(inputs, settings.mosaic), inputs, tmp_path, settings.mosaic, {}).directory
    # Two that can be told apart, and beside one of them a fainter one that cannot.
    ra, dec = np.array([129.0, 140.0, 140.001]), np.array([54.57, 54.6, 54.6])
    table = QTable({"ra": ra, "dec": dec, "flux": [0.3, 0.02, 0.05], "e_ra": [1.0] * 3, "e_dec": [1.0] * 3})
    add_strip(settings.catalogue.directory / "nvss", {"name": "nvss", "freq_hz": 1.4e9}, 54, table, "2025-10-05")
    offers = [read_offer(source, STRIP, 5.0, 0.01, settings) for source in (mosaic, Path("nvss"))]
    root = tmp_path / "lightcurves"
    tried, _ = extend(root, STRIP, offers, settings, begin=True, dry_run=True)
    assert not root.exists()
    made, taken = extend(root, STRIP, offers, settings, begin=True)
    np.testing.assert_array_equal(tried.source_id, made.source_id)
    # Nothing stands out of the mosaic by so much; that sources are found on one is tested with epochs.
    assert [(one.offered, one.known, one.added) for one in taken] == [(0, 0, 0), (3, 0, 2)]
    assert taken[0].origin == f"mosaic:{mosaic.name}"
    assert origins(made) == {"catalogue:nvss": 2}
    assert sorted(made.flux_jy) == pytest.approx([0.05, 0.3])
    assert made.version == 1
    again, taken = extend(root, STRIP, offers, settings, begin=False)
    assert again.version == 1
    assert taken[1].known == 2


def test_epochs_tell_the_strip(tmp_path):
    one, same, other = (
        tmp_path / f"20251005T12{k}000{dec}-epoch" for k, dec in ((0, "+54.6"), (1, "+54.6"), (2, "+16.3"))
    )
    assert strip_among([one, same, tmp_path / "nvss"]) == "+54.6"
    assert strip_among([one, other]) is None
    assert strip_among([]) is None
