import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg.errors import MeasurementSetError, OutputExistsError, UsageError
from dsa110_contimg.images.fits import celestial_wcs, read_image
from dsa110_contimg.imaging.blocks import stokes_blocks
from dsa110_contimg.imaging.dirty import dirty_image, grid_block
from dsa110_contimg.imaging.psf import find_peak
from dsa110_contimg.telescope.band import HEADER_SITE, band_frequencies_hz
from dsa110_contimg.telescope.beams import AiryBeam
from dsa110_contimg.telescope.geometry import apparent_directions
from dsa110_contimg.telescope.prediction import apparent_flux
from predicted_ms import STATIONS, PredictedMs

ARCSEC = np.pi / 180 / 3600
CELL = 6.0
AUTUMN, WINTER = 60953.52, 61100.0
# At this moment right ascension 0h is on the meridian.
ZERO_HOURS = 60953.2886


def measure(ms, image, source=0):
    """Offset of a source from its true place to the east and north ["], and its flux density [Jy]."""
    wcs = celestial_wcs(image.header, image.image.shape)
    x, y = wcs.all_world2pix(ms.sources.ra_deg[source], ms.sources.dec_deg[source], 0)
    peak = find_peak(image.image, float(x), float(y))
    return CELL * (x - peak.x), CELL * (peak.y - y), peak.value


@pytest.mark.parametrize(
    ("dec_deg", "start_mjd", "offset_deg"),
    [
        (54.57, AUTUMN, (0.1, -1.3)),
        (54.57, AUTUMN, (-1.3, 0.0)),
        (54.57, ZERO_HOURS, (1.3, 0.0)),
        (16.27, WINTER, (0.1, -1.3)),
        (-10.0, AUTUMN, (-0.9, 0.9)),
        (71.6, WINTER, (0.9, 0.9)),
    ],
)
def test_a_source_is_where_it_is_and_as_bright_as_it_is(tmp_path, dec_deg, start_mjd, offset_deg):
    ms = PredictedMs(tmp_path / "a.ms", [offset_deg], [2.0], dec_deg=dec_deg, start_mjd=start_mjd)
    image = dirty_image(ms.path, 1680, CELL * ARCSEC)
    east, north, flux_jy = measure(ms, image)
    assert np.hypot(east, north) < 0.05
    assert flux_jy == pytest.approx(2.0, rel=2e-4)
    assert abs(image.grid.magnification - 1.0) < 1.01e-4


def test_the_field_across_zero_hours_really_is(tmp_path):
    ms = PredictedMs(tmp_path / "a.ms", [(1.3, 0.0), (-1.3, 0.0)], [1.0, 1.0], start_mjd=ZERO_HOURS)
    assert ms.sources.ra_deg[0] < 5.0
    assert ms.sources.ra_deg[1] > 355.0


def test_without_the_aberration_positions_are_off(tmp_path):
    """The magnification is no cosmetic: 1e-4 of 1.3 deg is half an arcsecond."""
    ms = PredictedMs(tmp_path / "a.ms", [(1.3, 0.0)], [1.0])
    image = dirty_image(ms.path, 1680, CELL * ARCSEC)
    (block,) = stokes_blocks(ms.path)
    plain = grid_block(block, image.grid._replace(magnification=1.0)) / image.sum_weights
    x, y = celestial_wcs(image.header, plain.shape).all_world2pix(ms.sources.ra_deg[0], ms.sources.dec_deg[0], 0)
    peak = find_peak(plain, float(x), float(y))
    expected = 1.3 * 3600 * (1.0 - image.grid.magnification)
    assert abs(expected) > 0.3
    assert CELL * (peak.x - x) == pytest.approx(expected, abs=0.05)


def test_each_of_two_sources_is_where_it_is(tmp_path):
    """Neither a mirror nor a turn of the sky would pass."""
    ms = PredictedMs(tmp_path / "a.ms", [(0.31, 0.12), (-0.22, 0.41)], [5.0, 3.0])
    image = dirty_image(ms.path, 640, CELL * ARCSEC)
    for source, flux_jy in ((0, 5.0), (1, 3.0)):
        east, north, measured_jy = measure(ms, image, source)
        # Each lies in the sidelobes of the other.
        assert np.hypot(east, north) < 5.0
        assert measured_jy == pytest.approx(flux_jy, rel=0.25)
    brightest = np.unravel_index(np.argmax(image.image), image.image.shape)
    assert brightest[0] > 320 > brightest[1]  # north is up, east to the left


def test_the_flux_is_that_of_the_average_beam(tmp_path):
    ms = PredictedMs(tmp_path / "a.ms", [(0.8, 0.5)], [2.0], beam=AiryBeam(), n_times=6, step=4)
    freq_hz = band_frequencies_hz()[8::16]
    directions = apparent_directions(ms.sources.ra_deg, ms.sources.dec_deg, ms.mjd, HEADER_SITE)
    expected = np.mean([apparent_flux(ms.sources, here, ms.dec_rad, freq_hz, AiryBeam()) for here in directions])
    _, _, flux_jy = measure(ms, dirty_image(ms.path, 1200, CELL * ARCSEC))
    assert 1.0 < expected < 1.7
    assert flux_jy == pytest.approx(expected, rel=3e-4)


