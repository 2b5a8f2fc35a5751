"""Variables put into images come out of the light curves, and nothing else does: images to mosaics to store to search.

A handful of days has images; the weeks before and after are rows of measurements of the same sky, with the same errors.
"""

import numpy as np
import pyarrow as pa
import pytest

from dsa110_contimg.config.settings import LightcurveSettings, MosaicSettings, PhotometrySettings
from dsa110_contimg.images.fits import RestoringBeam, write_plane
from dsa110_contimg.lightcurves.compaction import compact
from dsa110_contimg.lightcurves.events import Verdict
from dsa110_contimg.lightcurves.query import light_curve, open_store
from dsa110_contimg.lightcurves.store import add_epoch
from dsa110_contimg.lightcurves.variables import find_variables
from dsa110_contimg.mosaic.inputs import find_inputs
from dsa110_contimg.mosaic.joining import join
from dsa110_contimg.mosaic.products import write_mosaic_planes
from dsa110_contimg.naming import (
    MEASUREMENTS_NAME,
    Band,
    ImageKind,
    epoch_directory_name,
    epoch_file_name,
    epoch_id,
    group_id_from_mjd,
    group_start,
    image_file_name,
    image_stem,
    images_name,
)
from dsa110_contimg.photometry.forced_images import measure_epoch, read_measurements, write_measurements
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.photometry.reference import make_reference
from dsa110_contimg.telescope.transits import SIDEREAL_DAY
from restored_image import Source, header_of, restored, scattered

STRIP = "+54.6"
N_PIXELS, N_SOURCES, RMS_JY = 320, 49, 1e-3
N_DAYS, IMAGED = 75, range(32, 42)
FIRST_MJD = 60950.02
ODD_DAY, ODD_SCALE = 40, 0.9
BANDS = (None, Band.LOWER, Band.UPPER)
DIP, FLARE, SWING, GLITCH = 8, 20, 31, 40
"""Which source does what."""


def factor(source, day, band):
    """Flux of a source on a day, over what it is usually."""
    if source == DIP:
        return 1.0 - 0.5 * (33 <= day <= 38)
    if source == FLARE:
        return 1.0 + 0.8 * np.exp(-(day - 34) / 3.0) * (day >= 34)
    if source == SWING:
        return 1.0 + 0.3 * np.sin(2 * np.pi * day / 11.0)
    if source == GLITCH:  # in one half of the band only: interference, not the sky
        return 1.0 - 0.5 * (33 <= day <= 38) * {"full": 0.5, "lower": 1.0, "upper": 0.0}[band or "full"]
    return 1.0


def start_of(day):
    """When a day's group begins [MJD, UTC]: at the same sidereal time."""
    return FIRST_MJD + day * SIDEREAL_DAY


def make_images(directory, day, places, flux_jy):
    """Write the images of a day's group: of the whole band and of its halves, through a beam that is all even."""
    start = start_of(day)
    header = header_of(N_PIXELS)._replace(
        start_mjd=start,
        middle_mjd=start + 0.00179,
        end_mjd=start + 0.00358,
        beam=RestoringBeam(64 / 3600, 38 / 3600, 20.0),
    )
    gid = group_id_from_mjd(start)
    images = directory / images_name(gid)
    images.mkdir(parents=True)
    scale = ODD_SCALE if day == ODD_DAY else 1.0
    for k, band in enumerate(BANDS):
        seen = [
            Source(ra, dec, flux * scale * factor(source, day, band))
            for source, ((ra, dec), flux) in enumerate(zip(places, flux_jy, strict=True))
        ]
        noise = RMS_JY * (1.0 if band is None else np.sqrt(2.0))
        image = restored(N_PIXELS, seen, noise, header, seed=1 + day + 100 * k)
        stem = image_stem(gid, band)
        write_plane(images / image_file_name(stem, ImageKind.IMAGE), image.pixels, header)
        beam = header._replace(unit="", quantity="PrimaryBeam")
        write_plane(images / image_file_name(stem, ImageKind.PB), np.ones_like(image.pixels), beam)
    return gid, images


def make_epoch(base, day, places, flux_jy, reference):
    """Join and measure a day's images as an epoch does; give its directory."""
    gid, images = make_images(base / "images", day, places, flux_jy)
    epoch = epoch_id(group_start(gid), STRIP)
    directory = base / "epochs" / epoch_directory_name(epoch)
    directory.mkdir(parents=True)
    for band in BANDS:
        inputs = find_inputs([images / image_file_name(image_stem(gid, band), ImageKind.IMAGE)])
        joint = join(inputs, MosaicSettings(workers=1))
        write_mosaic_planes(joint, inputs, directory, lambda kind, band=band: epoch_file_name(epoch, kind, band))
    rows = measure_epoch(directory, epoch, reference, PhotometrySettings(workers=1))
    write_measurements(directory / MEASUREMENTS_NAME, rows)
    return directory


