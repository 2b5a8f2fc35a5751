"""Gains applied: DATA over g conj(g), weights times |g|^2, flags where nothing is known."""

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.calibration.apply import ApplyOptions, calibrated_blocks
from dsa110_contimg.calibration.apply_in_place import apply_in_place
from dsa110_contimg.errors import CalibrationError, DiskFullError
from dsa110_contimg.ms.layout import add_bulk_column, create_ms, fill_weights
from made_solutions import make
from small_ms import describe

pytestmark = pytest.mark.kernel

N_TIMES, N_ANTENNAS, N_CHANNELS = 4, 5, 12
DESCRIPTION = describe(n_times=N_TIMES, n_antennas=N_ANTENNAS, n_channels=N_CHANNELS)
SOLUTIONS = [make("K", DESCRIPTION), make("B", DESCRIPTION), make("G", DESCRIPTION, (0, 3))]
COLUMNS = ("CORRECTED_DATA", "FLAG", "FLAG_ROW", "WEIGHT", "WEIGHT_SPECTRUM", "DATA", "SIGMA", "SIGMA_SPECTRUM")


def fill(path, spectrum):
    columns = ("DATA", "FLAG", *(["WEIGHT_SPECTRUM"] if spectrum else []))
    create_ms(path, DESCRIPTION, columns)
    rng = np.random.default_rng(2)
    n_rows = DESCRIPTION.n_rows
    shape = (n_rows, N_CHANNELS, 2)
    fill_weights(path, rng.uniform(1, 4, (n_rows, 2)).astype(np.float32), np.arange(n_rows) != 7)
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.putcol("DATA", (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64))
        table.putcol("FLAG", rng.random(shape) < 0.1)
        if spectrum:
            table.putcol("WEIGHT_SPECTRUM", rng.uniform(0, 4, shape).astype(np.float32))
    return path


@pytest.fixture(params=[False, True], ids=["weights of rows", "weights of samples"])
def ms(request, tmp_path):
    return fill(tmp_path / "a.ms", request.param)


@pytest.fixture
def plain(tmp_path):
    return fill(tmp_path / "a.ms", spectrum=False)


def read(ms):
    with ct.table(str(ms), ack=False) as table:
        return {name: table.getcol(name) for name in COLUMNS if name in table.colnames()}


def baselines(gains):
    """g[ANTENNA1] conj(g[ANTENNA2]) of every row, from gains (T, A, C, P)."""
    product = gains[:, DESCRIPTION.antenna1] * gains[:, DESCRIPTION.antenna2].conj()
    return np.broadcast_to(product, (N_TIMES, DESCRIPTION.n_baselines, N_CHANNELS, 2)).reshape(-1, N_CHANNELS, 2)


def true_gains():
    """Gains at every integration, worked out without the code under test."""
    k, b, g = SOLUTIONS
    part = np.linspace(0, 1, N_TIMES).reshape(-1, 1, 1, 1)
    amplitude = np.abs(g.values[:1]) * (1 - part) + np.abs(g.values[1:]) * part
    phase = np.angle(g.values[:1]) + part * np.angle(g.values[1:] / g.values[:1])
    return k.gains(DESCRIPTION.freq_hz) * b.values * amplitude * np.exp(1j * phase)


def test_corrected_data(ms):
    before = read(ms)
    applied = apply_in_place(ms, SOLUTIONS, ApplyOptions(max_phase_step_deg=180), source="a set")
    after = read(ms)
    np.testing.assert_allclose(after["CORRECTED_DATA"], before["DATA"] / baselines(true_gains()), rtol=3e-6, atol=1e-6)
    for column in ("DATA", "SIGMA", "FLAG", "FLAG_ROW"):
        np.testing.assert_array_equal(after[column], before[column])
    assert applied.flagged_after == applied.flagged_before == pytest.approx(before["FLAG"].mean())
    with ct.table(f"{ms}::HISTORY", ack=False) as table:
        assert "CORRECTED_DATA: a set: K of 3C 286" in table.getcell("MESSAGE", table.nrows() - 1)


