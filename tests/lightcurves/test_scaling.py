"""Measurements on the scale of the ensemble: which factor, and the errors that follow."""

import numpy as np
import pyarrow as pa
import pytest

from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.lightcurves.ensemble import ENSEMBLE_SCHEMA, write_ensemble
from dsa110_contimg.lightcurves.scaling import scale_measurements, scale_to
from dsa110_contimg.photometry.measurements import SCHEMA, Flag
from made_epochs import NOISE_JY, STRIP, epoch_of, made_rows, sources

SETTINGS = LightcurveSettings()
MEAN = np.geomspace(0.05, 2.0, 30)


def ensemble(kind="mosaic", band="full", mean=MEAN):
    n = len(mean)
    words = {"kind": [kind] * n, "band": [band] * n, "source_id": sources(n), "n": np.full(n, 9), "mean": mean}
    return pa.table({**words, "e_mean": np.full(n, 1e-4), "eta": np.ones(n)}).cast(ENSEMBLE_SCHEMA)


def numbers(table, name):
    return table[name].to_numpy().astype(float)


def test_a_wrong_gain_is_taken_out_and_its_error_carried():
    rows = made_rows(3, 0.8 * MEAN)
    scaled = scale_to(ensemble(), rows, SETTINGS)
    (one,) = scaled.scales
    assert (one.epoch, one.image, one.kind, one.band, one.n) == (epoch_of(3), epoch_of(3), "mosaic", "full", 30)
    assert one.scale == pytest.approx(1.25, rel=1e-6)
    table = scaled.table
    assert table.schema == SCHEMA
    assert numbers(table, "corrected") == pytest.approx(MEAN, rel=1e-6)
    assert numbers(table, "flux") == pytest.approx(0.8 * MEAN)
    expected = np.hypot(1.25 * NOISE_JY, 0.8 * MEAN * one.e_scale)
    assert numbers(table, "e_corrected") == pytest.approx(expected, rel=1e-6)
    assert not np.any(table["flags"].to_numpy() & Flag.UNSCALED)


def test_the_beam_counts_in_a_groups_image_only():
    rows = made_rows(3, MEAN, kind="group", image="2025-10-08T12:00:00")
    scaled = scale_to(ensemble(kind="group"), rows, SETTINGS)
    noise = np.hypot(NOISE_JY, 0.02 * MEAN)
    expected = np.hypot(noise * scaled.scales[0].scale, MEAN * scaled.scales[0].e_scale)
    assert numbers(scaled.table, "e_corrected") == pytest.approx(expected, rel=1e-5)


def test_every_image_and_band_has_its_own():
    parts = [
        made_rows(3, 0.8 * MEAN),
        made_rows(3, 1.1 * MEAN, band="lower"),
        made_rows(3, 0.9 * MEAN, kind="group", image="2025-10-08T12:00:00"),
        made_rows(3, 0.7 * MEAN, kind="group", image="2025-10-08T12:05:09"),
    ]
    known = pa.concat_tables([ensemble(), ensemble(band="lower"), ensemble(kind="group", mean=2 * MEAN)])
    scaled = scale_to(known, pa.concat_tables(parts).unify_dictionaries(), SETTINGS)
    found = {(one.image, one.band): one.scale for one in scaled.scales}
    assert found == pytest.approx(
        {
            (epoch_of(3), "full"): 1 / 0.8,
            (epoch_of(3), "lower"): 1 / 1.1,
            ("2025-10-08T12:00:00", "full"): 2 / 0.9,
            ("2025-10-08T12:05:09", "full"): 2 / 0.7,
        },
        rel=1e-3,
    )


def test_doubtful_measurements_do_not_count():
    flags = np.where(np.arange(30) < 15, int(Flag.BLEND), 0)
    rows = made_rows(3, np.where(flags, 5.0, 0.8) * MEAN, flags=flags)
    scaled = scale_to(ensemble(), rows, SETTINGS)
    assert scaled.scales[0].scale == pytest.approx(1.25)
    assert scaled.scales[0].n == 15


def test_twice_is_once():
    rows = made_rows(3, 0.8 * MEAN, upper_limit=0.0)  # NaN is not even itself
    once = scale_to(ensemble(), rows, SETTINGS)
    assert scale_to(ensemble(), once.table, SETTINGS).table.equals(once.table)


def test_without_an_ensemble_fluxes_stay_and_the_calibration_is_in_their_errors(tmp_path):
    rows = made_rows(3, MEAN, scale=3.0, corrected=3 * MEAN, flags=0)
    scaled = scale_measurements(tmp_path, STRIP, rows, SETTINGS)
    assert np.isnan(scaled.scales[0].e_scale)
    assert numbers(scaled.table, "corrected") == pytest.approx(MEAN)
    assert set(numbers(scaled.table, "scale")) == {1.0}
    assert numbers(scaled.table, "e_corrected") == pytest.approx(np.hypot(NOISE_JY, 0.03 * MEAN))
    assert set(scaled.table["flags"].to_pylist()) == {int(Flag.UNSCALED)}


def test_the_ensemble_that_is_kept_is_used(tmp_path):
    (tmp_path / STRIP).mkdir()
    write_ensemble(tmp_path, STRIP, ensemble())
    assert scale_measurements(tmp_path, STRIP, made_rows(3, 0.8 * MEAN), SETTINGS).scales[0].scale == pytest.approx(
        1.25
    )


def test_no_measurements_have_no_scales():
    scaled = scale_to(ensemble(), SCHEMA.empty_table(), SETTINGS)
    assert scaled.scales == ()
    assert scaled.table.num_rows == 0
