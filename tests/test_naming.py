from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dsa110_contimg import naming
from dsa110_contimg.errors import NamingError

utc_times = st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))
whole_times = utc_times.map(lambda time: time.replace(microsecond=0))
group_ids = st.builds(
    lambda time, suffix: naming.group_id(time) + suffix,
    whole_times,
    st.sampled_from(["", *"bcdefghijklmnopqrstuvwxyz"]),
)
subbands = st.integers(0, 15)
sources = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


class TestGroupIds:
    def test_is_the_start_in_utc(self):
        start = datetime(2025, 10, 5, 5, 30, tzinfo=timezone(timedelta(hours=-7)))
        assert naming.group_id(start) == "2025-10-05T12:30:00"

    @pytest.mark.parametrize(
        ("microsecond", "gid"), [(499_999, "2025-10-05T23:59:59"), (500_000, "2025-10-06T00:00:00")]
    )
    def test_rounds_half_up_to_the_second(self, microsecond, gid):
        start = datetime(2025, 10, 5, 23, 59, 59, microsecond, tzinfo=UTC)
        assert naming.group_id(start) == gid

    def test_from_mjd(self):
        assert naming.group_id_from_mjd(60953.0) == "2025-10-05T00:00:00"
        assert naming.group_id_from_mjd(60953 + (12.5 * 3600 + 0.499) / 86400) == "2025-10-05T12:30:00"
        assert naming.group_id_from_mjd(60953 + (12.5 * 3600 + 0.501) / 86400) == "2025-10-05T12:30:01"

    @given(whole_times)
    def test_mjd_and_datetime_agree(self, time):
        since = time - datetime(1858, 11, 17, tzinfo=UTC)
        assert naming.group_id_from_mjd(since / timedelta(days=1)) == naming.group_id(time)

    @pytest.mark.parametrize("mjd", [float("nan"), float("inf"), -1e9, 1e9])
    def test_an_mjd_outside_the_calendar_has_no_group(self, mjd):
        with pytest.raises(NamingError):
            naming.group_id_from_mjd(mjd)

    def test_the_last_half_second_of_the_calendar_has_no_group(self):
        with pytest.raises(NamingError):
            naming.group_id(datetime.max.replace(tzinfo=UTC))

    @given(whole_times)
    def test_start_and_back(self, time):
        assert naming.group_start(naming.group_id(time)) == time

    @given(group_ids)
    def test_compact_and_back(self, gid):
        assert naming.expand(naming.compact(gid)) == gid
        assert ":" not in naming.compact(gid)

    def test_compact_keeps_the_suffix(self):
        assert naming.compact("2025-10-05T12:30:00b") == "20251005T123000b"
        assert naming.group_start("2025-10-05T12:30:00b") == datetime(2025, 10, 5, 12, 30, tzinfo=UTC)

    @given(st.lists(group_ids, min_size=2, max_size=2, unique=True))
    def test_order_is_kept_by_the_compact_form(self, pair):
        assert (pair[0] < pair[1]) == (naming.compact(pair[0]) < naming.compact(pair[1]))

    def test_groups_with_the_same_start_are_b_c_to_z(self):
        gid = "2025-10-05T12:30:00"
        for suffix in "bcdefghijklmnopqrstuvwxyz":
            gid = naming.next_group_id(gid)
            assert gid == f"2025-10-05T12:30:00{suffix}"
        with pytest.raises(NamingError):
            naming.next_group_id(gid)

    @pytest.mark.parametrize(
        "wrong",
        [
            "",
            "2025-10-05",
            "2025-10-05 12:30:00",
            "2025-13-05T12:30:00",
            "2025-10-05T12:30:00a",
            "2025-10-05T12:30:00\n",
        ],
    )
    def test_what_is_not_a_group_id(self, wrong):
        with pytest.raises(NamingError):
            naming.compact(wrong)

    @pytest.mark.parametrize("wrong", ["20251005", "20251305T123000", "20251005T123000a", "2025-10-05T12:30:00"])
    def test_what_is_not_compact(self, wrong):
        with pytest.raises(NamingError):
            naming.expand(wrong)

    def test_a_time_without_a_zone_is_refused(self):
        with pytest.raises(NamingError, match="time zone"):
            naming.group_id(datetime(2025, 10, 5))


