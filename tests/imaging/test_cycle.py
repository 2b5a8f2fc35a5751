"""Images of fields of known sources, from samples to restored image."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.errors import ImagingError, UsageError
from dsa110_contimg.imaging.cycle import begin_part, make_image
from dsa110_contimg.telescope.beams import AiryBeam
from sampled_fields import CORE, sampled_field

BEAM = AiryBeam()
OFFSETS, FLUX_JY = [(8, -3), (-128, 35), (83, -112)], [1.0, 0.8, 0.9]


def settings_of(**options):
    return ImageSettings(**({"threads": 2, "weighting": "natural", "alpha": 0.0} | options))


@pytest.fixture(scope="module")
def field():
    return sampled_field(OFFSETS, FLUX_JY, stations=CORE[::2], every=96, n_pixels=320, cell_arcsec=25.0)


def image(field, settings, **options):
    """Image a copy of the samples: models are taken out of them in place."""
    samples = field.samples._replace(visibilities=field.samples.visibilities.copy())
    return make_image(samples, field.observation, field.grid, settings, beam=BEAM, **options)


@pytest.fixture(scope="module")
def seed(field):
    mask = np.zeros((320, 320), bool)
    for row, column in zip(field.rows, field.columns, strict=True):
        mask[row - 2 : row + 3, column - 2 : column + 3] = True
    return mask


@pytest.fixture(scope="module")
def noise_free(field, seed):
    settings = settings_of(major_cycles=5, auto_mask=1000.0, auto_threshold=0.1)
    return image(field, settings, mask=seed)


def test_a_noise_free_field_that_drifts_leaves_nothing(noise_free):
    assert np.abs(noise_free.residual).max() < 3e-4 * noise_free.image.max()
    assert not noise_free.diverged


def test_sources_have_their_flux_through_the_beam(field, noise_free):
    for row, column, flux in zip(field.rows, field.columns, FLUX_JY, strict=True):
        assert noise_free.image[row, column] / noise_free.pb[row, column] == pytest.approx(flux, rel=2e-3)


def test_figures_of_every_cycle(noise_free):
    peaks = [cycle.peak_jy for cycle in noise_free.cycles]
    assert peaks == sorted(peaks, reverse=True)
    assert noise_free.cycles[0].degridded == 1
    assert noise_free.cycles[0].followed == 0
    assert noise_free.cycles[-1].followed == len(FLUX_JY)
    assert noise_free.cycles[-1].model_jy == pytest.approx(noise_free.model.sum(), rel=1e-4)
    assert noise_free.freq_hz == pytest.approx(1.405e9, rel=1e-3)
    assert noise_free.n_visibilities == noise_free.sum_weights
    assert noise_free.bands == ()


def test_a_model_that_stands_still_leaves_a_percent(field, seed):
    settings = settings_of(major_cycles=3, auto_mask=1000.0, drift=False)
    imaged = image(field, settings, mask=seed)
    assert np.abs(imaged.residual).max() > 1e-3
    assert {cycle.degridded for cycle in imaged.cycles} == {1}


@pytest.mark.parametrize("drift", [True, False])
def test_the_halves_of_a_band_begin_where_the_whole_ended(field, seed, drift):
    samples = field.samples._replace(visibilities=field.samples.visibilities.copy())
    deep = {"auto_mask": 1000.0, "auto_threshold": 0.1, "drift": drift}
    settings = settings_of(major_cycles=4, **deep)
    whole = make_image(samples, field.observation, field.grid, settings, mask=seed, beam=BEAM)
    alone = settings_of(major_cycles=4, **deep)
    for part in (slice(None, 4), slice(4, None)):
        half = samples._replace(
            freq_hz=samples.freq_hz[part], visibilities=samples.visibilities[:, part], weights=samples.weights[:, part]
        )
        settings = settings_of(major_cycles=1, **deep)
        made = make_image(
            half,
            field.observation,
            field.grid,
            settings,
            mask=seed,
            begun=begin_part(whole, part),
            beam=BEAM,
        )
        untouched = half._replace(visibilities=field.samples.visibilities[:, part].copy())
        anew = make_image(untouched, field.observation, field.grid, alone, mask=seed, beam=BEAM)
        accuracy = 1e-3 if drift else 2e-2
        for row, column in zip(field.rows, field.columns, strict=True):
            assert made.image[row, column] == pytest.approx(anew.image[row, column], rel=accuracy)


def test_of_the_rest_of_a_band_psf_and_residual_are_known(field, seed):
    samples = field.samples._replace(visibilities=field.samples.visibilities.copy())
    weights = np.random.default_rng(2).uniform(0.5, 1.5, samples.weights.shape).astype(np.float32)
    samples = samples._replace(weights=weights)
    settings = settings_of(major_cycles=1, auto_mask=1000.0, weighting="briggs")
    whole = make_image(samples, field.observation, field.grid, settings, mask=seed, beam=BEAM)
    low, high = (
        samples._replace(
            freq_hz=samples.freq_hz[part], visibilities=samples.visibilities[:, part].copy(), weights=weights[:, part]
        )
        for part in (slice(None, 4), slice(4, None))
    )
    first = make_image(low, field.observation, field.grid, settings, begun=begin_part(whole, slice(None, 4)), beam=BEAM)
    known = begin_part(whole, slice(4, None), first)
    dirty = settings_of(iterations=0)
    alone = make_image(high, field.observation, field.grid, dirty, begun=begin_part(whole, slice(4, None)), beam=BEAM)
    assert np.abs(known.psf - alone.psf).max() < 1e-3
    # What is cleaned once more is right to a part of itself.
    assert np.abs(known.dirty - alone.residual).max() < 3e-3 * np.abs(alone.residual).max() + 1e-5
    squares = (known.weights**2 / weights[:, 4:]).sum()
    assert alone.thermal_jy == pytest.approx(np.sqrt(squares) / known.weights.sum(), rel=1e-3)


def test_only_images_of_ours_have_parts(noise_free):
    with pytest.raises(UsageError, match="not made here"):
        begin_part(noise_free._replace(left=None), slice(0, 4))


def test_the_halves_of_a_band_begin_where_its_sub_bands_ended(field, seed):
    samples = field.samples._replace(visibilities=field.samples.visibilities.copy())
    deep = {"auto_mask": 1000.0, "auto_threshold": 0.1}
    settings = settings_of(major_cycles=5, channels_out=4, **deep)
    whole = make_image(samples, field.observation, field.grid, settings, mask=seed, beam=BEAM)
    half = samples._replace(
        freq_hz=samples.freq_hz[4:], visibilities=samples.visibilities[:, 4:], weights=samples.weights[:, 4:]
    )
    made = make_image(
        half,
        field.observation,
        field.grid,
        settings_of(major_cycles=1, **deep),
        mask=seed,
        begun=begin_part(whole, slice(4, None)),
        beam=BEAM,
    )
    for row, column, flux in zip(field.rows, field.columns, FLUX_JY, strict=True):
        assert made.image[row, column] / made.pb[row, column] == pytest.approx(flux, rel=5e-3)


def test_what_is_left_of_the_samples_is_the_residual(field, seed):
    samples = field.samples._replace(visibilities=field.samples.visibilities.copy())
    settings = settings_of(major_cycles=4, auto_mask=1000.0)
    imaged = make_image(samples, field.observation, field.grid, settings, mask=seed, beam=BEAM)
    dirty = make_image(samples, field.observation, field.grid, settings_of(iterations=0), beam=BEAM)
    assert dirty.image == pytest.approx(imaged.residual, abs=1e-5)


def test_noise_stays_noise(seed):
    noisy = sampled_field(OFFSETS, FLUX_JY, stations=CORE[::2], every=96, n_pixels=320, cell_arcsec=25.0, noise_jy=2.0)
    settings = settings_of(major_cycles=5, weighting="briggs", robust=0.0)
    imaged = make_image(noisy.samples, noisy.observation, noisy.grid, settings, mask=seed, beam=BEAM)
    assert imaged.cycles[-1].rms_jy == pytest.approx(imaged.thermal_jy, rel=0.1)
    for row, column, flux in zip(noisy.rows, noisy.columns, FLUX_JY, strict=True):
        assert imaged.image[row, column] == pytest.approx(
            flux * imaged.pb[row, column], abs=5 * imaged.thermal_jy + 0.01 * flux
        )


def test_sub_bands_see_the_spectrum(seed):
    steep = sampled_field(
        OFFSETS, FLUX_JY, stations=CORE[::3], every=96, n_times=8, n_pixels=320, cell_arcsec=25.0, alpha=-2.0
    )
    settings = settings_of(channels_out=2, terms=2, major_cycles=3, auto_mask=1000.0, alpha=-2.0)
    imaged = make_image(steep.samples, steep.observation, steep.grid, settings, mask=seed, beam=BEAM)
    low, high = imaged.bands
    row, column = steep.rows[0], steep.columns[0]
    assert low.freq_hz < imaged.freq_hz < high.freq_hz
    ratio = high.image[row, column] / low.image[row, column]
    # Near the axis the beam itself falls with frequency by little.
    assert np.log(ratio) / np.log(high.freq_hz / low.freq_hz) == pytest.approx(-2.0, abs=0.2)
    assert imaged.image[row, column] == pytest.approx((low.image + high.image)[row, column] / 2, rel=0.02)


def test_no_iterations_give_the_dirty_image(field):
    imaged = image(field, settings_of(iterations=0))
    assert imaged.cycles == ()
    assert not imaged.model.any()
    assert (imaged.image == imaged.residual).all()


def test_an_empty_sky(field):
    dark = field.samples._replace(visibilities=np.zeros_like(field.samples.visibilities))
    imaged = make_image(dark, field.observation, field.grid, settings_of(), beam=BEAM)
    assert not imaged.image.any()
    assert imaged.psf[160, 160] == pytest.approx(1.0, rel=1e-4)


def test_a_part_of_the_band_without_data_is_left_out(field):
    weights = field.samples.weights.copy()
    weights[:, :4] = 0.0
    half = field.samples._replace(weights=weights)
    settings = settings_of(channels_out=2, major_cycles=1)
    imaged = make_image(half, field.observation, field.grid, settings, beam=BEAM)
    assert imaged.bands == ()
    assert imaged.bandwidth_hz == pytest.approx(4 * field.samples.channel_width_hz)


def test_nothing_good_is_said(field):
    nothing = field.samples._replace(weights=np.zeros_like(field.samples.weights))
    with pytest.raises(ImagingError, match="flags"):
        make_image(nothing, field.observation, field.grid, settings_of(), beam=BEAM)


def test_what_is_not_finite_is_said(field):
    visibilities = field.samples.visibilities.copy()
    visibilities[3, 2] = np.nan
    broken = field.samples._replace(visibilities=visibilities)
    with pytest.raises(ImagingError, match="finite"):
        make_image(broken, field.observation, field.grid, settings_of(), beam=BEAM)
