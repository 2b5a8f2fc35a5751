"""The sums that outliers are solved with, against the same in numpy; compiled or not."""

import numpy as np
import pytest

from dsa110_contimg.imaging.outlier_kernels import project, smearing, subtract

pytestmark = pytest.mark.kernel

C = 299792458.0


@pytest.fixture
def model():
    rng = np.random.default_rng(3)
    uvw_m = rng.normal(0.0, 200.0, (3, 3))
    freq_hz = np.linspace(1.3e9, 1.4e9, 5)
    middles = np.array([[0.02, 0.01, -0.00025], [-0.03, 0.04, -0.00125]])
    further = np.array([[0.0, 0.0, 0.0], [1e-4, 0.0, 1e-6], [0.0, -2e-4, 0.0]])
    flux = np.array([1.0, 0.7, 0.3], np.float32)
    first = np.array([0, 1, 3])
    smear = rng.uniform(0.8, 1.0, (3, 2))
    columns = (np.array([0, 1, 1]), rng.normal(1.0, 0.1, (3, 3)), np.array([False, False, True]))
    return (uvw_m, freq_hz, freq_hz, middles, further, flux, first, smear), columns


def by_hand(model):
    """Columns (Q, N, C)."""
    (uvw_m, freq_hz, _, middles, further, flux, first, smear), (source, factor, turned) = model
    columns = []
    for q, s in enumerate(source):
        points = slice(first[s], first[s + 1])
        delays = uvw_m @ (middles[s] + further[points]).T / C
        values = (flux[points, None] * np.exp(2j * np.pi * delays[..., None] * freq_hz)).sum(axis=1)
        columns.append(values * (smear[:, s] * factor[:, q])[:, None] * (1j * freq_hz if turned[q] else 1.0))
    return np.array(columns)


def test_projection_is_the_adjoint(model):
    rng = np.random.default_rng(4)
    data = (rng.normal(size=(3, 5)) + 1j * rng.normal(size=(3, 5))).astype(np.complex64)
    weights = rng.uniform(0.5, 2.0, (3, 5)).astype(np.float32)
    looked = np.array([1, 3])
    right, gram = np.zeros((3, 5), complex), np.zeros((3, 3, 2), complex)
    project(*model[0], *model[1], data, weights, ~model[1][2], looked, right, gram)
    columns = by_hand(model)
    assert right == pytest.approx(np.einsum("qnc,nc,nc->qc", columns.conj(), weights, data), rel=1e-4, abs=1e-4)
    truth = np.einsum("qnc,nc,pnc->qpc", columns.conj(), weights, columns)[..., looked]
    for q, p in ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2)):
        assert gram[q, p] == pytest.approx(truth[q, p], rel=1e-3, abs=1e-3 * abs(truth[q, p]).max() + 1e-3)
    # The change of one source beside another is left out.
    assert not gram[0, 2].any()


def test_what_is_subtracted_is_the_model_where_there_are_data(model):
    gains = np.array([[2.0 - 1.0j], [0.5j], [1e-10]], np.complex64) * np.ones(5, np.complex64)
    data = np.zeros((3, 5), np.complex64)
    weights = np.ones((3, 5), np.float32)
    weights[1, 2] = 0.0
    subtract(*model[0], *model[1], gains, data, weights)
    truth = -np.einsum("qnc,qc->nc", by_hand(model), gains)
    truth[1, 2] = 0.0
    assert data == pytest.approx(truth, rel=1e-4, abs=1e-4)


def test_smearing_is_the_mean_over_what_was_averaged():
    """A phase that turns evenly, over three channels and as many integrations as each row has."""
    rng = np.random.default_rng(5)
    uvw_m, times = rng.normal(0.0, 200.0, (4, 3)), np.array([1.0, 2.0, 3.0, 5.0])
    by_channel, by_time = rng.normal(0.0, 2e-4, (2, 2, 3))
    averaged, own = smearing(uvw_m, by_channel, by_time, 3.0, times)
    for n, count in enumerate(times.astype(int)):
        for s in range(2):
            band, time = uvw_m[n] @ by_channel[s], uvw_m[n] @ by_time[s]
            in_band = np.exp(2j * np.pi * band * np.array([-1, 0, 1])).mean()
            in_time = np.exp(2j * np.pi * time * (np.arange(count) - (count - 1) / 2)).mean()
            assert averaged[n, s] == pytest.approx((in_band * in_time).real, abs=1e-9)
            assert own[n, s] == pytest.approx(np.sinc(band) * np.sinc(time), abs=1e-9)


def test_smearing_at_the_phase_centre_and_where_a_sample_is_lost():
    nowhere, lost = np.zeros((1, 3)), np.array([[1.0, 0.0, 0.0]])
    uvw_m, times = np.ones((1, 3)), np.array([2.0])
    assert [values.item() for values in smearing(uvw_m, nowhere, nowhere, 2.0, times)] == [1.0, 1.0]
    averaged, own = smearing(uvw_m, lost, nowhere, 2.0, times)
    assert averaged.item() == 0.0
    assert own.item() == pytest.approx(0.0, abs=1e-12)
