"""Which sources count as steady, and how they are kept."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.errors import LightcurveError
from dsa110_contimg.lightcurves.ensemble import ENSEMBLE_SCHEMA, find_ensemble, read_ensemble, write_ensemble
from dsa110_contimg.lightcurves.store import add_epoch
from dsa110_contimg.naming import ENSEMBLE_NAME
from dsa110_contimg.photometry.measurements import Flag
from made_epochs import NOISE_JY, STRIP, made_rows, sources, write_epoch

SETTINGS = LightcurveSettings()
N, DAYS = 24, 8


def filled(tmp_path, days=DAYS, **columns):
    """Fill a store with sources: the first is faint, the second varies, the third is blended; give its root."""
    rng = np.random.default_rng(2)
    true = np.geomspace(0.1, 1.0, N)
    true[0] = 5 * NOISE_JY
    flags = np.where(np.arange(N) == 2, int(Flag.BLEND), 0)
    for day in range(days):
        flux = true + NOISE_JY * rng.normal(size=N)
        flux[1] *= rng.uniform(0.3, 1.7)
        add_epoch(
            tmp_path / "lightcurves",
            write_epoch(tmp_path, day, made_rows(day, flux, flags=flags, e_calibration=NOISE_JY, **columns)),
            SETTINGS,
        )
    return tmp_path / "lightcurves"


def test_the_bright_and_steady_are_chosen_with_their_means(tmp_path):
    table = find_ensemble(filled(tmp_path), STRIP, SETTINGS)
    assert table.schema == ENSEMBLE_SCHEMA
    numbers = sources(N)
    assert not set(numbers[:3].tolist()) & set(table["source_id"].to_pylist())
    assert table.num_rows >= 19
    assert set(table["n"].to_pylist()) == {DAYS}
    true = dict(zip(numbers.tolist(), np.geomspace(0.1, 1.0, N).tolist(), strict=True))
    wanted = np.array([true[number] for number in table["source_id"].to_pylist()])
    pulls = (table["mean"].to_numpy() - wanted) / table["e_mean"].to_numpy()
    assert np.abs(pulls).max() < 4


def test_bands_stand_for_themselves(tmp_path):
    root = filled(tmp_path, band="lower")
    assert set(find_ensemble(root, STRIP, SETTINGS)["band"].to_pylist()) == {"lower"}


@pytest.mark.parametrize("days", [0, 3])
def test_before_there_are_enough_epochs_there_are_none(tmp_path, days):
    assert find_ensemble(filled(tmp_path, days=days), STRIP, SETTINGS).num_rows == 0


def test_bad_epochs_say_nothing(tmp_path):
    rows = [write_epoch(tmp_path, day, made_rows(day, np.ones(N), flags=int(Flag.BAD_EPOCH))) for day in range(DAYS)]
    for directory in rows:
        add_epoch(tmp_path / "lightcurves", directory, SETTINGS)
    assert find_ensemble(tmp_path / "lightcurves", STRIP, SETTINGS).num_rows == 0


def test_it_is_read_as_it_was_written(tmp_path):
    root = filled(tmp_path, days=5)
    assert read_ensemble(root, STRIP).num_rows == 0
    table = find_ensemble(root, STRIP, SETTINGS)
    write_ensemble(root, STRIP, table)
    write_ensemble(root, STRIP, table)
    assert read_ensemble(root, STRIP).equals(table)
    (root / STRIP / ENSEMBLE_NAME).write_text("torn")
    with pytest.raises(LightcurveError, match="photometry compact"):
        read_ensemble(root, STRIP)
