"""What jobs are told for imaging: plain values, absolute paths, half bands."""

import json

from dsa110_contimg.config.settings import CatalogueSettings, ImageSettings, QualitySettings, Settings
from dsa110_contimg.pipeline.imaging_inputs import imaging_options


def told(**sections):
    return json.loads(json.dumps(imaging_options(Settings(**sections))))


def test_a_stream_that_does_not_image_is_told_nothing():
    assert told(stream={"stages": ["convert"]}) == {}


def test_what_is_told_can_be_read_back(in_tmp):
    (in_tmp / "sky.csv").touch()
    options = told(image={"size": 512, "seed": "sky.csv"}, catalogue={"reference": "sky.csv"})
    image = ImageSettings(**options["image"]["settings"])
    assert (image.size, image.seed) == (512, in_tmp / "sky.csv")
    for part in (options["image"]["catalogue"], options["catalogue"]["settings"]):
        catalogue = CatalogueSettings(**part)
        assert catalogue.reference == in_tmp / "sky.csv"
        assert catalogue.directory == in_tmp / "contimg-data" / "catalogues"
    assert QualitySettings(**options["catalogue"]["quality"]) == QualitySettings()


def test_the_stream_images_half_bands_unless_it_is_told_not_to():
    assert told()["image"]["settings"]["half_bands"]
    assert not told(image={"half_bands": False})["image"]["settings"]["half_bands"]
    assert ImageSettings().half_bands is None


def test_a_catalogue_that_was_fetched_keeps_its_name(in_tmp):
    assert told(catalogue={"reference": "nvss"})["catalogue"]["settings"]["reference"] == "nvss"
