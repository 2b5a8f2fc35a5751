"""Months in one file: the same rows, sorted, on the scale of the steady sources; at any step of it, too."""

import shutil

import numpy as np
import pytest
from pyarrow import parquet

from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.errors import LightcurveError
from dsa110_contimg.lightcurves import compaction
from dsa110_contimg.lightcurves.compaction import compact, due
from dsa110_contimg.lightcurves.ensemble import read_ensemble
from dsa110_contimg.lightcurves.files import months
from dsa110_contimg.lightcurves.query import light_curve, open_store, variability_sums
from dsa110_contimg.lightcurves.store import add_epoch, remove_epoch
from dsa110_contimg.photometry.measurements import Flag
from made_epochs import NOISE_JY, STRIP, epoch_of, made_rows, sources, write_epoch

SETTINGS = LightcurveSettings(join_epochs=4)
N, DAYS, VARIABLE = 30, 9, 7


@pytest.fixture(scope="module")
def sky():
    """Fluxes of steady sources and a variable one, gains of the epochs, and what was measured [Jy]."""
    rng = np.random.default_rng(11)
    true = np.repeat(np.geomspace(0.05, 1.0, N)[:, None], DAYS, axis=1)
    true[VARIABLE, 5:8] *= 0.5
    gain = rng.normal(1.0, 0.05, DAYS)
    return true, gain, true * gain + NOISE_JY * rng.normal(size=true.shape)


@pytest.fixture
def root(tmp_path, sky):
    for day in range(DAYS):
        add_epoch(tmp_path / "lightcurves", write_epoch(tmp_path, day, made_rows(day, sky[2][:, day])), SETTINGS)
    return tmp_path / "lightcurves"


def everything(root):
    with open_store(root) as opened:
        return opened.sql("SELECT * EXCLUDE (upper_limit) FROM measurements ORDER BY source_id, mjd").to_pylist()


def test_gains_are_taken_out_and_the_errors_are_right(root, sky):
    true, gain, _ = sky
    joined = compact(root, STRIP, "2025-10", SETTINGS)
    assert joined == (STRIP, "2025-10", DAYS, N * DAYS, DAYS)
    steady = read_ensemble(root, STRIP)
    numbers = sources(N)
    assert numbers[VARIABLE] not in steady["source_id"].to_pylist()
    assert steady.num_rows >= N - 3
    compact(root, STRIP, "2025-10", SETTINGS)  # now with the noise alone in the errors
    with open_store(root) as opened:
        sums = variability_sums(opened)
        curve = light_curve(opened, int(numbers[VARIABLE]))
    eta = sums["eta"].to_numpy()
    assert 0.7 < np.median(eta) < 1.3
    assert eta[VARIABLE] > 20 * np.median(eta)
    dimmed = curve["corrected"].to_numpy() / np.median(curve["corrected"].to_numpy())
    assert dimmed == pytest.approx(true[VARIABLE] / true[VARIABLE, 0], abs=0.03)
    found = curve["scale"].to_numpy() * gain
    assert found / found.mean() == pytest.approx(np.ones(DAYS), abs=0.005)
    assert not np.any(curve["flags"].to_numpy() & Flag.UNSCALED)
    pulls = (found / found.mean() - 1) / curve["e_scale"].to_numpy()
    assert 0.3 < np.std(pulls) < 2.0


def test_an_epoch_that_comes_later_is_scaled_when_it_is_added(root, tmp_path, sky):
    compact(root, STRIP, "2025-10", SETTINGS)
    added = add_epoch(root, write_epoch(tmp_path, 14, made_rows(14, 0.8 * sky[0][:, 0])), SETTINGS)
    assert added.scales[0].scale == pytest.approx(np.mean(sky[1]) / 0.8, rel=0.02)
    assert added.scales[0].n >= N - 3


def test_it_changes_no_flux_and_sorts_by_source(root):
    before = [(row["source_id"], row["mjd"], row["flux"]) for row in everything(root)]
    compact(root, STRIP, "2025-10", SETTINGS)
    (month,) = months(root, STRIP)
    assert (month.epochs, month.old, month.version) == ({}, (), 1)
    table = parquet.read_table(month.joined)
    assert list(zip(*(table[name].to_pylist() for name in ("source_id", "mjd", "flux")), strict=True)) == before
    assert [path.name for path in (root / STRIP).iterdir() if path.is_dir()] == []


