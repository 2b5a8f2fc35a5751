"""Sources that are put into images, found again: places, fluxes, shapes, and what is not there."""

import logging

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from dsa110_contimg.config.settings import CatalogueSettings
from dsa110_contimg.errors import UsageError
from dsa110_contimg.images.fits import write_image
from dsa110_contimg.photometry.finding import find_sources
from dsa110_contimg.photometry.sources import COLUMNS, FLAGS, values
from restored_image import BEAM, Source, header_of, plane, restored, scattered

RMS = 1e-3
EXACT = CatalogueSettings(flux_error=0.0, position_error_arcsec=0.0, workers=2)
N = 512


def even(value=RMS, n=N):
    return np.full((n, n), value, np.float32)


def separations(found, sources):
    """Offsets of each found source from the nearest true one to east and north [arcsec], and which that is."""
    true = SkyCoord([s.ra_deg for s in sources], [s.dec_deg for s in sources], unit="deg")
    places = SkyCoord(found["ra"], found["dec"])
    index = places.match_to_catalog_sky(true)[0]
    east, north = true[index].spherical_offsets_to(places)
    return east.arcsec, north.arcsec, index


@pytest.fixture(scope="module")
def field():
    """A lattice of points from 8 to 2000 sigma in noise, through a beam that falls to the sides."""
    header = header_of(N)
    east, north = plane(N)
    pb = np.exp(-4 * np.log(2) * (east**2 + north**2) / 2600.0**2).astype(np.float32)
    places = scattered(N, header, 49)
    flux = np.geomspace(8, 2000, len(places))[np.random.default_rng(5).permutation(len(places))] * RMS
    sources = [Source(*place, s) for place, s in zip(places, flux, strict=True)]
    image = restored(N, sources, RMS, header)
    return sources, pb, image, find_sources(image, pb, even(), EXACT)


def test_everything_that_is_there_and_seen_is_found_and_nothing_else(field):
    sources, pb, _, found = field
    east, north, index = separations(found, sources)
    assert np.hypot(east, north).max() < 12
    assert len(set(index)) == len(found)
    assert len(found) >= len(sources) - np.count_nonzero(pb[::8, ::8] < 0.1)
    assert found["pb"].min() > EXACT.least_beam
    assert list(found.colnames) == list(COLUMNS)


def test_places_and_fluxes_are_unbiased_and_as_good_as_said(field):
    sources, _, _, found = field
    east, north, index = separations(found, sources)
    true = np.array([s.flux_jy for s in sources])[index]
    strong = values(found, "snr") > 20
    for pull in (
        east / values(found, "e_ra"),
        north / values(found, "e_dec"),
        (values(found, "apparent") - true) / values(found, "e_apparent"),
        (values(found, "apparent_peak") - true) / values(found, "e_apparent_peak"),
    ):
        assert abs(np.mean(pull[strong])) < 0.6
        assert 0.5 < np.std(pull[strong]) < 1.6
    corrected = values(found, "flux") * values(found, "pb") / true
    assert np.average(corrected[strong], weights=values(found, "snr")[strong]) == pytest.approx(1.0, abs=0.01)
    assert np.median(corrected[strong]) == pytest.approx(1.0, abs=0.02)


def test_points_are_points(field):
    *_, found = field
    assert not found["resolved"].any()
    assert set(found["n_gaussians"]) == {1}
    strong = values(found, "snr") > 200
    assert values(found, "major")[strong] == pytest.approx(BEAM.major_deg * 3600, rel=0.02)
    assert values(found, "minor")[strong] == pytest.approx(BEAM.minor_deg * 3600, rel=0.02)


def test_fluxes_are_through_the_beam(field):
    *_, found = field
    assert values(found, "peak") * values(found, "pb") == pytest.approx(values(found, "apparent_peak"))
    assert values(found, "snr") == pytest.approx(values(found, "apparent_peak") / RMS, rel=1e-6)
    faint = values(found, "pb") < 0.2
    assert faint.any()
    assert all(("faint-beam" in flags) == is_faint for flags, is_faint in zip(found["flags"], faint, strict=True))
    assert set(",".join(found["flags"]).split(",")) <= {"", *FLAGS}


