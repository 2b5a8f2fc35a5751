"""The picture of a light curve: what is drawn is what was measured, whatever is missing."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dsa110_contimg.images.fits import RestoringBeam, write_plane
from dsa110_contimg.lightcurves.events import Event, Verdict
from dsa110_contimg.lightcurves.shapes import Shape
from dsa110_contimg.naming import epoch_directory_name, epoch_file_name
from dsa110_contimg.photometry.measurements import SCHEMA, Flag
from dsa110_contimg.qa.light_curve_figure import Snapshot, draw_light_curve, light_curve_figure, take_snapshots
from dsa110_contimg.simulation.months import Behaviour, simulate_months
from restored_image import Source, header_of, restored
from simulated_store import epochs_of, rows_of_day


@pytest.fixture(scope="module")
def month():
    return simulate_months({Behaviour.DIP: 1}, n_days=40, seed=2, flux_jy=(0.05, 0.05))


@pytest.fixture(scope="module")
def rows(month):
    return pa.concat_tables([rows_of_day(month, day, epoch) for day, epoch in enumerate(epochs_of(month))])


def event_at(mjd):
    nothing = [np.nan] * 6
    return Event(1, Shape.DIP, mjd, 6.0, 0.4, 0.02, 20.0, 1e-9, *nothing, Verdict.CANDIDATE, ())


def test_every_usable_measurement_is_a_point(rows):
    figure = light_curve_figure(rows, "a source")
    above, below = figure.axes
    full = [band == "full" for band in rows["band"].to_pylist()]
    points = above.containers[0].lines[0].get_xydata()
    np.testing.assert_allclose(points[:, 1], rows["corrected"].to_numpy()[full])
    assert len(below.containers) == 2
    for container in below.containers:
        assert np.median(container.lines[0].get_ydata()) == pytest.approx(1.0, abs=0.1)


def test_flagged_ones_are_hollow_and_one_band_has_no_second_plot(rows):
    full = rows.filter(pa.array([band == "full" for band in rows["band"].to_pylist()]))
    flags = np.zeros(full.num_rows, np.int32)
    flags[3] = int(Flag.BAD_EPOCH)
    flagged = full.set_column(full.schema.get_field_index("flags"), SCHEMA.field("flags"), pa.array(flags))
    (axes,) = light_curve_figure(flagged, "a source").axes
    assert [len(container.lines[0].get_xdata()) for container in axes.containers] == [full.num_rows - 1, 1]
    nothing = flagged.set_column(
        full.schema.get_field_index("flags"), SCHEMA.field("flags"), pa.array(np.full_like(flags, 8))
    )
    (axes,) = light_curve_figure(nothing, "a source").axes
    assert [len(container.lines[0].get_xdata()) for container in axes.containers] == [0, full.num_rows]


def test_an_event_and_the_sky_are_shown(rows, tmp_path):
    sky = [Snapshot(60_960.0 + k, np.full((9, 9), np.nan if k == 0 else float(k), np.float32)) for k in range(8)]
    figure = light_curve_figure(rows, "a source", event=event_at(60_970.0), snapshots=sky)
    assert len(figure.axes) == 2 + 6
    draw_light_curve(tmp_path / "curve.png", rows, "a source", event=event_at(60_970.0), snapshots=sky)
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.width == 1100


def test_the_sky_is_taken_from_the_days_about_an_event(month, rows, tmp_path):
    ra, dec = float(month.ra_deg[0]), float(month.dec_deg[0])
    assert take_snapshots(rows, tmp_path, ra, dec) == []
    epochs = epochs_of(month)
    for day in range(10, 30):
        directory = tmp_path / epoch_directory_name(epochs[day])
        directory.mkdir()
        path = directory / epoch_file_name(epochs[day], "mosaic")
        if day == 20:
            path.write_text("this is no image")
            continue
        header = header_of(64)._replace(ra_deg=ra, dec_deg=dec, beam=RestoringBeam(64 / 3600, 38 / 3600, 20.0))
        write_plane(path, restored(64, [Source(ra, dec, 0.3)], 1e-3, header, seed=1).pixels, header)
    middle = float(month.mjd[0, 15])
    about = take_snapshots(rows, tmp_path, ra, dec, event_at(middle))
    assert 3 <= len(about) <= 6
    assert all(abs(one.mjd - middle) < 10 for one in about)
    size = about[0].pixels.shape[0]
    assert about[0].pixels[size // 2, size // 2] == pytest.approx(0.3, rel=0.1)
    evenly = take_snapshots(rows, tmp_path, ra, dec)
    assert evenly[-1].mjd - evenly[0].mjd > 15