def make_rows(base, day, like, flux_of, rng):
    """Leave an epoch's rows as if a day had been measured as another one was, with its errors."""
    epoch = epoch_id(group_start(group_id_from_mjd(start_of(day))), STRIP)
    directory = base / "epochs" / epoch_directory_name(epoch)
    directory.mkdir()
    true = [
        flux * factor(source, day, band)
        for (source, flux), band in zip(
            (flux_of[number] for number in like["source_id"].to_pylist()), like["band"].to_pylist(), strict=True
        )
    ]
    flux = true + like["e_flux"].to_numpy() * rng.standard_normal(like.num_rows)
    changed = {"epoch": epoch, "image": epoch, "mjd": start_of(day), "flux": flux, "corrected": flux}
    for name, values in changed.items():
        field = like.schema.field(name)
        column = np.full(like.num_rows, values) if isinstance(values, str | float) else values
        like = like.set_column(like.schema.get_field_index(name), field, pa.array(column).cast(field.type))
    write_measurements(directory / MEASUREMENTS_NAME, like)
    return directory


@pytest.fixture(scope="module")
def months(tmp_path_factory):
    """The store, and the sources' numbers and fluxes."""
    base = tmp_path_factory.mktemp("months")
    rng = np.random.default_rng(2)
    places = scattered(N_PIXELS, header_of(N_PIXELS), N_SOURCES, seed=5)
    flux_jy = RMS_JY * np.geomspace(40.0, 400.0, N_SOURCES)[rng.permutation(N_SOURCES)]
    numbers = source_id(*places.T)
    reference = make_reference(STRIP, {"ra_deg": places[:, 0], "dec_deg": places[:, 1], "flux_jy": flux_jy})
    made = {day: make_epoch(base, day, places, flux_jy, reference) for day in IMAGED}
    like = read_measurements(made[IMAGED[0]] / MEASUREMENTS_NAME)
    flux_of = dict(zip(numbers.tolist(), enumerate(flux_jy), strict=True))
    root, settings = base / "lightcurves", LightcurveSettings()
    for day in range(N_DAYS):
        add_epoch(root, made.get(day) or make_rows(base, day, like, flux_of, rng), settings)
    names = sorted({path.name[:7] for path in (root / STRIP).iterdir() if path.is_dir()})
    for name in (*names, *names):  # the second time all are on the scale of the same steady sources
        compact(root, STRIP, name, settings)
    return root, numbers, flux_jy


@pytest.fixture(scope="module")
def found(months):
    with open_store(months[0], STRIP, threads=1) as store:
        return find_variables(store, STRIP, LightcurveSettings())


def test_fluxes_are_those_that_were_put_in(months, found):
    _, numbers, flux_jy = months
    order = np.searchsorted(found.statistics.source_id, numbers)
    steady = [k for k in range(N_SOURCES) if k not in {DIP, FLARE, SWING, GLITCH}]
    ratio = found.statistics.mean[order][steady] / flux_jy[steady]
    # The ensemble's scale is its own mean: the odd day drags it by a fraction of itself over the days.
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)
    assert np.std(ratio) < 0.01


def test_the_scale_of_an_odd_day_is_found(months):
    root, numbers, _ = months
    with open_store(root, STRIP, threads=1) as store:
        scales = light_curve(store, int(numbers[0]), kind="mosaic", band="full")
    scale, error = (scales[name].to_numpy() for name in ("scale", "e_scale"))
    assert scale[ODD_DAY] / np.median(scale) == pytest.approx(1 / ODD_SCALE, abs=4 * float(error[ODD_DAY]))
    others = np.delete(scale, ODD_DAY)
    assert np.std(others) < 3 * np.median(error)


def test_variables_and_nothing_else_are_found(months, found):
    _, numbers, _ = months
    statistics = found.statistics
    assert set(statistics.source_id[found.variable]) == {numbers[k] for k in (DIP, FLARE, SWING, GLITCH)}
    order = np.searchsorted(statistics.source_id, numbers)
    steady = np.delete(order, [DIP, FLARE, SWING, GLITCH])
    assert np.median(statistics.eta[steady]) == pytest.approx(1.0, abs=0.3)
    assert statistics.v[order[SWING]] == pytest.approx(0.3 / np.sqrt(2), abs=0.03)


def test_a_dip_is_a_candidate_and_what_one_half_of_the_band_does_is_none(months, found):
    _, numbers, _ = months
    by_source = {event.source_id: event for event in found.events}
    verdicts = {k: by_source[int(numbers[k])].verdict for k in range(N_SOURCES) if int(numbers[k]) in by_source}
    # The one that swings all the time has no events: eta and V find it.
    assert verdicts == {DIP: Verdict.CANDIDATE, FLARE: Verdict.CANDIDATE, GLITCH: Verdict.ONE_HALF}
    dip = by_source[int(numbers[DIP])]
    assert abs(dip.size) == pytest.approx(0.5, abs=0.15)
    assert dip.mjd == pytest.approx(start_of(35.5), abs=2.5)
