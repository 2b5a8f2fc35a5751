"""Beams from files: what is written is what is used, at every frequency and right to the edge of the map."""

import h5py
import numpy as np
import pytest
from astropy.io import fits

from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.beam_files import read_beam
from dsa110_contimg.telescope.beams import AiryBeam, beam_model

FREQ_HZ = np.array([1.30e9, 1.40e9, 1.50e9])
X_DEG = np.linspace(-5.0, 5.0, 121)
Y_DEG = np.linspace(-4.0, 4.0, 97)


def squinted(x_deg, y_deg, freq_hz):
    """A beam that is wider to the north, with a sidelobe in the east alone."""
    width = 1.2 * 1.4e9 / freq_hz
    x, y = np.broadcast_arrays(x_deg, y_deg)
    return 0.98 * np.exp(-((x / width) ** 2) - (y / (1.3 * width)) ** 2) + 0.02 * np.exp(
        -(((x - 3.0 * width / 1.2) / width) ** 2) - (y / width) ** 2
    )


@pytest.fixture
def maps():
    power = np.stack([squinted(X_DEG[None], Y_DEG[:, None], freq_hz) for freq_hz in FREQ_HZ])
    return power / squinted(0.0, 0.0, 1.4e9)


def write_fits(path, power, **cards):
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "X", "Y"
    header["CRPIX1"], header["CDELT1"], header["CRVAL1"] = 1.0, X_DEG[1] - X_DEG[0], X_DEG[0]
    header["CRPIX2"], header["CDELT2"], header["CRVAL2"] = 1.0, Y_DEG[1] - Y_DEG[0], Y_DEG[0]
    if power.ndim == 3:
        header["CTYPE3"], header["CRPIX3"], header["CRVAL3"], header["CDELT3"] = "FREQ", 1.0, FREQ_HZ[0], 1e8
    for key, value in cards.items():
        header[key] = value
    fits.writeto(path, power.astype(np.float32), header)
    return path


