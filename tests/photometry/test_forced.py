"""Forced measurements against the sky that was put in: bias, errors, limits, flags."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from dsa110_contimg.config.settings import PhotometrySettings
from dsa110_contimg.errors import UsageError
from dsa110_contimg.images.fits import RestoringBeam, celestial_wcs
from dsa110_contimg.photometry.forced import About, Planes, measure
from dsa110_contimg.photometry.forced_places import places_at
from dsa110_contimg.photometry.measurements import SCHEMA, Flag
from dsa110_contimg.telescope.transits import SIDEREAL_DAY
from restored_image import BEAM, Source, header_of, noise, restored, scattered

N = 512
RMS_JY = 1e-3
SETTINGS = PhotometrySettings(workers=1)
ABOUT = About("", "2025-10-05T12:00:00", "group")
MOSAIC = About("20251005T120000+54.6", "20251005T120000+54.6", "mosaic", beam_version="airy")


def columns(table):
    return {name: table[name].to_numpy() for name in table.column_names}


def rows_of(places, table):
    """Which of the places the rows are of."""
    number = {one: k for k, one in enumerate(places.source_id.tolist())}
    return np.array([number[one] for one in table["source_id"].to_pylist()], int)


def pairs(header, separation_beams, count, seed):
    """Places (2 count, 2) of neighbours, so many beams apart, in any direction."""
    first = scattered(N, header, count, seed)
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, count)
    step = separation_beams * np.stack(
        [np.sin(angle) * BEAM.minor_deg / np.cos(np.radians(header.dec_deg)), np.cos(angle) * BEAM.major_deg], -1
    )
    return np.concatenate([first, first + step])


@pytest.mark.parametrize("smoothed", [0.0, 4.0])
def test_fluxes_are_unbiased_and_their_errors_true(smoothed):
    header = header_of(N)
    pulls, ratios, chi2 = [], [], []
    for seed in range(4):
        places = scattered(N, header, 100, seed)
        flux = RMS_JY * 10 ** np.random.default_rng(seed).uniform(-0.5, 2.5, len(places))
        sky = restored(N, [Source(*place, one) for place, one in zip(places, flux, strict=True)], 0.0, header)
        # As a dirty image has it, or smoothed on top of that.
        rough = gaussian_filter(noise(N, header, seed + 10), smoothed)
        image = Planes((sky.pixels + RMS_JY * rough / rough.std()).astype(np.float32), header)
        asked = places_at(*places.T, flux)
        table = measure(image, asked, MOSAIC, SETTINGS)
        found, true = columns(table), flux[rows_of(asked, table)]
        assert table.schema.equals(SCHEMA, check_metadata=True)
        assert len(true) == 100
        pulls.append((found["flux"] - true) / found["e_flux"])
        bright = true > 20 * RMS_JY
        ratios.append(found["flux"][bright] / true[bright] - 1.0)
        chi2.append(found["chi2"])
    pulls, ratios = np.concatenate(pulls), np.concatenate(ratios)
    assert abs(pulls.mean()) < 4.0 / np.sqrt(pulls.size)
    assert pulls.std() == pytest.approx(1.0, abs=0.12)
    assert abs(np.mean(ratios)) < 0.005
    assert np.mean(np.concatenate(chi2)) == pytest.approx(1.0, abs=0.1)
    error = np.median(found["e_flux"] / found["rms"])
    # The root of 4/3 for noise that is correlated as the beam is; more where that was smoothed.
    assert error == pytest.approx(np.sqrt(4 / 3), rel=0.03) if not smoothed else error > 1.25


def test_neighbours_are_fitted_together_and_their_errors_are_true():
    header = header_of(N)
    pulls, alone = [], []
    for seed in range(6):
        places = pairs(header, 0.8, 36, seed)
        flux = np.repeat([0.03, 0.01], 36)
        image = restored(
            N, [Source(*place, one) for place, one in zip(places, flux, strict=True)], RMS_JY, header, seed
        )
        asked = places_at(*places.T, flux)
        table = measure(Planes(image.pixels, header), asked, MOSAIC, SETTINGS)
        found = columns(table)
        assert (found["neighbours"] == 1).all()
        assert (found["flags"] & Flag.BLEND).all()
        pulls.append((found["flux"] - flux[rows_of(asked, table)]) / found["e_flux"])
        # Measured as if there were no other, they take of it.
        first = places_at(*places[:36].T, flux[:36])
        alone.append(columns(measure(Planes(image.pixels, header), first, MOSAIC, SETTINGS))["flux"].mean())
    pulls = np.concatenate(pulls)
    assert abs(pulls.mean()) < 4.0 / np.sqrt(pulls.size)
    assert pulls.std() == pytest.approx(1.0, abs=0.12)
    assert np.mean(alone) == pytest.approx(0.03 * 1.137, rel=0.01)


def test_what_a_bright_source_a_little_further_off_would_add_is_fitted_too():
    header = header_of(256)
    ra, dec = 129.0, 54.57
    near = dec + 2.3 * BEAM.major_deg * np.cos(np.radians(BEAM.pa_deg))
    asked = places_at([ra, ra], [dec, near], [1e-3, 3.0])
    image = restored(256, [Source(ra, dec, 1e-3), Source(ra, near, 3.0)], 0.0, header)
    image = image.pixels + 1e-5 * noise(256, header, 1)
    found = columns(measure(Planes(image.astype(np.float32), header), asked, MOSAIC, SETTINGS))
    assert found["neighbours"].tolist() == [1, 1]
    np.testing.assert_allclose(found["flux"], [1e-3, 3.0], rtol=0.05)


def test_of_two_places_that_are_one_to_the_image_the_brighter_is_measured():
    header = header_of(128)
    asked = places_at([129.0, 129.0], [54.57, 54.57 + 2.0 / 3600.0], [0.01, 0.02])
    image = restored(128, [Source(129.0, 54.57, 0.03)], RMS_JY, header)
    table = measure(Planes(image.pixels, header), asked, MOSAIC, SETTINGS)
    assert rows_of(asked, table).tolist() == [1]


def test_the_primary_beam_is_corrected_for_and_its_error_given():
    header = header_of(256)
    pb = np.broadcast_to(np.linspace(0.05, 1.0, 256), (256, 256))
    x = np.array([40.0, 100.0, 200.0])
    ra, dec = celestial_wcs(header, (256, 256)).all_pix2world(x, np.full(3, 128.0), 0)
    seen = np.interp(x, np.arange(256), pb[0])
    sources = [Source(a, d, 0.5 * s) for a, d, s in zip(ra, dec, seen, strict=True)]
    image = restored(256, sources, RMS_JY, header)
    asked = places_at(ra, dec, 0.5)
    table = measure(Planes(image.pixels, header, pb), asked, ABOUT, SETTINGS, lambda a, d: 0.02 + 0.0 * a * d)
    # Where the beam is below a fifth nothing is measured.
    assert rows_of(asked, table).tolist() == [k for k in (0, 1, 2) if seen[k] >= 0.2]
    found = columns(table)
    np.testing.assert_allclose(found["flux"], 0.5, atol=4 * found["e_flux"].max())
    np.testing.assert_allclose(found["pb"], seen[1:], rtol=1e-4)
    np.testing.assert_allclose(found["e_flux"] * found["pb"] / found["rms"], np.sqrt(4 / 3), rtol=0.03)
    np.testing.assert_allclose(found["e_beam"], 0.02 * found["flux"], rtol=1e-5)
    np.testing.assert_allclose(found["e_calibration"], 0.03 * found["flux"], rtol=1e-5)
    everything = np.sqrt(found["e_flux"] ** 2 + found["e_beam"] ** 2 + found["e_calibration"] ** 2)
    np.testing.assert_allclose(found["e_corrected"], everything, rtol=1e-5)
    assert (found["flags"] & Flag.UNSCALED).all()
    assert np.isnan(found["e_scale"]).all()
    assert (found["mjd"] == header.middle_mjd).all()


def test_noise_follows_the_map_that_a_mosaic_has_of_it():
    header = header_of(N)
    rms = np.broadcast_to(np.exp(np.linspace(-2.0, 0.0, N))[:, None] * RMS_JY, (N, N))
    image = (1.3 * rms * noise(N, header, 1)).astype(np.float32)
    asked = places_at(*scattered(N, header, 49).T)
    table = measure(Planes(image, header, rms=rms), asked, MOSAIC, SETTINGS)
    found, order = columns(table), rows_of(asked, table)
    y = celestial_wcs(header, (N, N)).all_world2pix(asked.ra_deg, asked.dec_deg, 0)[1][order]
    ratio = found["rms"] / rms[np.rint(y).astype(int), 0]
    np.testing.assert_allclose(ratio, 1.3, rtol=0.2)
    assert ratio.mean() == pytest.approx(1.3, rel=0.04)
    assert not (found["flags"] & Flag.HIGH_RMS).any()


def test_what_is_not_detected_has_a_limit():
    header = header_of(N)
    places = scattered(N, header, 64)
    flux = np.where(np.arange(64) % 2, 0.05, 0.0)
    sources = [Source(*place, one) for place, one in zip(places, flux, strict=True)]
    table = measure(Planes(restored(N, sources, RMS_JY, header).pixels, header), places_at(*places.T), MOSAIC, SETTINGS)
    found = columns(table)
    limited = (found["flags"] & Flag.UPPER_LIMIT) > 0
    assert limited.tolist() == (flux[rows_of(places_at(*places.T), table)] == 0).tolist()
    assert np.isnan(found["upper_limit"][~limited]).all()
    np.testing.assert_allclose(
        found["upper_limit"][limited], np.maximum(found["flux"], 0)[limited] + 3 * found["e_flux"][limited], rtol=1e-5
    )


def test_edges_blanks_and_noisy_corners_are_flagged():
    header = header_of(N)
    pixels = noise(N, header, 1) * RMS_JY
    pixels[300:, 300:] *= 6.0
    pixels[100:120, 100:120] = np.nan
    wcs = celestial_wcs(header, (N, N))
    x = np.array([256.0, 5.0, 124.0, 420.0, 110.0, 600.0])
    y = np.array([200.0, 256.0, 110.0, 420.0, 110.0, 256.0])
    asked = places_at(*wcs.all_pix2world(x, y, 0))
    table = measure(Planes(pixels.astype(np.float32), header), asked, MOSAIC, SETTINGS)
    found = dict(zip(rows_of(asked, table).tolist(), table["flags"].to_pylist(), strict=True))
    # What is on a blank pixel, or outside, has no row.
    assert sorted(found) == [0, 1, 2, 3]
    assert [found[k] & (Flag.EDGE | Flag.HIGH_RMS) for k in range(4)] == [0, Flag.EDGE, Flag.EDGE, Flag.HIGH_RMS]


def test_what_was_judged_bad_is_said_in_every_row():
    header = header_of(128)
    image = Planes(restored(128, [], RMS_JY, header).pixels, header)
    about = ABOUT._replace(
        bad_image=True, bad_epoch=True, epoch="20251005T120000+54.6", beam_version="airy", band="lower"
    )
    wide = places_at(129.0, 54.57)._replace(major_arcsec=np.array([30.0]))
    (row,) = measure(image, wide, about, SETTINGS).to_pylist()
    assert row["flags"] & (Flag.BAD_IMAGE | Flag.BAD_EPOCH | Flag.EXTENDED) == 8 | 64 | 32
    assert [row[name] for name in ("epoch", "image", "kind", "band", "beam_version")] == [
        *("20251005T120000+54.6", "2025-10-05T12:00:00", "group", "lower", "airy")
    ]


def test_sources_that_were_merged_into_others_are_not_measured():
    header = header_of(128)
    merged = places_at([129.0, 129.02], 54.57)._replace(same_as=np.array([0, 7]))
    table = measure(Planes(restored(128, [], RMS_JY, header).pixels, header), merged, ABOUT, SETTINGS)
    assert rows_of(merged, table).tolist() == [0]


def test_no_places_and_a_blank_image_are_no_error():
    header = header_of(64)
    image = Planes(np.full((64, 64), np.nan, np.float32), header)
    for places in (places_at([], []), places_at(129.0, 54.57), places_at(309.0, -54.57)):
        assert measure(image, places, ABOUT, SETTINGS).num_rows == 0


def test_an_image_that_is_elsewhere_is_measured_where_it_has_the_sources():
    header, asked = header_of(128), places_at(129.0, 54.57)
    east, north = 4.0 / 3600.0 / np.cos(np.radians(54.57)), -3.0 / 3600.0
    image = Planes(restored(128, [Source(129.0 + east, 54.57 + north, 0.5)], 1e-5, header).pixels, header)
    (row,) = measure(image, asked, ABOUT._replace(offset_arcsec=(4.0, -3.0)), SETTINGS).to_pylist()
    assert row["flux"] == pytest.approx(0.5, rel=1e-3)
    (row,) = measure(image, asked, ABOUT, SETTINGS).to_pylist()
    # About half of the 4 per cent that the pixel would lose.
    assert 0.97 < row["flux"] / 0.5 < 0.985


def test_in_a_mosaic_sources_were_seen_as_they_crossed_the_meridian():
    header = header_of(128)._replace(start_mjd=60953.48, middle_mjd=60953.5, end_mjd=60953.52)
    ra = 129.0 + np.array([-0.1, 0.0, 0.1])
    found = measure(Planes(noise(128, header, 1).astype(np.float32), header), places_at(ra, 54.57), MOSAIC, SETTINGS)
    later = np.array(found["mjd"].to_pylist())[np.argsort(rows_of(places_at(ra, 54.57), found))] - 60953.5
    np.testing.assert_allclose(later, np.array([-0.1, 0.0, 0.1]) / 360.0 * SIDEREAL_DAY, atol=1e-9)


def test_far_from_its_centre_a_mosaic_squeezes_the_beam():
    header = header_of(64)._replace(cell_deg=20.0 / 3600.0, beam=RestoringBeam(80.0 / 3600.0, 80.0 / 3600.0, 0.0))
    n, away_deg = 5200, 14.0
    ra = 129.0 + away_deg / np.cos(np.radians(54.57))
    wcs = celestial_wcs(header, (n, n))
    x, y = (float(value) for value in wcs.all_world2pix(ra, 54.57, 0))
    pixels = np.full((n, n), np.nan, np.float32)
    row, column = round(y), round(x)
    window = np.s_[row - 40 : row + 41, column - 40 : column + 41]
    rows, columns_ = np.mgrid[window]
    a, d = wcs.all_pix2world(columns_, rows, 0)
    east, north = (a - ra) * np.cos(np.radians(d)) * 3600.0, (d - 54.57) * 3600.0
    scale = 4 * np.log(2) / 80.0**2
    grain = np.random.default_rng(1).normal(0, 1e-4, east.shape)
    pixels[window] = np.exp(-scale * (east**2 + north**2)) + grain
    (row,) = measure(Planes(pixels, header), places_at(ra, 54.57), MOSAIC, SETTINGS).to_pylist()
    assert row["flux"] == pytest.approx(1.0, abs=2e-3)


@given(st.floats(0.1, 10.0), st.floats(-5e-3, 5e-3))
@hypothesis_settings(max_examples=15, deadline=None)
def test_a_flux_is_linear_in_the_image(factor, added):
    header = header_of(64)
    image = restored(64, [Source(129.0, 54.57, 0.02)], RMS_JY, header).pixels
    more = restored(64, [Source(129.0, 54.57, added)], 0.0, header).pixels

    def flux(pixels):
        return measure(Planes(pixels, header), places_at(129.0, 54.57), MOSAIC, SETTINGS)["flux"][0].as_py()

    assert flux((factor * image + more).astype(np.float32)) == pytest.approx(factor * flux(image) + added, abs=2e-5)


def test_planes_of_other_shapes_and_an_image_without_a_beam_are_refused():
    header = header_of(64)
    pixels = np.zeros((64, 64), np.float32)
    with pytest.raises(UsageError, match="primary beam"):
        measure(Planes(pixels, header, np.ones((32, 32))), places_at(129.0, 54.57), ABOUT, SETTINGS)
    with pytest.raises(UsageError, match="no beam"):
        measure(Planes(pixels, header._replace(beam=RestoringBeam(0, 0, 0))), places_at(129.0, 54.57), ABOUT, SETTINGS)
