"""A beam unlike the model, and a pointing that is off, are said; a beam as it should be is not."""

import json

import numpy as np
import pytest

from beam_measurements import headers_of, observed
from dsa110_contimg.config.sections_lightcurves import BeamSettings
from dsa110_contimg.images.fits import write_plane
from dsa110_contimg.naming import ImageKind, image_file_name, image_stem
from dsa110_contimg.photometry.beam_check import check_beam, findings, known_fluxes
from dsa110_contimg.photometry.beam_crossings import gather
from dsa110_contimg.photometry.beam_fit import fit_beam
from dsa110_contimg.photometry.reference import make_reference
from dsa110_contimg.telescope.beams import AiryBeam, TaperedBeam
from dsa110_contimg.telescope.fitted_beams import FittedBeam, beam_document, shaped_power

SETTINGS = BeamSettings()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """FITS files of an hour's groups, of which only the headers count."""
    base, made = tmp_path_factory.mktemp("images"), []
    for (group, band), header in headers_of(12, 54.5734).items():
        for stem in {image_stem(group, band), image_stem(group)}:
            path = base / image_file_name(stem, ImageKind.IMAGE)
            if not path.exists():
                write_plane(path, np.zeros((4, 4)), header)
            if stem == image_stem(group) and path not in made:
                made.append(path)
    return made


def moved(east=0.0, north=0.0, lower_north=None, stretch=0.0):
    def power(x, y, freq_hz):
        here = north if lower_north is None else np.where(np.asarray(freq_hz) < 1.405e9, lower_north, north)
        shape = np.stack(np.broadcast_arrays(0.0, stretch, 0.0, east, here), axis=-1)
        return shaped_power(AiryBeam(), shape, x, y, freq_hz)

    return power


def checked(images, power, seed=0, *, catalogue=True, **more):
    table, _, known = observed(power, n_groups=12, seed=seed, **more)
    return check_beam(table, images, known if catalogue else None, SETTINGS)


def test_a_beam_as_it_should_be_is_not_warned_of(images):
    for seed in range(2):
        check = checked(images, AiryBeam().power, seed)
        assert check.fit is not None
        assert check.warnings == ()


@pytest.mark.parametrize("north_deg", [0.4, -0.4])
def test_a_pointing_0p4_deg_off_in_declination_is_found(images, north_deg):
    check = checked(images, moved(north=north_deg))
    assert "0.4" in check.warnings[0]
    assert ("north" if north_deg > 0 else "south") in check.warnings[0]
    assert check.fit.mean[0].north_deg == pytest.approx(north_deg, abs=0.06)
    assert "fluxes are off by up to" in check.warnings[-1]


def test_a_wider_beam_is_found(images):
    warnings = checked(images, TaperedBeam().power).warnings
    assert any("% wider than that of the images" in line for line in warnings)


def test_an_axis_in_the_west_a_long_beam_and_a_squint_are_found(images):
    assert "west of where it should be" in checked(images, moved(east=-0.2), 1).warnings[0]
    long = checked(images, moved(stretch=0.06), 2).warnings
    assert any("longer than wide" in line and "90 deg" in line for line in long)
    squint = checked(images, moved(north=0.2, lower_north=-0.2), 3).warnings
    assert any("upper half of the band points +0.4" in line and "north" in line for line in squint)


def test_a_beam_that_was_fitted_before_is_compared_with_itself(tmp_path):
    beam = FittedBeam(
        "beam-0001", AiryBeam(), "airy", ("lower", "upper"), np.array([1.358e9, 1.452e9]),
        np.array([[0.05, 0.0, 0.0, 0.0, 0.40], [0.07, 0.0, 0.0, 0.0, 0.42]]), 1e-4 * np.eye(10), {},
    )  # fmt: skip
    path = str(tmp_path / "beam-0001.json")
    (tmp_path / "beam-0001.json").write_text(json.dumps(beam_document(beam)))
    data = gather(*observed(beam.power, model=path, n_groups=10, n_sources=100))
    fit = fit_beam(data)
    assert (fit.base, data.model) == ("airy", path)
    assert findings(fit, path, SETTINGS) == ()
    assert "north of where it should be" in findings(fit, "airy", SETTINGS)[0]
    moved_back = gather(*observed(AiryBeam().power, model=path, n_groups=10, n_sources=100))
    assert "south of where it should be" in findings(fit_beam(moved_back), path, SETTINGS)[0]


def test_little_data_is_said_to_be_little(images):
    check = checked(images, AiryBeam().power, n_sources=3)
    assert (check.warnings, check.fit) == ((), None)
    assert "source" in check.why


def test_fluxes_of_our_own_mosaics_are_no_witness():
    reference = make_reference(
        "+54.6",
        {
            "ra_deg": np.array([10.0, 11.0, 12.0]),
            "dec_deg": np.full(3, 54.0),
            "flux_jy": np.array([1.0, 2.0, np.nan]),
            "e_flux_jy": np.array([0.1, np.nan, 0.1]),
            "freq_hz": np.full(3, 1.4e9),
            "origin": np.array(["catalogue:nvss", "epoch:20251005T123456+54.6", "catalogue:nvss"]),
        },
    )
    known = known_fluxes(reference)
    assert known.flux_jy.tolist() == [1.0]
    assert known.source_id.tolist() == [reference.source_id[0]]