def test_what_the_table_says_of_the_image(field):
    *_, found = field
    assert found.meta["freq_hz"] == 1.405e9
    assert found.meta["beam_arcsec"] == pytest.approx([64.0, 38.0])
    assert found.meta["finder"].startswith("PyBDSF 1.")
    assert (np.diff(values(found, "ra")) >= 0).all()
    assert len(set(found["name"])) == len(found)


def test_across_ra_0h_near_the_pole_shapes_turn_with_the_sky():
    """At the corner of an image the meridian is not up: the table has position angles from the local north."""
    header = header_of(N, 0.05, 84.0)
    sources = [Source(ra, dec, 1.0, 80.0, 30.0, 50.0) for ra, dec in scattered(N, header, 9)]
    found = find_sources(restored(N, sources, RMS, header), None, even(), EXACT)
    east, north, index = separations(found, sources)
    assert len(set(index)) == len(found) == 9
    assert np.hypot(east, north).max() < 1.0
    assert {source > 180 for source in values(found, "ra")} == {False, True}
    assert found["resolved"].all()
    assert values(found, "flux") == pytest.approx(1.0, rel=0.03)
    found = found[found["flags"] == ""]  # a bump of noise may be taken for a part of a source
    assert len(found) >= 7
    assert values(found, "true_major") == pytest.approx(80.0, rel=0.03)
    assert values(found, "true_minor") == pytest.approx(30.0, rel=0.1)
    # The convergence of the meridians: (a - a0) sin(dec).
    turned = ((values(found, "ra") - 0.05 + 180) % 360 - 180) * np.sin(np.radians(values(found, "dec")))
    assert np.ptp(turned) > 5
    assert values(found, "true_pa") == pytest.approx(50.0 + turned, abs=2.0)


def test_noise_alone(caplog):
    image = restored(256, [], RMS)
    with caplog.at_level(logging.INFO):
        found = find_sources(image, None, even(n=256), EXACT)
    assert len(found) == 0
    assert found["flux"].unit == "Jy"
    assert not caplog.records  # PyBDSF is not even started


def test_its_own_noise_and_a_file(tmp_path):
    """Without a map of the noise PyBDSF makes one; nothing is left beside the image."""
    header = header_of(N)
    sources = [Source(*place, 0.05) for place in scattered(N, header, 9)]
    image = restored(N, sources, RMS, header)
    image.pixels[:, :180] = np.nan
    write_image(tmp_path / "field.fits", image.pixels, header)
    found = find_sources(tmp_path / "field.fits", None, None, EXACT)
    assert len(found) == 6
    assert values(found, "rms") == pytest.approx(RMS, rel=0.25)
    assert found.meta["image"] == "field.fits"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["field.fits"]


def test_calibration_has_its_share_of_the_errors_and_ends_are_told():
    header = header_of(256)
    edge = scattered(256, header, 1, margin=120)[0]
    image = restored(256, [Source(*edge, 1.0)], RMS, header)
    image.pixels[:, 140:] = np.nan
    settings = CatalogueSettings(flux_error=0.05, position_error_arcsec=0.3, workers=1)
    (row,) = find_sources(image, None, even(n=256), settings)
    assert row["e_flux"].value == pytest.approx(0.05, rel=0.03)
    assert row["e_ra"].to_value("arcsec") == pytest.approx(0.3, rel=0.02)
    assert row["e_apparent"].value < 0.01
    assert row["flags"] == "edge"


def test_planes_of_other_shapes_and_images_without_a_beam():
    image = restored(128, [], RMS)
    with pytest.raises(UsageError, match="pixels"):
        find_sources(image, None, even(n=64), EXACT)
    header = image.header._replace(beam=BEAM._replace(minor_deg=0.0))
    with pytest.raises(UsageError, match="no beam"):
        find_sources(image._replace(header=header), None, None, EXACT)
