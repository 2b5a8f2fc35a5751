import shutil
import subprocess

import ducc0
import hypothesis
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.imaging.averaging import collect
from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.samples import Samples
from dsa110_contimg.imaging.weighting import apply_weighting, expected_weights
from dsa110_contimg.ms.reading import read_blocks
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT
from made_integrations import make_blocks, make_observation
from predicted_ms import PredictedMs

ARCSEC = np.pi / 180 / 3600
# The image is padded to 308 pixels.
GRID = Grid(256, 6 * ARCSEC)
CELL_WAVES = 1 / (308 * 6 * ARCSEC)


def samples_at(uv_waves, weights):
    """Samples of one channel at places of the uv plane [wavelengths]."""
    uv_waves, freq_hz = np.asarray(uv_waves, float), np.array([1.4e9])
    weights = np.asarray(weights, np.float32)[:, None]
    uvw_m = np.column_stack([uv_waves * SPEED_OF_LIGHT / freq_hz, np.zeros(len(uv_waves))])
    rows = np.zeros(len(uv_waves), np.int32)
    return Samples(
        uvw_m, freq_hz, 1e6, np.ones(weights.shape, np.complex64), weights, rows.astype(float), rows, rows + 1
    )


def weighed(samples, **settings):
    return apply_weighting(samples, GRID, ImageSettings(threads=2, **settings)).weights[:, 0]


# Three samples in a cell, one of them mirrored; one in another; one beyond what pixels of 6" can show.
PLACES = CELL_WAVES * np.array([[3.2, 5.1], [3.8, 5.9], [-3.5, -5.5], [-7.5, 2.5], [200.0, 3.0]])


def test_natural_weights_are_inverse_variances():
    assert weighed(samples_at(PLACES, [1, 2, 3, 4, 5]), weighting="natural") == pytest.approx([1, 2, 3, 4, 0])


def test_uniform_weighting_gives_each_cell_the_same():
    found = weighed(samples_at(PLACES, [1, 2, 3, 4, 5]), weighting="uniform")
    assert found == pytest.approx([1 / 6, 2 / 6, 3 / 6, 1, 0])


@pytest.mark.parametrize("robust", [-1.0, 0.0, 0.5, 2.0])
def test_briggs_weighting_is_his_formula(robust):
    found = weighed(samples_at(PLACES, [1, 2, 3, 4, 5]), robust=robust)
    f_squared = (5 * 10**-robust) ** 2 / ((6**2 + 4**2) / 10)
    expected = [weight / (1 + cell * f_squared) for weight, cell in ((1, 6), (2, 6), (3, 6), (4, 4))]
    assert found == pytest.approx([*expected, 0])


def test_a_lone_cell_is_held_down():
    """Of ten cells within the window nine have a factor of 1/9, the last would have 1."""
    places = CELL_WAVES * (np.array([[k, 3] for k in range(9) for _ in range(9)] + [[4, 5]]) + 0.5)
    found = weighed(samples_at(places, [1] * 82), weighting="uniform")
    assert found[:81] == pytest.approx(1 / 9)
    assert found[81] == pytest.approx(3 * (9 / 9 + 1) / 10)


def test_a_taper_is_the_transform_of_its_beam():
    """The transform of a Gaussian of FWHM theta is 1/2 at u = 2 ln 2 / (pi theta)."""
    theta = 90 * ARCSEC
    half = 2 * np.log(2) / (np.pi * theta)
    found = weighed(
        samples_at([[half, 0.0], [0.0, 0.5 * half], [1e-9, 0.0]], [1, 1, 1]), weighting="natural", taper_arcsec=90
    )
    assert found == pytest.approx([0.5, 0.5**0.25, 1.0], rel=1e-5)


@hypothesis.settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(-2, 2), st.floats(1e-6, 1e6))
def test_only_ratios_of_weights_count(seed, robust, factor):
    rng = np.random.default_rng(seed)
    places, weights = rng.normal(0, 10 * CELL_WAVES, (40, 2)), rng.uniform(0.5, 2, 40)
    found = weighed(samples_at(places, weights), robust=robust)
    scaled = weighed(samples_at(places, weights * factor), robust=robust)
    np.testing.assert_allclose(scaled / factor, found, rtol=1e-5)
    assert np.all(found <= weights * (1 + 1e-6))
    mirrored = weighed(samples_at(-places, weights), robust=robust)
    np.testing.assert_allclose(mirrored, found, rtol=1e-6)


def test_the_noise_that_the_weights_tell():
    """Real parts of variance 1/w: the weighted mean's scatter is what it says, and natural's is the least."""
    rng = np.random.default_rng(3)
    places, weights = rng.normal(0, 4 * CELL_WAVES, (500, 2)), rng.uniform(0.5, 2, 500)
    result = apply_weighting(samples_at(places, weights), GRID, ImageSettings(weighting="uniform", threads=1))
    draws = rng.normal(size=(4000, 500)) / np.sqrt(weights)
    scatter = np.std(draws @ result.weights[:, 0] / result.weights.sum())
    assert result.facts["thermal_jy"] == pytest.approx(scatter, rel=0.04)
    assert result.facts["thermal_natural_jy"] == pytest.approx(1 / np.sqrt(weights.sum()), rel=1e-5)
    assert result.facts["thermal_natural_jy"] < result.facts["thermal_jy"]
    assert result.facts["cell_wavelengths"] == pytest.approx(CELL_WAVES)