def test_weights_are_of_sigma_times_the_mean_power(ms):
    before = read(ms)
    apply_in_place(ms, SOLUTIONS, ApplyOptions(max_phase_step_deg=180))
    after = read(ms)
    power = np.abs(true_gains()) ** 2
    mean = baselines(power.mean(axis=2, keepdims=True)).real[:, 0]
    np.testing.assert_allclose(after["WEIGHT"], mean / before["SIGMA"] ** 2, rtol=1e-5)
    if "WEIGHT_SPECTRUM" in before:
        expected = before["WEIGHT_SPECTRUM"] * baselines(power).real
        np.testing.assert_allclose(after["WEIGHT_SPECTRUM"], expected, rtol=1e-5)


def test_twice_is_once(ms):
    apply_in_place(ms, SOLUTIONS)
    once = read(ms)
    apply_in_place(ms, SOLUTIONS)
    twice = read(ms)
    for column, values in once.items():
        np.testing.assert_array_equal(twice[column], values, err_msg=column)


def test_another_set_takes_the_place_of_the_first(ms, tmp_path):
    apply_in_place(ms, SOLUTIONS)
    apply_in_place(ms, SOLUTIONS[2:])
    (tmp_path / "b").mkdir()
    fresh = fill(tmp_path / "b" / "b.ms", "WEIGHT_SPECTRUM" in read(ms))
    apply_in_place(fresh, SOLUTIONS[2:])
    for column, values in read(fresh).items():
        np.testing.assert_allclose(read(ms)[column], values, rtol=1e-6, err_msg=column)


def test_blocks_are_what_would_be_written(ms):
    for time, block in enumerate(calibrated_blocks(ms, SOLUTIONS)):
        rows = slice(time * DESCRIPTION.n_baselines, (time + 1) * DESCRIPTION.n_baselines)
        if time == 0:
            first = block
        if time == N_TIMES - 1:
            last, last_rows = block, rows
    untouched = read(ms)
    assert "CORRECTED_DATA" not in untouched
    apply_in_place(ms, SOLUTIONS)
    after = read(ms)
    np.testing.assert_array_equal(last.visibilities, after["CORRECTED_DATA"][last_rows])
    np.testing.assert_array_equal(last.flags, after["FLAG"][last_rows])
    if "WEIGHT_SPECTRUM" in after:
        np.testing.assert_allclose(last.weights, after["WEIGHT_SPECTRUM"][last_rows], rtol=1e-5)
    else:
        np.testing.assert_allclose(last.weights.mean(axis=1), after["WEIGHT"][last_rows], rtol=0.5)
    assert first.flags[7].all(), "a row that is flagged whole"
    assert last.mjd == pytest.approx(DESCRIPTION.times_mjd[-1], abs=1e-9)
    np.testing.assert_allclose(last.uvw_m, DESCRIPTION.uvw_m[-1])
    # Applied or not, the blocks are the same.
    again = list(calibrated_blocks(ms, SOLUTIONS))
    np.testing.assert_array_equal(again[-1].visibilities, last.visibilities)
    np.testing.assert_allclose(again[-1].weights, last.weights, rtol=1e-6)


def holes():
    b = make("B", DESCRIPTION)
    b.flags[:, 2] = True
    b.flags[:, 3, :4, 1] = True
    return b


def without_solution():
    missing = holes().flags[0, :N_ANTENNAS]
    lost = missing[DESCRIPTION.antenna1] | missing[DESCRIPTION.antenna2]
    return np.tile(lost, (N_TIMES, 1, 1))


