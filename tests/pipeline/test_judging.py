"""From images to a catalogue and a verdict: on what is measured while sources are looked for, and on what is tied."""

import json

import numpy as np
import pytest

from dsa110_contimg.config.plain import plain
from dsa110_contimg.config.settings import CatalogueSettings, QualitySettings
from dsa110_contimg.images.fits import read_image
from dsa110_contimg.naming import closeups_name, image_file_name, preview_name, quality_name
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.pipeline.imaging import Place
from dsa110_contimg.pipeline.judging import catalogue_group
from dsa110_contimg.qa.quality import judge_images
from judged_images import STEM, make_planes, write_made

MADE = make_planes(n_pixels=400, width_deg=2.0, n_sources=25, seed=4)


def test_an_image_that_is_tied_is_judged_as_it_is_then(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    write_made(MADE, images)
    reference = tmp_path / "reference.csv"
    rows = zip(*(values(MADE.sources, name) for name in ("ra", "dec", "flux")), strict=True)
    lines = (f"{ra:.6f},{dec + 0.002:.6f},{2 * flux:.6f}\n" for ra, dec, flux in rows)
    reference.write_text("ra,dec,flux\n" + "".join(lines))
    tied = CatalogueSettings(workers=1, reference=reference, tie="apply")
    before = read_image(images / image_file_name(STEM, "image"))
    judged = catalogue_group(Place(images, STEM), tied, QualitySettings(least_matches=5))
    assert judged.ties.flux_ratio == pytest.approx(0.5, rel=0.1)
    after = read_image(images / image_file_name(STEM, "image"))
    assert 3600 * (after.header.dec_deg - before.header.dec_deg) == pytest.approx(7.2, abs=2.0)
    np.testing.assert_array_equal(after.pixels, before.pixels)
    kept = json.loads((images / quality_name(STEM)).read_text())
    again = judge_images(images, STEM, QualitySettings(least_matches=5), sources=judged.sources, ties=judged.ties)
    assert kept == plain(again.as_json())
    assert kept["sources"]["number"] == len(judged.sources) > 10
    assert (images / preview_name(STEM)).exists()
    assert (images / closeups_name(STEM)).exists()


def test_an_image_of_nothing_is_judged_too(tmp_path):
    empty = MADE._replace(planes=MADE.planes._replace(image=np.zeros_like(MADE.planes.image)))
    write_made(empty, tmp_path)
    judged = catalogue_group(Place(tmp_path, STEM), CatalogueSettings(workers=1), QualitySettings())
    assert len(judged.sources) == 0
    assert judged.ties is None
    assert "there is nothing in the image" in judged.quality.reasons
