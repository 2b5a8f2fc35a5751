import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import (
    HeaderKeyError,
    HeaderValueError,
    OutputError,
    OutputExistsError,
    UnreadableFileError,
    UsageError,
)
from dsa110_contimg.images.fits import (
    Card,
    ImageHeader,
    RestoringBeam,
    celestial_wcs,
    fits_header,
    read_cutout,
    read_image,
    write_image,
    write_plane,
)

HEADER = ImageHeader(
    ra_deg=83.766607746,
    dec_deg=54.558614720,
    cell_deg=6 / 3600,
    freq_hz=1.405e9,
    bandwidth_hz=187.5e6,
    start_mjd=60953.520833333,
    middle_mjd=60953.522623,
    end_mjd=60953.524413,
    beam=RestoringBeam(0.018, 0.0135, -14.0),
    telescope="OVRO_MMA",
)


def pixels(n_dec=40, n_ra=64):
    return np.arange(n_dec * n_ra, dtype=np.float32).reshape(n_dec, n_ra)


def test_round_trip(tmp_path):
    path = tmp_path / "a.fits"
    write_image(path, pixels(), HEADER, ["first", "second"])
    image = read_image(path)
    assert np.array_equal(image.pixels, pixels())
    assert image.header.beam == HEADER.beam
    assert (image.header.telescope, image.header.unit) == ("OVRO_MMA", "JY/BEAM")
    assert image.header[:8] == pytest.approx(HEADER[:8], rel=1e-14)
    assert image.history == ("first", "second")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.fits"]


def test_what_others_read(tmp_path):
    path = tmp_path / "a.fits"
    write_image(path, pixels(), HEADER)
    with fits.open(path) as hdus:
        hdus.verify("exception")
        cards, planes = hdus[0].header, hdus[0].data
        assert planes.shape == (1, 1, 40, 64)
        assert planes.dtype.kind == "f"
    assert cards["BITPIX"] == -32
    assert [cards[f"CTYPE{k}"] for k in (1, 2, 3, 4)] == ["RA---SIN", "DEC--SIN", "FREQ", "STOKES"]
    assert (cards["BUNIT"], cards["RADESYS"], cards["EQUINOX"]) == ("JY/BEAM", "ICRS", 2000.0)
    assert (cards["TIMESYS"], cards["DATE-OBS"]) == ("UTC", "2025-10-05T12:30:00.000")
    assert cards["MJD-OBS"] == pytest.approx(60953.520833333, abs=1e-9)
    assert cards["CDELT1"] < 0 < cards["CDELT2"]
    assert (cards["BMAJ"], cards["BMIN"], cards["BPA"]) == (0.018, 0.0135, -14.0)
    assert (cards["RESTFRQ"], cards["CRVAL3"], cards["TELESCOP"]) == (1.405e9, 1.405e9, "OVRO_MMA")


def test_astropy_reads_the_same_world(tmp_path):
    path = tmp_path / "a.fits"
    write_image(path, pixels(), HEADER)
    world = WCS(fits.getheader(path))
    assert world.celestial.wcs.radesys == "ICRS"
    centre = world.all_pix2world(32, 20, 0, 0, 0)
    assert [float(value) for value in centre] == pytest.approx([HEADER.ra_deg, HEADER.dec_deg, 1.405e9, 1.0])
    ours = celestial_wcs(HEADER, (40, 64)).all_pix2world(5, 31, 0)
    assert np.allclose(world.celestial.all_pix2world(5, 31, 0), ours, rtol=0, atol=1e-10)


@given(
    ra_deg=st.floats(0, 359.99),
    dec_deg=st.floats(-85, 85),
    x=st.floats(-0.02, 0.02),
    y=st.floats(-0.02, 0.02),
)
def test_pixels_are_direction_cosines(ra_deg, dec_deg, x, y):
    """SIN projection (Greisen & Calabretta 2002): x, y are l, m of the direction; right ascension grows to the left."""
    wcs = celestial_wcs(HEADER._replace(ra_deg=ra_deg, dec_deg=dec_deg), (64, 64))
    scale = np.radians(HEADER.cell_deg)
    ra, dec = np.radians(wcs.all_pix2world(32 - x / scale, 32 + y / scale, 0))
    ra0, dec0 = np.radians([ra_deg, dec_deg])
    assert np.cos(dec) * np.sin(ra - ra0) == pytest.approx(x, abs=1e-12)
    assert np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra - ra0) == pytest.approx(y, abs=1e-12)


def test_an_image_is_replaced_only_when_told(tmp_path):
    path = tmp_path / "a.fits"
    write_image(path, pixels(), HEADER)
    with pytest.raises(OutputExistsError):
        write_image(path, 2 * pixels(), HEADER)
    assert np.array_equal(read_image(path).pixels, pixels())
    write_image(path, 2 * pixels(), HEADER, overwrite=True)
    assert np.array_equal(read_image(path).pixels, 2 * pixels())