class TestParseUtc:
    def test_no_offset_is_utc(self):
        assert naming.parse_utc("2025-10-05T12:30:00") == datetime(2025, 10, 5, 12, 30, tzinfo=UTC)

    def test_an_offset_is_obeyed(self):
        assert naming.parse_utc("2025-10-05T05:30:00-07:00") == datetime(2025, 10, 5, 12, 30, tzinfo=UTC)

    def test_anything_else_is_refused(self):
        with pytest.raises(NamingError, match="yesterday"):
            naming.parse_utc("yesterday")


class TestSubbandNames:
    @given(utc_times, subbands, st.sampled_from([".hdf5", ".uvh5"]))
    def test_round_trip(self, time, subband, suffix):
        name = naming.subband_name(time, subband, suffix)
        assert naming.parse_subband_name(name) == (time, subband, suffix)

    @given(utc_times, subbands)
    def test_incomplete_and_back(self, time, subband):
        name = naming.subband_name(time, subband)
        incomplete = naming.incomplete_name(name)
        assert naming.is_incomplete(incomplete)
        assert not naming.is_incomplete(name)
        assert naming.complete_name(incomplete) == name
        with pytest.raises(NamingError, match="being written"):
            naming.parse_subband_name(incomplete)

    def test_as_the_telescope_writes_them(self):
        name = naming.parse_subband_name("2025-10-05T12:30:01_sb03.hdf5")
        assert name == (datetime(2025, 10, 5, 12, 30, 1, tzinfo=UTC), 3, ".hdf5")
        assert naming.incomplete_name("2025-10-05T12:30:01_sb03.hdf5") == "2025-10-05T12:30:01_sb03_incomplete.hdf5"

    def test_a_fraction_of_a_second(self):
        assert naming.parse_subband_name("2025-10-05T12:30:01.25_sb03.uvh5").time.microsecond == 250_000

    @pytest.mark.parametrize(
        "wrong",
        [
            ".2025-10-05T12:30:00_sb00.hdf5.Ab12Cd",
            ".2025-10-05T12:30:00_sb00.hdf5",
            "2025-10-05T12:30:00_sb00_spl.hdf5",
            "2025-10-05T12:30:00_sb00spl.hdf5",
            "2025-10-05T12:30:00_sb16.hdf5",
            "2025-10-05T12:30:00_sb0.hdf5",
            "2025-10-05T12:30:00_sb٠٠.hdf5",
            "2025-10-05T12:30:00_sb00.hdf5\n",
            "2025-10-05T12:30:00_sb00.hdf5.bak",
            "2025-10-05T12:30:00_sb00.h5",
            "2025-02-30T12:30:00_sb00.hdf5",
            "dir/2025-10-05T12:30:00_sb00.hdf5",
        ],
    )
    def test_what_is_not_a_subband_file(self, wrong):
        with pytest.raises(NamingError):
            naming.parse_subband_name(wrong)
        assert not naming.is_incomplete(wrong)

    def test_what_cannot_be_named(self):
        time = datetime(2025, 10, 5, tzinfo=UTC)
        with pytest.raises(NamingError, match="16"):
            naming.subband_name(time, 16)
        with pytest.raises(NamingError, match="h5"):
            naming.subband_name(time, 0, ".h5")
        with pytest.raises(NamingError):
            naming.complete_name("2025-10-05T12:30:00_sb00.hdf5")

    @given(st.text(max_size=60))
    def test_any_text_is_read_or_refused(self, text):
        try:
            name = naming.parse_subband_name(text)
        except NamingError:
            return
        assert naming.parse_subband_name(naming.subband_name(*name)) == name