def test_autocorrelations_do_not_count(tmp_path):
    quiet = PredictedMs(tmp_path / "a.ms", [(0.1, 0.0)], [1.0], n_times=2)
    loud = PredictedMs(tmp_path / "b.ms", [(0.1, 0.0)], [1.0], n_times=2, autos=6500.0)
    images = [dirty_image(ms.path, 256, CELL * ARCSEC) for ms in (quiet, loud)]
    # Threads add in any order.
    assert images[0].image == pytest.approx(images[1].image, abs=1e-5)


def test_flags_are_honoured(tmp_path):
    clean = PredictedMs(tmp_path / "a.ms", [(0.1, 0.0)], [1.0], n_times=2)
    spoilt = PredictedMs(tmp_path / "b.ms", [(0.1, 0.0)], [1.0], n_times=2)

    def some_channels(values, bad):
        values[:, 10:20] = bad
        return values

    for ms in (clean, spoilt):
        ms.change("FLAG", lambda flags: some_channels(flags, True))
    spoilt.change("DATA", lambda data: some_channels(data, 1e6))
    images = [dirty_image(ms.path, 256, CELL * ARCSEC) for ms in (clean, spoilt)]
    # Threads add in any order.
    assert images[0].image == pytest.approx(images[1].image, abs=1e-5)
    n_channels = band_frequencies_hz()[8::16].size
    n_cross = len(STATIONS) * (len(STATIONS) - 1) // 2
    assert images[0].n_visibilities == 2 * n_cross * (n_channels - 10)
    assert images[0].bandwidth_hz == pytest.approx((n_channels - 10) / n_channels * 187.5e6)
    assert measure(clean, images[0])[2] == pytest.approx(1.0, rel=1e-3)


def test_weights_are_honoured(tmp_path):
    """Two skies, one in each integration: the image is their weighted mean."""
    ms = PredictedMs(tmp_path / "a.ms", [(0.0, 0.0)], [1.0], n_times=2)

    def later(values, factor):
        values[values.shape[0] // 2 :] *= factor
        return values

    ms.change("DATA", lambda data: later(data, 5.0))
    ms.change("WEIGHT", lambda weight: later(weight, 3.0))
    assert dirty_image(ms.path, 64, CELL * ARCSEC).image[32, 32] == pytest.approx(4.0, rel=1e-4)


def test_blocks_add_up_to_the_same_image(tmp_path):
    ms = PredictedMs(tmp_path / "a.ms", [(0.1, 0.05)], [1.0], n_times=3)
    whole = dirty_image(ms.path, 256, CELL * ARCSEC)
    parts = dirty_image(ms.path, 256, CELL * ARCSEC, block_bytes=1 << 19)
    assert parts.image == pytest.approx(whole.image, abs=1e-4)
    assert parts.psf == pytest.approx(whole.psf, abs=1e-4)
    assert parts.sum_weights == pytest.approx(whole.sum_weights)


def test_the_psf_is_one_in_the_middle(tmp_path):
    ms = PredictedMs(tmp_path / "a.ms", [(0.1, 0.05)], [1.0], n_times=2)
    image = dirty_image(ms.path, 256, CELL * ARCSEC)
    assert image.psf[128, 128] == pytest.approx(1.0, abs=1e-4)
    assert image.psf.argmax() == 128 * 256 + 128
    assert 30 < image.beam.minor_deg * 3600 <= image.beam.major_deg * 3600 < 120
    assert image.freq_hz == pytest.approx(band_frequencies_hz()[8::16].mean())


def test_fits(tmp_path):
    ms = PredictedMs(tmp_path / "a.ms", [(0.2, 0.1)], [1.0], n_times=2)
    image = dirty_image(ms.path, 512, CELL * ARCSEC)
    path = tmp_path / "a.fits"
    image.write(path)
    cards = fits.getheader(path)
    x, y, *_ = WCS(cards).all_world2pix(
        ms.sources.ra_deg[0], ms.sources.dec_deg[0], cards["CRVAL3"], cards["CRVAL4"], 0
    )
    peak = find_peak(read_image(path).pixels, float(x), float(y))
    assert CELL * np.hypot(peak.x - x, peak.y - y) < 0.05
    assert "natural weighting" in str(cards["HISTORY"])
    with pytest.raises(OutputExistsError):
        image.write(path)


def test_rms_is_robust(tmp_path):
    ms = PredictedMs(tmp_path / "a.ms", [(0.0, 0.0)], [1.0], n_times=2)
    noise = np.random.default_rng(1).normal(0.0, 0.5, (256, 256)).astype(np.float32)
    noise[100, 100] = 1e6
    image = dirty_image(ms.path, 256, CELL * ARCSEC)
    image.image[:] = noise
    assert image.rms_jy == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(("n_pixels", "cell_rad"), [(31, 1e-5), (33, 1e-5), (16, 1e-5), (64, 0.0), (1024, 6.0)])
def test_impossible_pixels(tmp_path, n_pixels, cell_rad):
    with pytest.raises(UsageError):
        dirty_image(tmp_path / "a.ms", n_pixels, cell_rad)


def test_nothing_good_to_image(tmp_path):
    ms = PredictedMs(tmp_path / "a.ms", [(0.0, 0.0)], [1.0], n_times=1)
    ms.change("FLAG", np.ones_like)
    with pytest.raises(MeasurementSetError, match="no good visibility"):
        dirty_image(ms.path, 64, CELL * ARCSEC)