def test_no_directory_to_write_in(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_image(tmp_path / "file" / "a.fits", pixels(), HEADER)


def test_a_cube_is_no_image(tmp_path):
    with pytest.raises(UsageError, match="two axes"):
        write_image(tmp_path / "a.fits", np.zeros((2, 3, 4), np.float32), HEADER)


def test_long_history_is_folded():
    cards = fits_header(HEADER, (4, 4), ["x" * 200])
    assert "".join(str(line) for line in cards["HISTORY"]) == "x" * 200


def test_what_is_no_image_is_refused(tmp_path):
    path = tmp_path / "a.fits"
    path.write_text("no FITS")
    with pytest.raises(UnreadableFileError):
        read_image(path)
    fits.PrimaryHDU(pixels()).writeto(path, overwrite=True)
    with pytest.raises(HeaderValueError):
        read_image(path)
    cards = fits_header(HEADER, (40, 64))
    del cards["BMAJ"]
    fits.PrimaryHDU(pixels()[None, None], cards).writeto(path, overwrite=True)
    with pytest.raises(HeaderKeyError, match="BMAJ"):
        read_image(path)


def test_a_plane_goes_into_a_directory_that_is_published_later(tmp_path):
    path = tmp_path / "a.fits"
    write_plane(path, pixels(), HEADER)
    write_plane(path, 3 * pixels(), HEADER)
    assert np.array_equal(read_image(path).pixels, 3 * pixels())
    with pytest.raises(UsageError, match="two axes"):
        write_plane(path, np.zeros(3), HEADER)
    with pytest.raises(OutputError):
        write_plane(tmp_path / "missing" / "a.fits", pixels(), HEADER)


def test_exposure_band_and_other_cards_are_kept(tmp_path):
    cards = (Card("GROUP", "2025-10-05T12:30:00", "group id"), Card("CALSTALE", True), Card("IMTHERM", float("nan")))
    header = HEADER._replace(exposure_s=280.5, target="3C147", cards=cards)
    path = tmp_path / "a.fits"
    write_plane(path, pixels(), header, ["made"])
    raw = fits.getheader(path)
    assert (raw["EXPTIME"], raw["DURATION"], raw["RESTBW"], raw["BTYPE"]) == (280.5, 280.5, 187.5e6, "Intensity")
    read = read_image(path).header
    assert (read.exposure_s, read.target) == (280.5, "3C147")
    assert read.cards == cards[:2]
    long = fits_header(HEADER._replace(cards=(Card("IMAGED", "x" * 90, "a beam"), Card("A", "y" * 60, "said"))), (4, 4))
    assert (long["IMAGED"], long["A"]) == ("x" * 66, "y" * 60)
    assert "CONTINUE" not in long.tostring()
    assert fits_header(HEADER, (4, 4))["EXPTIME"] == pytest.approx((HEADER.end_mjd - HEADER.start_mjd) * 86400)


def test_the_file_of_a_primary_beam_is_found_however_long_its_name_is(tmp_path):
    path, name = tmp_path / "a.fits", "/beams" * 40 + "/beam-0001.json"
    write_plane(path, pixels(), HEADER._replace(cards=(Card("PBMODEL", name, "model of the primary beam"),)))
    assert read_image(path).header.cards[0].value == name


def test_a_cutout_knows_where_it_is(tmp_path):
    path = tmp_path / "a.fits"
    write_plane(path, pixels(), HEADER)
    ra, dec = (float(angle) for angle in celestial_wcs(HEADER, (40, 64)).all_pix2world(50, 12, 0))
    cutout = read_cutout(path, ra, dec, 10 * HEADER.cell_deg)
    assert np.array_equal(cutout.pixels, pixels()[7:18, 45:56])
    assert [float(value) for value in cutout.wcs.all_world2pix(ra, dec, 0)] == pytest.approx([5.0, 5.0], abs=1e-6)
    assert cutout.header.beam == HEADER.beam


def test_a_cutout_over_the_edge_is_blank_there(tmp_path):
    path = tmp_path / "a.fits"
    write_plane(path, pixels(), HEADER)
    ra, dec = (float(angle) for angle in celestial_wcs(HEADER, (40, 64)).all_pix2world(1, 39, 0))
    cutout = read_cutout(path, ra, dec, 10 * HEADER.cell_deg)
    assert np.array_equal(cutout.pixels[:6, 4:], pixels()[34:, :7])
    assert np.isnan(cutout.pixels[6:]).all()
    assert np.isnan(cutout.pixels[:, :4]).all()
    with pytest.raises(UsageError, match="not in the image"):
        read_cutout(path, HEADER.ra_deg, HEADER.dec_deg + 5.0, 0.1)
    with pytest.raises(UnreadableFileError):
        read_cutout(tmp_path / "missing.fits", ra, dec, 0.1)