class TestMeasurementSetNames:
    @given(group_ids, st.none() | sources)
    def test_round_trip(self, gid, source):
        try:
            name = naming.ms_name(gid, source)
        except NamingError:
            assume(False)
        assert naming.parse_ms_name(name) == (gid, source)
        assert "/" not in name
        assert ":" not in name

    def test_as_they_are(self):
        gid = "2025-10-05T12:30:00"
        assert naming.ms_name(gid) == "20251005T123000.ms"
        assert naming.ms_name(gid, "3C286") == "20251005T123000_3C286.ms"
        assert naming.ms_name(gid, "0137+331") == "20251005T123000_0137+331.ms"
        assert naming.ms_name(gid, "Vir A_1/2") == "20251005T123000_Vir=20A=5F1=2F2.ms"

    @pytest.mark.parametrize("source", ["", "x" * 250, "é" * 90])
    def test_a_source_that_cannot_be_in_a_name(self, source):
        with pytest.raises(NamingError):
            naming.ms_name("2025-10-05T12:30:00", source)

    @pytest.mark.parametrize(
        "wrong",
        [
            "20251005T123000",
            "20251005T123000_.ms",
            "20251005T123000_a_b.ms",
            "20251005T123000_a=5f.ms",
            "20251005T123000_a=41.ms",
            "20251005T123000_=C3.ms",
            "20251305T123000.ms",
            "2025T1005123000.ms",
        ],
    )
    def test_what_is_not_one_of_ours(self, wrong):
        with pytest.raises(NamingError):
            naming.parse_ms_name(wrong)


class TestPartialNames:
    attempts = st.from_regex(r"(?![0-9]{2}\.[0-9]-)[A-Za-z0-9_.-]+", fullmatch=True) | st.integers(0, 99)

    @given(group_ids, attempts)
    def test_round_trip(self, gid, attempt):
        assert naming.parse_partial_name(naming.partial_name(gid, attempt)) == (gid, str(attempt))

    @given(whole_times, st.integers(-900, 900), attempts)
    def test_of_epochs(self, start, tenths, attempt):
        epoch = naming.epoch_id(start, naming.strip_name(tenths / 10))
        assert naming.in_paths(epoch) == epoch
        assert naming.parse_partial_name(naming.partial_name(epoch, attempt)) == (epoch, str(attempt))

    def test_an_attempt_that_looks_like_a_strip(self):
        with pytest.raises(NamingError):
            naming.partial_name("2025-10-05T12:30:00", "05.3-1")

    def test_as_they_are(self):
        assert naming.partial_name("2025-10-05T12:30:00", 3) == ".partial-20251005T123000-3"

    @pytest.mark.parametrize("wrong", ["", "a/b", "a b", "a\n"])
    def test_an_attempt_that_cannot_be_in_a_name(self, wrong):
        with pytest.raises(NamingError):
            naming.partial_name("2025-10-05T12:30:00", wrong)

    @pytest.mark.parametrize("wrong", [".partial-20251005T123000-", "partial-20251005T123000-1", ".partial-2025-1"])
    def test_what_is_not_one_of_ours(self, wrong):
        with pytest.raises(NamingError):
            naming.parse_partial_name(wrong)


class TestCalibrationSets:
    @given(group_ids, sources, st.from_regex(r"[A-Za-z0-9.-]{1,12}", fullmatch=True))
    def test_name_and_back(self, gid, source, version):
        try:
            name = naming.calibration_name(gid, source, version)
        except NamingError:
            assume(False)
        assert naming.parse_calibration_name(name) == (gid, source, version)

    def test_looks_like_its_group(self):
        assert naming.calibration_name("2025-10-05T12:30:00", "3C286", 7) == "20251005T123000_3C286_7.cal"

    @pytest.mark.parametrize(
        "name", ["20251005T123000_3C286.cal", "20251005T123000_3C286_7.ms", "x_y_z.cal", "2_=zz_1.cal"]
    )
    def test_other_names_are_refused(self, name):
        with pytest.raises(NamingError):
            naming.parse_calibration_name(name)

    @pytest.mark.parametrize(("source", "version"), [("", 1), ("3C286", ""), ("3C286", "a_b"), ("x" * 300, 1)])
    def test_what_cannot_be_named(self, source, version):
        with pytest.raises(NamingError):
            naming.calibration_name("2025-10-05T12:30:00", source, version)


