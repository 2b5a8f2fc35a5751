"""A strip joined: fluxes, places, noise and seams against the sky that was put in."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from dsa110_contimg.config.settings import MosaicSettings
from dsa110_contimg.errors import MosaicError
from dsa110_contimg.mosaic import joining
from dsa110_contimg.mosaic.beams import covariance
from dsa110_contimg.mosaic.inputs import find_inputs
from dsa110_contimg.mosaic.joining import join, noise_of
from restored_image import Source
from strip_images import make_strip

RMS_JY = 1e-3
SETTINGS = MosaicSettings()


def sky(ra_deg, dec_deg, n=24, seed=1):
    """Sources along a strip, 20 to 500 times the noise of one image."""
    rng = np.random.default_rng(seed)
    ra = ra_deg + np.linspace(-0.3, 5.0, n) / np.cos(np.radians(dec_deg)) * 0.9
    dec = dec_deg + rng.uniform(-0.35, 0.35, n)
    return [
        Source(float(a % 360), float(d), float(f))
        for a, d, f in zip(ra, dec, RMS_JY * 10 ** rng.uniform(1.6, 2.7, n), strict=True)
    ]


def whole(joint):
    """All bands, one above the other."""
    bands = list(joint.bands)
    return tuple(np.concatenate([getattr(band, name) for band in bands]) for name in ("image", "rms", "weight"))


def measured(image, joint, source):
    """Fit the common beam at a source: flux [Jy], and how far off it is [arcsec]."""
    radians = np.radians([source.ra_deg, source.dec_deg])
    (cos_ra, cos_dec), (sin_ra, sin_dec) = np.cos(radians), np.sin(radians)
    vector = np.array([[cos_dec * cos_ra, cos_dec * sin_ra, sin_dec]])
    (x,), (y,) = joint.plane.pixels(vector)
    i, j = round(float(y)), round(float(x))
    cut = image[i - 8 : i + 9, j - 8 : j + 9].astype(float)
    if min(i, j) < 8 or cut.shape != (17, 17) or not np.isfinite(cut).all():
        return np.nan, np.nan
    v, u = np.indices(cut.shape)
    inverse = np.linalg.inv(covariance(joint.beam, joint.plane.cell_deg))

    def model(p):
        dx, dy = u - 8 - p[1], v - 8 - p[2]
        return p[0] * np.exp(-0.5 * (inverse[0, 0] * dx * dx + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy * dy))

    found = least_squares(lambda p: (model(p) - cut).ravel(), [cut[8, 8], x - j, y - i]).x
    return found[0], np.hypot(found[1] - (x - j), found[2] - (y - i)) * joint.plane.cell_deg * 3600


@pytest.fixture(scope="module", params=[(129.0, 54.57), (357.5, 16.27)], ids=["dec 54", "across 0h"])
def strip(request, tmp_path_factory):
    """Five groups; noise of 1 mJy, but one of them twice that."""
    ra, dec = request.param
    sources = sky(ra, dec, seed=3)
    base = tmp_path_factory.mktemp("strip")
    make_strip(base, sources, 5, ra_deg=ra, dec_deg=dec, rms=[RMS_JY, RMS_JY, 2 * RMS_JY, RMS_JY, RMS_JY])
    inputs = find_inputs([base])
    joint = join(inputs, SETTINGS)
    return sources, inputs, joint, whole(joint)


def test_fluxes_and_places_are_those_of_the_sky(strip):
    sources, _, joint, (image, rms, _) = strip
    ratios, offsets = [], []
    for source in sources:
        flux, offset = measured(image, joint, source)
        if np.isfinite(flux) and source.flux_jy > 20 * np.nanmedian(rms):
            noise = float(np.nanmedian(rms)) / source.flux_jy
            assert float(flux) / source.flux_jy == pytest.approx(1.0, abs=0.02 + 5 * noise)
            ratios.append(float(flux) / source.flux_jy)
            offsets.append(offset)
    assert len(ratios) > 12
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.01)
    assert np.median(offsets) < 0.05 * joint.beam.minor_deg * 3600


def test_the_noise_is_what_the_map_says(strip):
    _, _, _, (image, rms, _) = strip
    there = np.isfinite(image)
    assert noise_of((image / rms)[there]) == pytest.approx(1.0, abs=0.05)


def test_weights_are_beam_squared_over_noise_squared(strip):
    _, inputs, joint, (_, rms, weight) = strip
    there = np.isfinite(rms)
    np.testing.assert_allclose(weight[there], rms[there] ** -2, rtol=1e-4)
    assert weight[~there].max() == 0
    assert sum(one.share for one in joint.used) == pytest.approx(1.0)
    noises = [one.noise_jy for one in joint.used]
    assert noises[2] == pytest.approx(2 * noises[1], rel=0.05)
    assert [one.group for one in joint.used] == [one.group for one in inputs]


def test_bands_have_no_seams(strip, monkeypatch):
    _, inputs, joint, pieces = strip
    monkeypatch.setattr(joining, "_BAND_PIXELS", joint.plane.n_ra * 77)
    monkeypatch.setattr(joining, "_ROWS", 13)
    again = join(inputs, SETTINGS)
    for one, other in zip(whole(again), pieces, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_image_joined_alone_is_itself_over_its_beam(tmp_path):
    source = Source(129.05, 54.6, 0.5)
    make_strip(tmp_path, [source], 1, rms=1e-4)
    joint = join(find_inputs([tmp_path]), SETTINGS)
    image, *_ = whole(joint)
    flux, offset = measured(image, joint, source)
    assert flux == pytest.approx(0.5, rel=2e-3)
    assert offset < 0.1
    assert joint.beam == find_inputs([tmp_path])[0].header.beam


def test_without_smoothing_the_beams_are_left(tmp_path):
    make_strip(tmp_path, [Source(129.05, 54.6, 0.5)], 2, rms=1e-4)
    joint = join(find_inputs([tmp_path]), MosaicSettings(convolve=False))
    assert joint.beam in [one.beam for one in joint.used]


def test_blanks_in_an_image_stay_where_they_are(tmp_path):
    from astropy.io import fits

    (directory,) = make_strip(tmp_path, [], 1)
    (path,) = directory.glob("*-image.fits")
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[0, 0, 380:400, 300:500] = np.nan
    image, *_ = whole(join(find_inputs([directory]), SETTINGS))
    row, column = (n // 2 - 60 for n in image.shape)
    blank = ~np.isfinite(image[row : row + 120, column : column + 120])
    assert 20 * 120 <= blank.sum() <= 23 * 120


def test_no_noise_is_said(tmp_path):
    make_strip(tmp_path, [], 1, rms=0.0)
    with pytest.raises(MosaicError, match="no noise"):
        join(find_inputs([tmp_path]), SETTINGS)
