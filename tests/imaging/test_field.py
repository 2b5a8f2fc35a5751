"""Size and pixels of an image that nobody chose."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.errors import UsageError
from dsa110_contimg.imaging.cycle import make_image
from dsa110_contimg.imaging.field import choose_grid, edge_radius
from dsa110_contimg.imaging.primary_beam import average_power
from dsa110_contimg.telescope.beams import AiryBeam, GaussianBeam
from sampled_fields import sampled_field

BEAM = AiryBeam()


@pytest.fixture(scope="module", params=[54.57, -10.0])
def field(request):
    return sampled_field([(0, 0)], [1.0], dec_deg=request.param, every=768, stations=(1, 40, 117, 110), n_times=24)


def test_the_beams_edge_is_the_images(field):
    coarse = ImageSettings(cell_arcsec=60.0)
    grid = choose_grid(field.observation, coarse, BEAM)
    power = average_power(field.observation, BEAM, grid, field.samples, field.samples.weights)
    middle = grid.n_pixels // 2
    rim = [power[middle, 0], power[middle, -1], power[0, middle], power[-1, middle]]
    assert max(rim) < 0.053 * power.max()
    # The beam is drawn out in right ascension, and that is the way that counts.
    assert max(rim[:2]) > 0.035 * power.max()
    assert grid.magnification == field.observation.aberration_scale


def test_three_pixels_or_more_across_the_finest_fringe(field):
    grid = choose_grid(field.observation, ImageSettings(size=64), BEAM)
    fringe_rad = 299792458.0 / field.observation.freq_hz.max() / field.observation.longest_baseline_m
    arcsec = np.degrees(grid.cell_rad) * 3600
    assert 3.0 <= fringe_rad / grid.cell_rad < 15.0
    assert arcsec == pytest.approx(round(2 * arcsec) / 2)


@pytest.mark.parametrize("stations", [range(1, 30), range(1, 52), (*range(1, 30), 110, 117)])
def test_four_pixels_across_the_beam(stations):
    field = sampled_field([(0, 0)], [1.0], every=256, stations=tuple(stations), n_times=2)
    settings = ImageSettings(size=256, iterations=0)
    grid = choose_grid(field.observation, settings, BEAM)
    beam = make_image(field.samples, field.observation, grid, settings, beam=BEAM).beam
    assert np.radians(beam.minor_deg) / grid.cell_rad > 4.0


def test_shorter_baselines_need_larger_pixels(field):
    fine = choose_grid(field.observation, ImageSettings(size=64), BEAM).cell_rad
    assert choose_grid(field.observation, ImageSettings(size=64, max_uv_m=300), BEAM).cell_rad > 2 * fine
    assert choose_grid(field.observation, ImageSettings(size=64, taper_arcsec=120), BEAM).cell_rad > 2 * fine


def test_a_taper_needs_a_fifth_of_itself(field):
    grid = choose_grid(field.observation, ImageSettings(size=64, taper_arcsec=2000), BEAM)
    assert np.degrees(grid.cell_rad) * 3600 == pytest.approx(400.0)


def test_a_narrower_beam_needs_smaller_pixels():
    observation = sampled_field([(0, 0)], [1.0], every=256, stations=(*range(1, 30), 110, 117), n_times=2).observation
    natural, robust, uniform = (
        choose_grid(observation, ImageSettings(size=64, weighting=weighting, robust=0.0), BEAM).cell_rad
        for weighting in ("natural", "briggs", "uniform")
    )
    assert uniform < robust <= natural


def test_what_is_chosen_is_taken(field):
    grid = choose_grid(field.observation, ImageSettings(size=246, cell_arcsec=7.25), BEAM)
    assert grid.n_pixels == 246
    assert np.degrees(grid.cell_rad) * 3600 == pytest.approx(7.25)


@pytest.mark.parametrize(("size", "cell"), [(65, 10.0), (6000, 60.0)])
def test_what_cannot_be_is_refused(field, size, cell):
    with pytest.raises(UsageError):
        choose_grid(field.observation, ImageSettings(size=size, cell_arcsec=cell), BEAM)


def test_one_antenna_has_no_resolution(field):
    alone = field.observation._replace(working=np.array([0]))
    with pytest.raises(UsageError, match="two antennas"):
        choose_grid(alone, ImageSettings(), BEAM)


def test_a_beam_without_an_edge_ends_somewhere(field):
    assert edge_radius(field.observation, GaussianBeam(170.0), 0.05) < np.radians(20.0)