class TestImages:
    @given(group_ids, st.sampled_from(naming.ImageKind), st.none() | st.sampled_from(naming.Band))
    def test_name_and_back(self, gid, kind, band):
        name = naming.image_name(gid, kind, band)
        assert naming.parse_image_name(name) == (gid, kind, band, None)
        assert name.startswith(naming.image_stem(gid, band))

    @given(group_ids)
    def test_directory_and_back(self, gid):
        assert naming.parse_images_name(naming.images_name(gid)) == gid

    def test_as_they_are(self):
        gid = "2025-10-05T12:30:00"
        assert naming.images_name(gid) == "20251005T123000-images"
        assert naming.image_name(gid, "pbcor") == "20251005T123000-pbcor.fits"
        assert naming.image_name(gid, "image", "upper") == "20251005T123000-upper-image.fits"
        assert naming.image_name(gid, "image", None, 2) == "20251005T123000-0002-image.fits"
        assert naming.parse_image_name("20251005T123000-lower-0011-psf.fits") == (gid, "psf", "lower", 11)
        assert naming.image_record_name(naming.image_stem(gid, "lower")) == "20251005T123000-lower-image.json"

    @pytest.mark.parametrize(("gid", "kind", "band"), [("x", "image", None), ("2025-10-05T12:30:00", "jpg", None)])
    def test_what_cannot_be_named(self, gid, kind, band):
        with pytest.raises(NamingError):
            naming.image_name(gid, kind, band)

    @pytest.mark.parametrize("name", ["20251005T123000-dirty.fits", "20251005T123000-middle-image.fits", "image.fits"])
    def test_other_names_are_refused(self, name):
        with pytest.raises(NamingError):
            naming.parse_image_name(name)
        with pytest.raises(NamingError):
            naming.parse_images_name(name)


class TestFastPlots:
    @given(
        st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True),
        st.sampled_from(naming.PlotKind),
        st.none() | st.sampled_from(naming.Plotted),
    )
    def test_name_and_back(self, stem, kind, visibilities):
        assume(not stem.endswith(".ms"))
        name = naming.fast_plot_name(f"{stem}.ms", kind, visibilities)
        assert naming.parse_fast_plot_name(name) == (stem, visibilities, kind)

    def test_as_they_are(self):
        assert naming.fast_plot_name("20251005T123000.ms", "flags") == "20251005T123000-plot-flags.png"
        name = naming.fast_plot_name("20251005T123000.ms", "amplitude-uv", "data")
        assert name == "20251005T123000-plot-data-amplitude-uv.png"

    @pytest.mark.parametrize(("kind", "visibilities"), [("closure", None), ("flags", "weight")])
    def test_what_cannot_be_named(self, kind, visibilities):
        with pytest.raises(NamingError):
            naming.fast_plot_name("a.ms", kind, visibilities)

    @pytest.mark.parametrize("name", ["a-plot-closure.png", "a-plot-flags.jpg", "flags.png"])
    def test_other_names_are_refused(self, name):
        with pytest.raises(NamingError):
            naming.parse_fast_plot_name(name)


class TestQuicklooks:
    def test_names_are_read_back(self):
        name = naming.quicklook_name("ragavi", "corrected", "phase", "time")
        assert name == "ragavi-corrected-phase-time.html"
        assert naming.parse_quicklook_name(name) == ("ragavi", naming.Plotted.CORRECTED, "phase", "time")

    @pytest.mark.parametrize("name", ["shadems-data-phase-time.html", "shadems-data-phase-u.png", "x.png"])
    def test_others_are_refused(self, name):
        with pytest.raises(NamingError):
            naming.parse_quicklook_name(name)

    def test_what_cannot_be_drawn_has_no_name(self):
        with pytest.raises(NamingError):
            naming.quicklook_name("shadems", "data", "delay", "time")

    @given(
        table=st.text(min_size=1, max_size=20).filter(lambda text: not text.endswith(".tab")), number=st.integers(1, 99)
    )
    def test_pages_of_gains_are_read_back(self, table, number):
        assert naming.parse_gains_page_name(naming.gains_page_name(f"{table}.tab", number)) == (table, number)

    @pytest.mark.parametrize("number", [0, -1])
    def test_pages_of_gains_count_from_1(self, number):
        with pytest.raises(NamingError):
            naming.gains_page_name("B.tab", number)
        with pytest.raises(NamingError):
            naming.parse_gains_page_name(f"ragavi-gains-{number}-B.html")

    def test_environments_of_tools(self):
        name = naming.tool_environment_name("shadems", "0123456789ab")
        assert naming.parse_tool_environment_name(name) == ("shadems", "0123456789ab")
        for wrong in ("shadems", "shadems-0123456789AB", ".lock-shadems"):
            with pytest.raises(NamingError):
                naming.parse_tool_environment_name(wrong)
        with pytest.raises(NamingError):
            naming.tool_environment_name("shade/ms", "0123456789ab")


