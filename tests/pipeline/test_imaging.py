"""From a Measurement Set to images on disk, with a bright source just outside of them."""

import json
from typing import NamedTuple

import pytest

from dsa110_contimg.config.settings import CatalogueSettings, ImageSettings
from dsa110_contimg.images.fits import celestial_wcs, read_image
from dsa110_contimg.imaging.products import Provenance
from dsa110_contimg.imaging.psf import find_peak
from dsa110_contimg.pipeline.imaging import Calibrated, Place, image_group
from simulated_fields import STATIONS, make_field

AUTUMN, WINTER = 60953.52, 61100.0
# At this moment right ascension 0h is on the meridian.
ZERO_HOURS = 60953.2886
INSIDE, INSIDE_JY = ((0.3, 0.2), (-0.5, -0.4), (0.1, -0.7)), (2.0, 1.0, 1.5)
OUTSIDE_JY = 8.0
SETTINGS = ImageSettings(
    size=480, cell_arcsec=15.0, alpha=0.0, major_cycles=4, iterations=2000, half_bands=False, threads=2
)


class Group(NamedTuple):
    """Brightness of the three sources in an image, and the scatter of what is left."""

    peaks_jy: list[float]
    rms_jy: float
    outliers: dict


def image(directory, outside, catalogue=None, **options):
    """Simulate a group with, or without, a source outside; image it as the stream does."""
    directory.mkdir()
    offsets = [*INSIDE, *outside]
    flux_jy = [*INSIDE_JY, *(OUTSIDE_JY for _ in outside)]
    options = {"stations": STATIONS, "every": 64, "n_times": 6, "step": 4, "noise": True} | options
    field = make_field(directory / "a.ms", offsets, flux_jy, **options)
    settings = CatalogueSettings()
    if catalogue is not None:
        # As surveys have it: a little elsewhere, and a tenth brighter.
        ra_deg, dec_deg = field.sources.ra_deg[-1], field.sources.dec_deg[-1] + 0.3 / 3600
        catalogue.write_text(f"ra,dec,flux\n{ra_deg},{dec_deg},{1.1 * OUTSIDE_JY}\n")
        settings = CatalogueSettings(reference=catalogue)
    where = Place(directory, "here")
    written = image_group(Calibrated(field.path), where, SETTINGS, Provenance("2025-10-05T12:30:00", "a.ms"), settings)
    made, left = (read_image(written[kind]) for kind in ("image", "residual"))
    wcs = celestial_wcs(made.header, made.pixels.shape)
    x, y = wcs.all_world2pix(field.sources.ra_deg[:3], field.sources.dec_deg[:3], 0)
    peaks = [find_peak(made.pixels, float(a), float(b)).value for a, b in zip(x, y, strict=True)]
    record = json.loads(written["record"].read_text())
    return Group(peaks, float(left.pixels.std()), record["outliers"])


@pytest.mark.parametrize(
    ("dec_deg", "start_mjd", "outside"),
    [
        (54.57, AUTUMN, (0.3, 1.15)),
        (54.57, ZERO_HOURS, (1.2, 0.2)),
        (16.27, WINTER, (-1.15, -0.4)),
        (-10.0, WINTER, (0.2, 1.2)),
        (71.6, AUTUMN, (-0.9, 1.1)),
    ],
)
def test_a_bright_source_just_outside_does_no_harm(tmp_path, dec_deg, start_mjd, outside):
    options = {"dec_deg": dec_deg, "start_mjd": start_mjd}
    alone = image(tmp_path / "alone", [], **options)
    beside = image(tmp_path / "beside", [outside], tmp_path / "bright.csv", **options)
    found = [source for source in beside.outliers["sources"] if source["subtracted"]]
    assert max(source["fitted_jy"] for source in found) > 1.0
    assert beside.peaks_jy == pytest.approx(alone.peaks_jy, rel=0.01)
    assert beside.rms_jy < 1.03 * alone.rms_jy


def test_left_in_it_does_harm(tmp_path):
    """So that the test above shows something."""
    alone = image(tmp_path / "alone", [])
    beside = image(tmp_path / "beside", [(0.3, 1.15)])
    assert not [source for source in beside.outliers["sources"] if source["subtracted"]]
    assert beside.rms_jy > 1.5 * alone.rms_jy
