"""Noise, flux ratio and completeness of an epoch, of lists whose truth is known."""

import numpy as np
import pytest

from dsa110_contimg.photometry.growing import entries, grow
from dsa110_contimg.photometry.reference import alive, make_reference
from dsa110_contimg.qa.epoch_figures import flux_ratio_to, middle_noise, missing_of
from measured_catalogue import FREQ_HZ, measured
from restored_image import header_of, scattered

STRIP = "+54.6"
N = 400


def seen(header, n_sources, factor=1.0, **columns):
    """A list, and a table of its sources as an image has them, so much brighter."""
    where = scattered(N, header, n_sources)
    flux = np.geomspace(0.02, 1.0, n_sources)
    found = measured(where, flux * factor, **columns)
    known = measured(where, flux, seed=2)
    listed = make_reference(STRIP, entries(known, "epoch:a"))
    grown = grow(listed, entries(found, "epoch:b"), np.ones(n_sources, bool), 64.0, 5.68)
    return listed, found, grown.association


def test_the_noise_of_the_middle_does_not_know_the_edges():
    predicted = np.full((50, 50), 1e-3)
    predicted[:, :10], predicted[:, 10:20] = np.nan, 5e-3
    assert middle_noise(1.5 * predicted, predicted) == pytest.approx((1.5e-3, 1e-3))
    assert np.isnan(middle_noise(predicted * np.nan, predicted * np.nan)).all()


@pytest.mark.parametrize("factor", [1.0, 1.2, 0.7])
def test_the_flux_ratio_is_found_to_its_error(factor):
    listed, found, who = seen(header_of(N), 49, factor)
    ratio, n_compared = flux_ratio_to(found, listed, who)
    assert n_compared == 49
    assert ratio.value == pytest.approx(factor, abs=4 * ratio.error)
    assert ratio.error / ratio.value == pytest.approx(0.02 * 2**0.5 / 7, rel=0.4)


def test_variables_and_faint_sources_do_not_pull_it():
    listed, found, who = seen(header_of(N), 49)
    found["flux"][:5] *= 10
    ratio, _ = flux_ratio_to(found, listed, who)
    assert ratio.value == pytest.approx(1.0, abs=0.02)
    faint, found, who = seen(header_of(N), 9, snr=6.0)
    ratio, n_compared = flux_ratio_to(found, faint, who)
    assert n_compared == 0
    assert np.isnan(ratio.value)


def test_a_list_of_another_frequency_is_brought_to_it():
    listed, found, who = seen(header_of(N), 49)
    other = listed._replace(
        freq_hz=listed.freq_hz / 2, flux_jy=listed.flux_jy * 2**0.7, e_flux_jy=listed.e_flux_jy * np.nan
    )
    ratio, _ = flux_ratio_to(found, other, who)
    assert ratio.value == pytest.approx(1.0, abs=0.02)


def test_what_is_missing_is_counted_where_it_should_stand_out():
    header = header_of(N)._replace(freq_hz=FREQ_HZ)
    where, flux = scattered(N, header, 36), np.full(36, 0.1)
    listed = make_reference(STRIP, entries(measured(where, flux, seed=2), "epoch:a"))
    found = measured(where[:30], flux[:30])
    who = grow(listed, entries(found, "epoch:b"), np.ones(30, bool), 64.0, 5.68).association
    even = np.full((N, N), 5e-3)
    assert missing_of(alive(listed), who, header, even) == (36, 6)
    # Too faint to be expected; beyond the edge; on the other side of the sky.
    assert missing_of(alive(listed), who, header, even * 4) == (0, 0)
    half = even.copy()
    half[:, : N // 2] = np.nan
    n_expected, n_missing = missing_of(alive(listed), who, header, half)
    assert 12 <= n_expected <= 18
    assert 0 < n_missing < 6
    assert missing_of(alive(listed), who, header._replace(ra_deg=309.0, dec_deg=-54.0), even) == (0, 0)
    nobody = make_reference(STRIP, {"ra_deg": np.zeros(0), "dec_deg": np.zeros(0)})
    assert missing_of(nobody, who._replace(listed=np.zeros(0, int), rivals=()), header, even) == (0, 0)
