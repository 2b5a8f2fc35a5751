import shutil

import numpy as np
import pytest
from astropy.io import fits

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.errors import ImagingError, MissingToolError
from dsa110_contimg.images.fits import celestial_wcs, read_image
from dsa110_contimg.imaging.averaging import collect
from dsa110_contimg.imaging.cycle import make_image
from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.products import Provenance, write_images
from dsa110_contimg.imaging.wsclean import arguments, run_wsclean
from dsa110_contimg.ms.reading import read_blocks
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.prediction import PointSources
from predicted_ms import PredictedMs

needs_wsclean = pytest.mark.skipif(shutil.which("wsclean") is None, reason="WSClean is not installed")
OPTIONS = {"size": 256, "cell_arcsec": 15.0, "drift": False, "major_cycles": 4, "threshold_jy": 0.02, "threads": 2}
PROVENANCE = Provenance("2025-10-05T12:28:48", "a.ms")
BEAM = beam_model("airy")


def grid_of(observation):
    return Grid(256, np.radians(15.0 / 3600.0), observation.aberration_scale)


@pytest.fixture(scope="module")
def ms(tmp_path_factory):
    return PredictedMs(tmp_path_factory.mktemp("ms") / "a.ms", [(0.1, 0.2), (-0.3, 0.1)], [1.0, 0.3]).path


def values_of(arguments_, option):
    place = arguments_.index(option)
    return arguments_[place + 1 : place + 3]


def test_options_say_what_the_settings_say(tmp_path):
    settings = ImageSettings(
        weighting="briggs", robust=-0.5, taper_arcsec=40.0, min_uv_m=10.0, max_uv_m=900.0, iterations=77,
        major_cycles=3, gain=0.2, major_gain=0.7, threshold_jy=0.01, auto_mask=5.0, auto_threshold=2.0,
        multiscale=True, channels_out=4, terms=2, epsilon=1e-5, threads=3,
    )  # fmt: skip
    said = arguments(tmp_path / "a.ms", tmp_path, Grid(512, 1e-4, 0.9999), settings, "CORRECTED_DATA")
    assert said[-1] == str(tmp_path / "a.ms")
    expected = {
        "-weight": ["briggs", "-0.5"], "-size": ["512", "512"], "-taper-gaussian": ["40asec"], "-minuvw-m": ["10"],
        "-maxuvw-m": ["900"], "-niter": ["77"], "-nmiter": ["3"], "-gain": ["0.2"], "-mgain": ["0.7"],
        "-threshold": ["0.01"], "-auto-mask": ["5"], "-auto-threshold": ["2"], "-channels-out": ["4"],
        "-fit-spectral-pol": ["2"], "-wgridder-accuracy": ["1e-05"], "-j": ["3"], "-data-column": ["CORRECTED_DATA"],
        "-temp-dir": [str(tmp_path)],
    }  # fmt: skip
    for option, values in expected.items():
        assert values_of(said, option)[: len(values)] == values
    assert {"-multiscale", "-join-channels", "-no-update-model-required"} <= set(said)
    assert float(values_of(said, "-scale")[0].removesuffix("asec")) == pytest.approx(np.degrees(1e-4) * 3600 * 0.9999)


def test_what_is_not_set_is_not_said(tmp_path):
    settings = ImageSettings(weighting="natural", auto_mask=None, auto_threshold=0.0)
    said = arguments(tmp_path / "a.ms", tmp_path, Grid(64, 1e-4), settings, "DATA")
    assert not {"-auto-mask", "-auto-threshold", "-threshold", "-taper-gaussian", "-minuvw-m", "-maxuvw-m"} & set(said)
    assert not {"-multiscale", "-channels-out", "-fits-mask"} & set(said)
    assert values_of(said, "-weight")[0] == "natural"


def test_a_mask_is_handed_over(tmp_path):
    mask = np.zeros((64, 64), dtype=bool)
    mask[3, 5] = True
    said = arguments(tmp_path / "a.ms", tmp_path, Grid(64, 1e-4), ImageSettings(), "DATA", mask)
    assert fits.getdata(values_of(said, "-fits-mask")[0])[0, 0, 3, 5] == 1.0


