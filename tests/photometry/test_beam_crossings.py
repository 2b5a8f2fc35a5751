"""Which measurements count for the beam, and what is refused."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from beam_measurements import GROUP_DAYS, headers_of, observed
from dsa110_contimg.errors import BeamFitError, HeaderKeyError, NamingError, UnreadableFileError
from dsa110_contimg.images.fits import Card, write_plane
from dsa110_contimg.naming import compact, group_id_from_mjd, image_file_name, image_stem
from dsa110_contimg.photometry.beam_crossings import Known, band_headers, gather
from dsa110_contimg.photometry.measurements import Flag
from dsa110_contimg.telescope.beams import AiryBeam


@pytest.fixture(scope="module")
def seen():
    return observed(AiryBeam().power, n_groups=8, n_sources=80, noise_jy=1e-4, scale_scatter=0.0, outliers=0.0)


def flagged(table, flag):
    column = table.schema.get_field_index("flags")
    flags = np.where(np.arange(len(table)) % 2 == 0, int(flag), 0).astype(np.int32)
    return table.set_column(column, table.schema.field("flags"), pa.array(flags))


def test_what_was_seen_is_flux_times_beam(seen):
    table, headers, known = seen
    data = gather(table, headers, known)
    assert [one.band for one in data.bands] == ["lower", "upper"]
    assert data.pointing_dec_deg == 54.5734
    assert data.end_mjd - data.start_mjd == pytest.approx(8 * GROUP_DAYS)
    for one in data.bands:
        assert one.exactness == pytest.approx(1.0, abs=1e-5)
        flux = one.apparent_jy / one.way.mean_power(AiryBeam().power)
        clear = flux > 100 * one.noise_jy
        assert np.isin(data.source_id, known.source_id).all()
        for k in range(len(data.source_id)):
            of_source = flux[clear & (one.source == k)]
            assert of_source.size == 0 or np.ptp(of_source) < 0.05 * of_source.mean()


def test_catalogue_fluxes_are_brought_to_the_band(seen):
    table, headers, _ = seen
    ids = gather(table, headers).source_id[:2]
    known = Known(ids, np.ones(2), np.full(2, 0.1), np.full(2, 1.4e9), np.array([-2.0, np.nan]))
    lower, upper = gather(table, headers, known).bands
    assert lower.known_jy[:2] == pytest.approx([(1.358 / 1.4) ** -2.0, (1.358 / 1.4) ** -0.7])
    assert upper.known_jy[:2] == pytest.approx([(1.452 / 1.4) ** -2.0, (1.452 / 1.4) ** -0.7])
    assert upper.e_known[:2] == pytest.approx([0.1, 0.1])
    assert np.isnan(lower.known_jy[2:]).all()


@pytest.mark.parametrize("flag", [Flag.BLEND, Flag.BAD_IMAGE, Flag.EXTENDED, Flag.EDGE, Flag.BAD_EPOCH])
def test_what_is_unfit_is_left_out(seen, flag):
    table, headers, _ = seen
    count = sum(len(one.source) for one in gather(flagged(table, flag), headers).bands)
    assert count <= len(table) // 2
    kept = sum(len(one.source) for one in gather(flagged(table, Flag.UPPER_LIMIT | Flag.UNSCALED), headers).bands)
    assert kept > count


def test_names_of_groups_may_be_short_and_mosaics_are_passed_over(seen):
    table, headers, _ = seen
    short = [compact(name) for name in table["image"].to_pylist()]
    renamed = table.set_column(table.schema.get_field_index("image"), "image", pa.array(short))
    assert len(gather(renamed, headers).groups) == 8
    mosaics = table.set_column(table.schema.get_field_index("kind"), "kind", pa.array(["mosaic"] * len(table)))
    with pytest.raises(BeamFitError, match="no source"):
        gather(mosaics, headers)


def test_without_both_halves_the_whole_band_is_wanted(seen):
    table, headers, _ = seen
    half = table.filter(pc.equal(table["band"], "lower"))
    with pytest.raises(BeamFitError, match="no source"):
        gather(half, headers)


def test_a_group_may_lack_half_of_the_band(seen):
    table, headers, known = seen
    first = min(group for group, _ in headers)
    less = {key: header for key, header in headers.items() if key != (first, "lower")}
    rows = table.filter(pc.invert(pc.and_(pc.equal(table["image"], first), pc.equal(table["band"], "lower"))))
    data = gather(rows, less, known)
    assert len(data.groups) == 8
    assert data.end_mjd - data.start_mjd == pytest.approx(8 * GROUP_DAYS)
    bright = pc.and_(pc.equal(table["band"], "lower"), pc.is_in(table["source_id"], pa.array(data.source_id)))
    with pytest.raises(BeamFitError, match="lower half"):
        gather(table.filter(pc.invert(bright)), headers)


def test_images_that_do_not_go_together(seen):
    table, headers, _ = seen
    with pytest.raises(BeamFitError, match="no images"):
        gather(table, {})
    with pytest.raises(BeamFitError, match="different beams: airy, tapered"):
        gather(table, headers | headers_of(2, 54.5734, model="tapered", start=60960.0))
    with pytest.raises(BeamFitError, match=r"pointed to 16\.27"):
        gather(table, headers | headers_of(2, 16.27, start=60960.0))


def test_headers_of_files(tmp_path):
    header = headers_of(1, 54.5734)[group_id_from_mjd(60953.5), "lower"]
    group = group_id_from_mjd(header.start_mjd)
    full, lower = (tmp_path / image_file_name(image_stem(group, band), "image") for band in (None, "lower"))
    write_plane(full, np.zeros((2, 2)), header._replace(cards=(Card("PBMODEL", "tapered"),)))
    write_plane(lower, np.zeros((2, 2)), header)
    found = band_headers([full])
    assert sorted(band for _, band in found) == ["full", "lower"]
    assert found[group, "full"].cards[0].value == "tapered"
    with pytest.raises(NamingError):
        band_headers([tmp_path / "other.fits"])
    lower.write_text("not FITS")
    with pytest.raises(UnreadableFileError):
        band_headers([full])
    from astropy.io import fits

    fits.delval(full, "BMAJ")
    lower.unlink()
    with pytest.raises(HeaderKeyError, match="BMAJ"):
        band_headers([full])