@pytest.mark.parametrize("settings", [{"weighting": "natural"}, {"robust": 0.5}, {"robust": 0.0}])
def test_expected_weights_are_about_what_they_become(settings):
    """Of the weight of short, middling and long baselines each has about the part that it was expected to have."""
    seen = make_observation(24, 8)
    options = ImageSettings(smearing=1e-9, threads=1, **settings)
    samples = collect(make_blocks(seen, (0.0, 0.0)), seen, options, np.radians(1.0)).samples
    real = apply_weighting(samples, Grid(1200, 6 * ARCSEC), options).weights.sum(axis=1).reshape(24, -1)
    expected = expected_weights(seen, np.radians(1.0), options)
    assert expected.sum() == pytest.approx(1.0)
    shortest_first = np.argsort(np.linalg.norm(samples.uvw_m[: expected.size], axis=1))
    for some in np.array_split(shortest_first, 3):
        assert expected[some].sum() == pytest.approx(real[:, some].sum() / real.sum(), abs=0.1)


@pytest.mark.parametrize("settings", [{"robust": 0.5}, {"weighting": "uniform"}])
def test_averaging_does_not_change_weights(settings):
    seen = make_observation(24, 8)
    found = []
    for smearing in (1e-9, 0.02):
        options = ImageSettings(smearing=smearing, drift=False, threads=1, **settings)
        samples = collect(make_blocks(seen, (0.0, 0.0)), seen, options, np.radians(1.0)).samples
        weights = apply_weighting(samples, Grid(1200, 6 * ARCSEC), options).weights.sum(axis=1, dtype=float)
        pairs = samples.antenna1 * 200 + samples.antenna2
        found.append(np.array([weights[pairs == pair].sum() for pair in np.unique(pairs)]))
    assert samples.weights.size < 66 * 24 * 8 / 4
    np.testing.assert_allclose(found[1] / found[1].sum(), found[0] / found[0].sum(), rtol=1e-5)


def test_nothing_to_weigh():
    result = apply_weighting(samples_at(PLACES, [0] * 5), GRID, ImageSettings())
    assert not result.weights.any()
    assert result.facts["thermal_jy"] is None
    assert expected_weights(make_observation(stations=(1,)), 0.01, ImageSettings()).shape == (0,)


@pytest.mark.wsclean
@pytest.mark.skipif(shutil.which("wsclean") is None, reason="WSClean is not installed")
@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"robust": 0.5}, ["-weight", "briggs", "0.5"]),
        ({"robust": -0.5, "taper_arcsec": 40}, ["-weight", "briggs", "-0.5", "-taper-gaussian", "40asec"]),
        ({"weighting": "uniform"}, ["-weight", "uniform"]),
    ],
)
def test_the_psf_is_that_of_wsclean(tmp_path, settings, options):
    n_pixels, cell_rad = 512, 6 * ARCSEC
    ms = PredictedMs(tmp_path / "a.ms", [(0.0, 0.0)], [1.0])
    size = ["-size", str(n_pixels), str(n_pixels), "-scale", "6asec", "-use-wgridder", "-j", "2"]
    done = subprocess.run(
        ["wsclean", *size, *options, "-make-psf-only", "-no-update-model-required", "-name", "w", str(ms.path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    theirs = np.squeeze(fits.getdata(tmp_path / "w-psf.fits"))
    seen, chosen = observe(ms.path), ImageSettings(smearing=1e-9, threads=2, **settings)
    samples = collect(read_blocks(ms.path), seen, chosen, 0.01).samples
    assert samples.freq_hz.size == seen.freq_hz.size
    weights = apply_weighting(samples, Grid(n_pixels, cell_rad), chosen).weights
    ours = ducc0.wgridder.vis2dirty(
        uvw=samples.uvw_m,
        freq=samples.freq_hz,
        vis=np.ones_like(samples.visibilities),
        wgt=weights,
        npix_x=n_pixels,
        npix_y=n_pixels,
        pixsize_x=cell_rad,
        pixsize_y=cell_rad,
        epsilon=1e-5,
        do_wgridding=True,
        flip_v=True,
        divide_by_n=False,
        nthreads=2,
    ).T / weights.sum(dtype=float)
    # They taper cell by cell, we sample by sample.
    assert np.abs(ours - theirs)[128:384, 128:384].max() < (0.015 if "taper_arcsec" in settings else 0.003)
    middle = slice(n_pixels // 2 - 4, n_pixels // 2 + 5)
    assert np.abs(ours - theirs)[middle, middle].max() < (0.006 if "taper_arcsec" in settings else 0.001)