def test_what_has_no_solution_is_flagged(ms):
    before = read(ms)
    applied = apply_in_place(ms, [holes()])
    after = read(ms)
    np.testing.assert_array_equal(after["FLAG"], before["FLAG"] | without_solution())
    np.testing.assert_array_equal(after["FLAG_ROW"], before["FLAG_ROW"] | after["FLAG"].all(axis=(1, 2)))
    assert applied.flagged_after == pytest.approx(after["FLAG"].mean())
    assert applied.flagged_before == pytest.approx(before["FLAG"].mean())


def test_or_passed_as_it_is(plain):
    before = read(plain)
    apply_in_place(plain, [holes()], ApplyOptions(missing="pass"))
    after = read(plain)
    np.testing.assert_array_equal(after["FLAG"], before["FLAG"])
    own = [b for b in range(DESCRIPTION.n_baselines) if DESCRIPTION.antenna1[b] == DESCRIPTION.antenna2[b] == 2]
    np.testing.assert_array_equal(after["CORRECTED_DATA"][own], before["DATA"][own])


def test_samples_that_are_no_number(plain):
    with ct.table(str(plain), readonly=False, ack=False) as table:
        data = table.getcol("DATA")
        data[3, 2, 1] = np.nan
        data[4, 2, 1] = np.inf
        table.putcol("DATA", data)
    apply_in_place(plain, SOLUTIONS)
    after = read(plain)
    assert after["FLAG"][[3, 4], 2, 1].all()
    assert (after["CORRECTED_DATA"][[3, 4], 2, 1] == 0).all()


@pytest.mark.parametrize(
    ("solutions", "message"),
    [
        ([make("G", DESCRIPTION, antenna_names=tuple(map(str, range(117))))], "other antennas"),
        ([make("B", describe(freq_hz=2e9 + np.arange(8) * 1e6))], "none of these channels"),
        ([], "not none"),
    ],
)
def test_solutions_that_do_not_fit_change_nothing(plain, solutions, message):
    with pytest.raises(CalibrationError, match=message):
        apply_in_place(plain, solutions)
    assert "CORRECTED_DATA" not in read(plain)


def test_no_room(plain, monkeypatch):
    monkeypatch.setattr("dsa110_contimg.calibration.apply_in_place._SPARE_BYTES", 1 << 60)
    with pytest.raises(DiskFullError, match="are needed"):
        apply_in_place(plain, SOLUTIONS)
    assert "CORRECTED_DATA" not in read(plain)


def test_progress(plain):
    seen = []
    apply_in_place(plain, SOLUTIONS, progress=seen.append)
    assert sum(seen) == DESCRIPTION.n_rows * N_CHANNELS * 2 * 8


def test_sigmas_that_were_left_half_written_are_made_anew(tmp_path):
    ms = fill(tmp_path / "a.ms", spectrum=True)
    before = read(ms)
    add_bulk_column(ms, "SIGMA_SPECTRUM", DESCRIPTION)
    apply_in_place(ms, SOLUTIONS)
    weights = before["WEIGHT_SPECTRUM"]
    np.testing.assert_allclose(read(ms)["SIGMA_SPECTRUM"], 1 / np.sqrt(weights), rtol=1e-6)


def test_what_was_interrupted_says_so_and_is_done_anew(ms, tmp_path):
    def stop(nbytes):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply_in_place(ms, SOLUTIONS, progress=stop)
    assert "not to be used" in state_of(ms)
    apply_in_place(ms, SOLUTIONS)
    assert "K of 3C 286" in state_of(ms)
    (tmp_path / "b").mkdir()
    fresh = fill(tmp_path / "b" / "b.ms", "WEIGHT_SPECTRUM" in read(ms))
    apply_in_place(fresh, SOLUTIONS)
    for column, values in read(fresh).items():
        np.testing.assert_array_equal(read(ms)[column], values, err_msg=column)


def state_of(ms):
    with ct.table(str(ms), ack=False) as table:
        return table.getcolkeyword("CORRECTED_DATA", "CALIBRATION")
