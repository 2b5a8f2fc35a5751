"""Which sources are outside of an image, and bright; and what else was in the sky."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.outliers import find_outliers
from dsa110_contimg.imaging.surroundings import surroundings
from dsa110_contimg.telescope.beams import AiryBeam
from dsa110_contimg.telescope.prediction import PointSources
from predicted_ms import PredictedMs

# When Cassiopeia A is on the meridian, 2025 October 5.
CASSIOPEIA_MJD = 60953.2610


@pytest.fixture(scope="module")
def observation(tmp_path_factory):
    path = tmp_path_factory.mktemp("here") / "here.ms"
    made = PredictedMs(path, [(0.0, 0.0)], [1.0], every=256, n_times=2, step=23, start_mjd=CASSIOPEIA_MJD)
    return observe(made.path)


def grid(n_pixels, cell_arcsec=6.0):
    return Grid(n_pixels, np.radians(cell_arcsec / 3600))


def test_cassiopeia_shines_through_the_first_sidelobe_of_its_strip(observation):
    outliers = find_outliers(observation, grid(2048), ImageSettings(), AiryBeam())
    first = outliers.sources[0]
    assert first.name == "Cassiopeia A"
    assert first.distance_deg == pytest.approx(4.4, abs=0.3)
    # 28 Jy, says who has worked it out before.
    assert first.apparent_jy == pytest.approx(28.0, rel=0.15)
    assert first.extent_rad > 0
    assert [source.apparent_jy for source in outliers.sources] == sorted(
        (source.apparent_jy for source in outliers.sources), reverse=True
    )


def test_what_is_in_the_image_is_no_outlier(observation):
    at = np.array([observation.ra_deg, observation.ra_deg]), observation.dec_deg + np.array([0.5, 1.5])
    catalogue = PointSources(*at, np.array([3.0, 3.0]), np.array([-0.7, -0.7]))
    for n_pixels, cell_arcsec, inside in (
        (2048, 6.0, (True, True)),
        (1024, 6.0, (True, False)),
        (512, 2.0, (False,) * 2),
    ):
        found = find_outliers(observation, grid(n_pixels, cell_arcsec), ImageSettings(), AiryBeam(), catalogue)
        names = {source.name for source in found.sources}
        for dec_deg, is_inside in zip(at[1], inside, strict=True):
            assert (f"{observation.ra_deg:.4f}{dec_deg:+.4f}" not in names) == is_inside


def test_sources_that_cannot_be_told_apart_are_one(observation):
    dec_deg = observation.dec_deg + 1.9 + np.array([0.0, 0.01, 0.2])
    ra_deg = np.full(3, observation.ra_deg)
    catalogue = PointSources(ra_deg, dec_deg, np.array([4.0, 2.0, 3.0]), np.zeros(3))
    found = find_outliers(observation, grid(2048), ImageSettings(), AiryBeam(), catalogue).sources
    near = [source for source in found if abs(source.dec_deg[0] - dec_deg[0]) < 0.5 and source.name[0].isdigit()]
    sizes = sorted(len(source.ra_deg) for source in near)
    assert sizes == [1, 2]


def test_nothing_if_it_is_not_wanted(observation):
    settings = ImageSettings(outliers=False)
    assert find_outliers(observation, grid(2048), settings, AiryBeam()).sources == ()
    faint = ImageSettings(outlier_jy=1e4)
    assert find_outliers(observation, grid(2048), faint, AiryBeam()).sources == ()


def test_surroundings_are_distances(observation):
    found = surroundings(observation)
    assert next(iter(found["bright_sources"])) == "Cassiopeia A"
    assert found["bright_sources"]["Cassiopeia A"]["distance_deg"] == pytest.approx(4.4, abs=0.3)
    # On the meridian the elevation follows from the latitude alone.
    assert found["bright_sources"]["Cassiopeia A"]["elevation_deg"] == pytest.approx(90 - (58.95 - 37.233), abs=0.3)
    assert 0 <= found["sun"]["distance_deg"] <= 180
    assert found["sun"]["elevation_deg"] < 0  # 6 h UT is the middle of the night in California
