"""A sample keeps the first reason that applies to it."""

import numpy as np
import pytest

from dsa110_contimg.flagging.marks import mark_band, mark_bits, mark_rows
from dsa110_contimg.flagging.reasons import Reason

SHAPE = N_TIMES, N_BASELINES, N_CHANNELS, N_CORR = 3, 5, 20, 2
ARRAY, BASELINE, ANTENNA = (np.uint8(reason) for reason in (Reason.ARRAY, Reason.BASELINE, Reason.ANTENNA))

pytestmark = pytest.mark.kernel


@pytest.fixture
def reasons():
    """All that can be there."""
    return np.random.default_rng(1).integers(0, len(Reason), SHAPE).astype(np.uint8)


def marked(reasons, where, reason):
    """What is to become of them."""
    return np.where(where & ((reasons == Reason.GOOD) | (reasons > reason)), reason, reasons)


def test_channels_and_integrations_of_all_baselines(reasons):
    known = np.random.default_rng(2).random((N_TIMES, N_CHANNELS)) < 0.3
    known[1] = False
    expected = marked(reasons, known[:, None, :, None], ARRAY)
    mark_band(reasons, known, ARRAY)
    np.testing.assert_array_equal(reasons, expected)


def test_all_channels_of_baselines_and_polarizations(reasons):
    where = np.random.default_rng(3).random((N_TIMES, N_BASELINES, N_CORR)) < 0.3
    where[0, 1] = True, False
    expected = marked(reasons, where[:, :, None], ANTENNA)
    mark_rows(reasons, where, ANTENNA)
    np.testing.assert_array_equal(reasons, expected)


@pytest.mark.parametrize("start", [0, 2])
def test_samples_of_neighbouring_baselines(reasons, start):
    found = np.random.default_rng(4).random((N_TIMES, 3, N_CHANNELS)) < 0.2
    expected = reasons.copy()
    expected[:, start : start + 3] = marked(reasons[:, start : start + 3], found[..., None], BASELINE)
    mark_bits(reasons, start, np.packbits(found, axis=-1), BASELINE)
    np.testing.assert_array_equal(reasons, expected)