def test_however_few_are_sorted_at_a_time_the_scales_are_those_of_all(root, tmp_path, monkeypatch):
    other = tmp_path / "other"
    shutil.copytree(root, other)
    compact(root, STRIP, "2025-10", SETTINGS)
    monkeypatch.setattr(compaction, "ROWS_AT_ONCE", 50)
    compact(other, STRIP, "2025-10", SETTINGS)
    assert everything(other) == everything(root)


def test_at_each_step_the_store_says_the_same(root, tmp_path):
    """What a kill leaves: the new file beside any part of those that went into it."""
    compact(root, STRIP, "2025-10", SETTINGS)
    add_epoch(root, write_epoch(tmp_path, 3, made_rows(3, np.ones(N))), SETTINGS)
    remove_epoch(root, epoch_of(4))
    before = tmp_path / "before"
    shutil.copytree(root, before)
    wanted = [row["flux"] for row in everything(root)]
    compact(root, STRIP, "2025-10", SETTINGS)
    after = months(root, STRIP)[0].joined
    old = [path for path in sorted(before.rglob("*.parquet")) if path.name != "ensemble.parquet"]
    assert len(old) == 3
    for n_gone in range(len(old) + 1):
        left = tmp_path / f"left-{n_gone}"
        shutil.copytree(before, left)
        shutil.copy(after, left / STRIP)
        for path in sorted(old, key=lambda path: path.name.startswith("2025-10-"))[:n_gone]:
            (left / path.relative_to(before)).unlink()
        assert [row["flux"] for row in everything(left)] == wanted
        assert compact(left, STRIP, "2025-10", SETTINGS).n_rows == len(wanted)
        assert [row["flux"] for row in everything(left)] == wanted
        assert len(list(left.rglob("2025-*.parquet"))) == 1


def test_a_month_is_due_when_enough_epochs_came_or_another_has_begun(tmp_path):
    root = tmp_path / "lightcurves"
    assert due(root, SETTINGS) == []
    for day in range(3):
        add_epoch(root, write_epoch(tmp_path, day, made_rows(day, np.ones(3))), SETTINGS)
    assert due(root, SETTINGS) == []
    add_epoch(root, write_epoch(tmp_path, 3, made_rows(3, np.ones(3))), SETTINGS)
    assert due(root, SETTINGS) == [(STRIP, "2025-10")]
    compact(root, STRIP, "2025-10", SETTINGS)
    assert due(root, SETTINGS) == []
    for day in (5, 40):
        add_epoch(root, write_epoch(tmp_path, day, made_rows(day, np.ones(3))), SETTINGS)
    assert due(root, SETTINGS) == [(STRIP, "2025-10")]


def test_a_month_that_is_not_there_is_nothing(tmp_path):
    assert compact(tmp_path, STRIP, "2025-10", SETTINGS) is None


def test_a_damaged_file_stops_it_and_stays(root):
    path = months(root, STRIP)[0].epochs[epoch_of(2)]
    raw = bytearray(path.read_bytes())
    raw[4:300] = bytes(296)
    path.write_bytes(raw)
    with pytest.raises(LightcurveError):
        compact(root, STRIP, "2025-10", SETTINGS)
    assert len(months(root, STRIP)[0].epochs) == DAYS


def test_the_scale_does_not_wander_however_often_it_is_made(tmp_path):
    rng, n, days = np.random.default_rng(5), 20, 24
    true, root = np.geomspace(0.03, 1.0, n), tmp_path / "lightcurves"
    gain = rng.normal(1.0, 0.04, days) * np.linspace(1.0, 1.1, days)  # it sinks in the long run, too
    for day in range(days):
        flux = true * gain[day] + NOISE_JY * rng.normal(size=n)
        add_epoch(root, write_epoch(tmp_path, day, made_rows(day, flux)), SETTINGS)
        for strip, month in due(root, SETTINGS):
            compact(root, strip, month, SETTINGS)
    with open_store(root) as store:
        told = store.sql("SELECT avg(scale) AS k, avg(e_scale) AS e FROM measurements GROUP BY epoch ORDER BY epoch")
    product = told["k"].to_numpy() * gain
    assert product / product.mean() == pytest.approx(np.ones(days), abs=0.003)
    assert product[:8].mean() / product[-8:].mean() == pytest.approx(1.0, abs=0.0008)
    assert 0.5 < np.std((product / product.mean() - 1) / told["e"].to_numpy()) < 1.5