# -- staging -----------------------------------------------------------------------------------------------------------


@given(st.sampled_from(naming.StagingStep), st.text("0123456789abcdef", min_size=16, max_size=16))
def test_hidden_entries_of_staging_come_back(step, key):
    name = naming.staging_name(step, key)
    assert name.startswith(".scratch-")
    assert naming.parse_staging_name(name) == (step, key)


@pytest.mark.parametrize("name", [".scratch-copying", ".scratch-eating-0123456789abcdef", ".scratch-records", "x"])
def test_no_hidden_entry_of_staging(name):
    with pytest.raises(NamingError):
        naming.parse_staging_name(name)
    with pytest.raises(NamingError):
        naming.staging_name("copying", name)


class TestEpochs:
    epochs = st.builds(
        naming.epoch_id, whole_times, st.integers(-900, 900).map(lambda tenths: naming.strip_name(tenths / 10))
    )

    @given(epoch=epochs, kind=st.sampled_from(naming.MosaicKind), band=st.sampled_from([None, *naming.Band]))
    def test_a_file_of_a_mosaic(self, epoch, kind, band):
        assert naming.parse_epoch_file_name(naming.epoch_file_name(epoch, kind, band)) == (epoch, kind, band)

    @given(version=st.integers(1, 10**6))
    def test_a_version_of_a_reference_list(self, version):
        assert naming.parse_reference_name(naming.reference_name(version)) == version

    @pytest.mark.parametrize("name", ["reference-00001.parquet", "reference-1.parquet", "reference.parquet"])
    def test_what_is_no_reference_list(self, name):
        with pytest.raises(NamingError):
            naming.parse_reference_name(name)
        with pytest.raises(NamingError):
            naming.reference_name(0)

    @pytest.mark.parametrize("name", ["20251005T123456+54.6-image.fits", "20251005T123456-mosaic.fits"])
    def test_what_is_no_mosaic_of_an_epoch(self, name):
        with pytest.raises(NamingError):
            naming.parse_epoch_file_name(name)


class TestLightcurveStore:
    @given(epoch=TestEpochs.epochs)
    def test_an_epochs_rows_stand_in_its_day(self, epoch):
        name = naming.epoch_rows_name(epoch)
        assert naming.parse_epoch_rows_name(name) == naming.parse_epoch_rows_name(f"{epoch}.parquet") == epoch
        assert name.startswith(f"{naming.epoch_month(epoch)}-")

    @given(year=st.integers(1900, 2999), month=st.integers(1, 12), version=st.integers(0, 10**6))
    def test_a_months_rows_are_numbered(self, year, month, version):
        name = naming.month_rows_name(f"{year}-{month:02d}", version)
        assert naming.parse_month_rows_name(name) == (f"{year}-{month:02d}", version)

    @pytest.mark.parametrize("name", ["20251005T123456+54.6.fits", "x.parquet", "20251005T123456+54.6", ""])
    def test_what_is_no_epochs_rows(self, name):
        with pytest.raises(NamingError):
            naming.parse_epoch_rows_name(name)

    @pytest.mark.parametrize("name", ["2025-13-0001.parquet", "reference-0001.parquet", "2025-10-1.parquet"])
    def test_what_is_no_months_rows(self, name):
        with pytest.raises(NamingError):
            naming.parse_month_rows_name(name)

    def test_a_month_that_is_none_has_no_name(self):
        with pytest.raises(NamingError):
            naming.month_rows_name("2025-1", 1)