def test_without_wsclean_it_says_so(ms, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    observation = observe(ms)
    with pytest.raises(MissingToolError, match="apt install wsclean"):
        run_wsclean(
            ms, tmp_path, "x", grid_of(observation), ImageSettings(), PROVENANCE, observation=observation, beam=BEAM
        )


@needs_wsclean
@pytest.mark.wsclean
@pytest.mark.parametrize("n_bands", [1, 2])
def test_its_products_are_those_of_our_own_engine(ms, tmp_path, n_bands):
    observation = observe(ms)
    grid, settings = grid_of(observation), ImageSettings(**OPTIONS, channels_out=n_bands)
    theirs = run_wsclean(ms, tmp_path, "theirs", grid, settings, PROVENANCE, observation=observation, beam=BEAM)
    samples = collect(read_blocks(ms), observation, settings, 0.5 * 256 * grid.cell_rad).samples
    ours = write_images(
        make_image(samples, observation, grid, settings, beam=BEAM), tmp_path, "ours", PROVENANCE, settings
    )
    assert set(theirs) == set(ours)
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"theirs", "ours"}
    images = {kind: [read_image(made[kind]) for made in (theirs, ours)] for kind in ("image", "psf", "pb")}
    assert np.allclose(images["psf"][0].pixels, images["psf"][1].pixels, atol=0.01)
    assert np.allclose(images["pb"][0].pixels, images["pb"][1].pixels, atol=0.01)
    first, second = images["image"]
    # Cleaned to the threshold by either; deeper, WSClean diverges on so few antennas.
    assert first.pixels.max() == pytest.approx(second.pixels.max(), abs=1.5 * settings.threshold_jy)
    assert second.pixels.max() == pytest.approx(1.0, rel=0.002)
    assert first.pixels.argmax() == second.pixels.argmax()
    assert first.header.freq_hz == pytest.approx(second.header.freq_hz, rel=3e-3)
    assert first.header[:3] == second.header[:3]
    assert "wsclean" in theirs["record"].read_text()


@needs_wsclean
@pytest.mark.wsclean
def test_a_seed_is_where_it_cleans(ms, tmp_path):
    """Of two sources the fainter is in the catalogue, with another that is far outside of the image."""
    observation = observe(ms)
    grid, settings = grid_of(observation), ImageSettings(**OPTIONS)
    options = {"observation": observation, "beam": BEAM}
    both = read_image(run_wsclean(ms, tmp_path, "both", grid, settings, PROVENANCE, **options)["model"])
    bright = np.unravel_index(both.pixels.argmax(), both.pixels.shape)
    near = np.hypot(*(np.indices(both.pixels.shape) - np.reshape(bright, (2, 1, 1)))) < 20
    row, column = np.unravel_index(np.where(near, 0.0, both.pixels).argmax(), both.pixels.shape)
    ra, dec = celestial_wcs(both.header, both.pixels.shape).all_pix2world(column, row, 0)
    seed = PointSources(np.array([ra, 10.0]), np.array([dec, -20.0]), np.ones(2), np.zeros(2))
    model = read_image(run_wsclean(ms, tmp_path, "one", grid, settings, PROVENANCE, **options, seed=seed)["model"])
    rows, columns = np.nonzero(model.pixels)
    assert rows.size > 0
    assert np.hypot(rows - row, columns - column).max() < 10


@needs_wsclean
@pytest.mark.wsclean
def test_the_dirty_image_alone(ms, tmp_path):
    observation = observe(ms)
    settings = ImageSettings(**OPTIONS, iterations=0)
    written = run_wsclean(
        ms, tmp_path, "dirty", grid_of(observation), settings, PROVENANCE, observation=observation, beam=BEAM
    )
    assert not read_image(written["model"]).pixels.any()
    assert read_image(written["image"]).pixels.max() == pytest.approx(1.0, abs=0.1)


@needs_wsclean
@pytest.mark.wsclean
def test_its_failure_is_an_error_of_ours_and_leaves_nothing(ms, tmp_path):
    observation = observe(ms)
    with pytest.raises(ImagingError, match="WSClean ended"):
        run_wsclean(
            ms,
            tmp_path,
            "x",
            grid_of(observation),
            ImageSettings(**OPTIONS),
            PROVENANCE,
            observation=observation,
            beam=BEAM,
            column="NO_SUCH_DATA",
        )
    assert list(tmp_path.iterdir()) == []
