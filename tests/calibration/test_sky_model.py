"""The model of a calibrator and its field: against astropy alone, and what is in it."""

import numpy as np
import pytest

from dsa110_contimg.calibration.sky_model import ModelSource, Pointing, predict_integration, sky_model
from dsa110_contimg.catalogue.spectra import power_law, standard_spectrum
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.beams import AiryBeam
from dsa110_contimg.telescope.prediction import PointSources
from dsa110_contimg.telescope.stations import load_stations
from point_source_truth import meridian_in_icrs, sources_around, visibilities

DEC_DEG = 54.57
MJD = 60953.52
FREQ_HZ = np.linspace(1.32e9, 1.49e9, 4)
RA, DEC = (float(value) for value in meridian_in_icrs(DEC_DEG, MJD, HEADER_SITE))
CENTRE = (RA + 0.3, DEC + 0.2)
POINTING = Pointing(HEADER_SITE, np.radians(DEC_DEG), AiryBeam(), CENTRE)
CALIBRATOR = ModelSource("cal", *CENTRE, power_law(8.0, -0.5))


def field(*offsets):
    sources = np.array([tuple(source) for source in sources_around(RA, DEC, offsets)])
    return PointSources(*sources.T)


def test_it_is_what_the_array_measures():
    """In other words than the package's: the same sources, by astropy and numpy."""
    offsets = [(0.5, 0.4, 1.5, -0.7), (-0.9, -0.3, 0.8, 0.1)]
    sky = sky_model(CALIBRATOR, field(*offsets), FREQ_HZ)
    stations = load_stations()
    rows = np.array([1, 20, 40, 103, 114]) - 1
    first, second = np.triu_indices(rows.size, 1)
    found = predict_integration(sky, MJD, POINTING, stations.itrf_m[rows], (first, second), FREQ_HZ)
    everything = [*sources_around(*CENTRE, [(0, 0, 8.0, -0.5)]), *sources_around(RA, DEC, offsets)]
    baselines_m = stations.itrf_m[rows[first]] - stations.itrf_m[rows[second]]
    true = visibilities(everything, DEC_DEG, baselines_m, np.array([MJD]), HEADER_SITE, CENTRE, FREQ_HZ)[0]
    np.testing.assert_allclose(found, true, atol=2e-3)


def test_the_calibrator_is_in_it_once_and_with_its_own_spectrum():
    near = (CENTRE[0] + 20 / 3600, CENTRE[1])
    table = PointSources(*(np.array(values) for values in zip((*near, 5.0, -0.7), (RA, DEC, 1.0, -0.7), strict=True)))
    spectrum = standard_spectrum("3C286")
    sky = sky_model(ModelSource("3C286", *CENTRE, spectrum), table, FREQ_HZ)
    assert sky.ra_deg.tolist() == [CENTRE[0], RA]
    np.testing.assert_allclose(sky.flux_jy[0], spectrum.flux_jy(FREQ_HZ))
    np.testing.assert_allclose(sky.flux_jy[1], (FREQ_HZ / 1.4e9) ** -0.7)


def test_what_is_faint_through_the_beam_is_left_out():
    bright_but_far = (4.0, 0.0, 2.0, -0.7)
    sky = sky_model(CALIBRATOR, field((0.5, 0.0, 1.0, -0.7), (0.2, 0.2, 0.001, -0.7), bright_but_far), FREQ_HZ)
    kept = sky.pruned(np.array([MJD, MJD + 0.001, MJD + 0.002]), POINTING, FREQ_HZ)
    assert kept.ra_deg.tolist() == sky.ra_deg[:2].tolist()


def test_a_field_without_a_calibrator_will_do_but_not_nothing():
    assert sky_model(None, field((0.1, 0.1, 1.0, -0.7)), FREQ_HZ).ra_deg.size == 1
    with pytest.raises(CalibrationError, match="neither a calibrator nor a catalogue"):
        sky_model(None, None, FREQ_HZ)