def write_hdf5(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def sines(*angles_deg):
    """Direction cosines as the maps count them: degrees of a SIN projection."""
    return (np.radians(angle) for angle in angles_deg)


def test_fits_and_hdf5_agree_with_what_was_written(tmp_path, maps):
    rng = np.random.default_rng(1)
    x_deg, y_deg = rng.uniform(-4.5, 4.5, 200), rng.uniform(-3.5, 3.5, 200)
    of_fits = beam_model(str(write_fits(tmp_path / "beam.fits", maps)))
    of_hdf5 = beam_model(str(write_hdf5(tmp_path / "beam.h5", power=maps, x_deg=X_DEG, y_deg=Y_DEG, freq_hz=FREQ_HZ)))
    for freq_hz in FREQ_HZ:
        truth = squinted(x_deg, y_deg, freq_hz) / squinted(0.0, 0.0, 1.4e9)
        assert of_fits.power(*sines(x_deg, y_deg), freq_hz) == pytest.approx(truth, abs=2e-5)
        assert of_hdf5.power(*sines(x_deg, y_deg), freq_hz) == pytest.approx(truth, abs=2e-5)


def test_between_the_planes_and_beyond_them_it_is_stretched(tmp_path, maps):
    beam = read_beam(write_hdf5(tmp_path / "beam.h5", power=maps, x_deg=X_DEG, y_deg=Y_DEG, freq_hz=FREQ_HZ))
    x_deg, y_deg = np.array([0.5, 1.5, -2.0]), np.array([0.3, -1.0, 1.0])
    for freq_hz in (1.28e9, 1.33e9, 1.47e9, 1.53e9):
        truth = squinted(x_deg, y_deg, freq_hz) / squinted(0.0, 0.0, 1.4e9)
        assert beam.power(*sines(x_deg, y_deg), freq_hz) == pytest.approx(truth, abs=1e-4)


def test_east_is_east_in_an_image_of_the_sky(tmp_path, maps):
    # Right ascension falls along the first axis: the first pixel is in the east.
    beam = read_beam(
        write_fits(
            tmp_path / "sky.fits",
            maps[1, :, ::-1],
            CTYPE1="RA---SIN",
            CTYPE2="DEC--SIN",
            CRPIX1=61.0,
            CRPIX2=49.0,
            CDELT1=-(X_DEG[1] - X_DEG[0]),
            CRVAL1=123.0,
            CRVAL2=54.0,
            RESTFRQ=1.4e9,
        )
    )
    assert beam.power(*sines(3.0, 0.0), 1.4e9) > 5 * beam.power(*sines(-3.0, 0.0), 1.4e9)
    assert beam.power(*sines(0.4, 1.0), 1.4e9) == pytest.approx(squinted(0.4, 1.0, 1.4e9) / squinted(0, 0, 1.4e9), 1e-4)


def test_a_profile_of_a_round_beam(tmp_path):
    radius_deg = np.linspace(0.0, 8.0, 161)
    profile = AiryBeam().power(np.radians(radius_deg), 0.0, 1.4e9)
    beam = read_beam(write_hdf5(tmp_path / "airy.hdf5", power=profile, radius_deg=radius_deg, freq_hz=1.4e9))
    rng = np.random.default_rng(2)
    x, y = np.radians(rng.uniform(-4.0, 4.0, (2, 300)))
    for freq_hz in (1.31e9, 1.5e9):
        assert beam.power(x, y, freq_hz) == pytest.approx(AiryBeam().power(x, y, freq_hz), abs=1e-5)
    assert "profile" in beam.description
    assert "airy.hdf5" in beam.description


def test_voltages_are_squared(tmp_path):
    radius_deg = np.linspace(0.0, 4.0, 81)
    voltage = np.exp(-(radius_deg**2)) * np.exp(0.3j * radius_deg)
    beam = read_beam(write_hdf5(tmp_path / "v.h5", voltage=voltage, radius_deg=radius_deg, freq_hz=1.4e9))
    assert beam.power(*sines(1.0, 0.0), 1.4e9) == pytest.approx(np.exp(-2.0), rel=1e-4)


def test_outside_of_the_map_there_is_nothing(tmp_path, maps):
    beam = read_beam(write_fits(tmp_path / "beam.fits", maps))
    assert beam.power(*sines(np.array([5.5, 0.0]), np.array([0.0, -4.5])), 1.4e9).tolist() == [0.0, 0.0]


def test_arguments_broadcast(tmp_path, maps):
    beam = read_beam(write_fits(tmp_path / "beam.fits", maps))
    power = beam.power(np.full((4, 1, 1), 0.01), np.full((5, 1), 0.02), np.array([1.3e9, 1.35e9]))
    assert power.shape == (4, 5, 2)
    assert np.ptp(power, axis=(0, 1)) == pytest.approx([0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"power": np.full((97, 121), 0.5)}, "axis"),
        ({"power": np.full((97, 121), np.nan)}, "finite"),
        ({"power": np.ones((97, 120))}, "shape"),
        ({"freq_hz": 1400.0}, "Hz"),
        ({"x_deg": X_DEG**3}, "evenly"),
        ({"x_deg": X_DEG + 7.0}, "axis of the beam"),
        ({"power": np.ones((97, 3)), "x_deg": X_DEG[:3]}, "points"),
    ],
    ids=["half", "nan", "shape", "mhz", "uneven", "off", "none"],
)
def test_what_is_not_a_beam_is_refused(tmp_path, maps, change, says):
    good = {"power": maps[1], "x_deg": X_DEG, "y_deg": Y_DEG, "freq_hz": 1.4e9}
    path = write_hdf5(tmp_path / "bad.h5", **(good | change))
    with pytest.raises(UsageError, match=says) as caught:
        read_beam(path)
    assert "bad.h5" in str(caught.value)


def test_planes_that_go_beyond_what_a_beam_can_be(tmp_path, maps):
    maps[0, 10, 10] = 1.5
    with pytest.raises(UsageError, match="from 0 to 1"):
        read_beam(write_fits(tmp_path / "hot.fits", maps))
    maps[0, 10, 10] = 0.0
    with pytest.raises(UsageError, match="twice"):
        read_beam(
            write_hdf5(tmp_path / "twice.h5", power=maps, x_deg=X_DEG, y_deg=Y_DEG, freq_hz=[1.3e9, 1.4e9, 1.4e9])
        )


def test_files_that_are_not_there_or_not_files(tmp_path):
    (tmp_path / "text.fits").write_text("no")
    (tmp_path / "text.h5").write_text("no")
    for name in ("missing.fits", "missing.h5", "text.fits", "text.h5"):
        with pytest.raises(UsageError, match="primary beam"):
            beam_model(str(tmp_path / name))
    fits.writeto(tmp_path / "cube.fits", np.ones((2, 2, 5, 5)))
    with pytest.raises(UsageError, match="axes"):
        read_beam(tmp_path / "cube.fits")
    units = {"CUNIT1": "m", "RESTFRQ": 1.4e9, "CRPIX2": 3.0, "CDELT2": 1.0}
    fits.writeto(tmp_path / "units.fits", np.ones((5, 5)), fits.Header(units))
    with pytest.raises(UsageError, match="CUNIT1"):
        read_beam(tmp_path / "units.fits")
