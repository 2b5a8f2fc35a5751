"""The inner loop of taking a model out of visibilities."""

import numpy as np
import pytest

from dsa110_contimg.imaging.prediction_kernels import add_sources, subtract_wide

ROWS, CHANNELS = 6, 5


@pytest.mark.kernel
@pytest.mark.parametrize("by_channel", [0.0, 0.03])
def test_it_is_what_numpy_says(by_channel):
    rng = np.random.default_rng(1)
    predicted, before = (
        (rng.normal(size=(ROWS, CHANNELS)) + 1j * rng.normal(size=(ROWS, CHANNELS))).astype(np.complex64)
        for _ in range(2)
    )
    factor, time = rng.normal(size=(2, CHANNELS)).astype(np.float32), np.array([0, 0, 0, 1, 1, 1])
    rows, parts = rng.integers(0, ROWS, (ROWS, 4)), rng.normal(size=(ROWS, 4)).astype(np.float32)
    line = predicted + np.einsum("rk,rkc->rc", parts, predicted[rows])
    inside = line[:, :-2] - 2 * line[:, 1:-1] + line[:, 2:]
    bend = np.column_stack([2 * inside[:, 0] - inside[:, 1], inside, 2 * inside[:, -1] - inside[:, -2]])
    left = before.copy()
    for first, last in ((0, 2), (2, ROWS)):
        subtract_wide(predicted, factor, time, rows, parts, by_channel, first, last, left)
    np.testing.assert_allclose(left, before - factor[time] * (line + by_channel * bend), rtol=1e-5, atol=1e-5)


@pytest.mark.kernel
def test_rows_that_were_not_averaged_are_subtracted_as_they_are():
    predicted = np.full((ROWS, 2), 2.0, np.complex64)
    left = np.zeros((ROWS, 4), np.complex64)[:, ::2]
    nothing = np.empty((ROWS, 0))
    factor = np.full((1, 2), 3.0, np.float32)
    subtract_wide(
        predicted,
        factor,
        np.zeros(ROWS, np.int64),
        nothing.astype(np.int64),
        nothing.astype(np.float32),
        0.1,
        1,
        3,
        left,
    )
    assert (left[1:3] == -6.0).all()
    assert not left[[0, *range(3, ROWS)]].any()


@pytest.mark.kernel
@pytest.mark.parametrize("uneven_hz", [0.0, 2e5, 2e7])
def test_sources_are_added_to_some_rows(uneven_hz):
    rng = np.random.default_rng(2)
    n_rows, n_sources = 300, 3
    uvw_m, direction = rng.normal(size=(n_rows, 3)) * 300.0, rng.normal(size=(n_sources, 3)) * 0.02
    freq_hz = np.linspace(1.31e9, 1.49e9, CHANNELS) + uneven_hz * np.array([0, 1, -1, 0, 0])
    time = np.sort(rng.integers(0, 2, n_rows))
    table = rng.normal(size=(n_sources, 2, CHANNELS)).astype(np.float32)
    delay_s = uvw_m @ direction.T / 299792458.0
    turns = np.exp(2j * np.pi * delay_s[:, :, None] * freq_hz)
    expected = np.einsum("src,rsc->rc", table[:, time], turns)
    added = np.ones((n_rows, CHANNELS), np.complex64)
    add_sources(uvw_m, freq_hz, time, direction, table, 2, n_rows - 1, added)
    np.testing.assert_allclose(added[2:-1], 1.0 + expected[2:-1], atol=3e-4)
    assert (added[[0, 1, -1]] == 1.0).all()
