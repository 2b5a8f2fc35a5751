"""What ails an antenna, from its signs; and two whose cables are exchanged."""

import numpy as np
import pytest

from dsa110_contimg.calibration.health import (
    Signs,
    coherence,
    exchange_turns,
    find_swapped,
    name_ailments,
)

NAMES = ["1", "2", "3", "4", "5", "6"]
FREQ_HZ = 1311.387e6 + np.arange(96) * 2e6
TRACK = np.radians(np.linspace(-0.65, 0.65, 24))
DIRECTIONS = np.stack([np.cos(TRACK) * 0.6, -np.sin(TRACK) * 0.6, np.full(24, 0.8)], axis=-1)


def signs(**changes):
    facts = {
        "has_data": np.ones((6, 2), bool),
        "dead": np.zeros((6, 2), bool),
        "seen": np.full((6, 2), 50.0),
        "coherence": np.ones((6, 2)),
        "channel_snr": np.full((6, 2), 20.0),
        "sefd_jy": np.full((6, 2), 6500.0),
    }
    for name, (place, value) in changes.items():
        facts[name][place] = value
    return Signs(**facts)


def test_a_healthy_array_has_no_ailments():
    assert name_ailments(signs(), NAMES, [], 3.0) == ()
    assert signs().suspects.size == 0


@pytest.mark.parametrize(
    ("sign", "value", "kind", "lost"),
    [
        ("has_data", False, "no data", True),
        ("dead", True, "dead", True),
        ("seen", 0.0, "deaf", True),
        ("coherence", 0.4, "unstable", False),
        ("channel_snr", 2.0, "weak", False),
        ("sefd_jy", 2e4, "noisy", False),
    ],
)
def test_each_ailment_is_named_by_antenna_and_polarization(sign, value, kind, lost):
    (one,) = name_ailments(signs(**{sign: (2, value)}), NAMES, [], 3.0)
    assert (one.antenna, one.polarizations, one.kind, one.is_lost) == ("3", ("XX", "YY"), kind, lost)
    (other,) = name_ailments(signs(**{sign: ((4, 1), value)}), NAMES, [], 3.0)
    assert (other.antenna, other.polarizations, other.kind) == ("5", ("YY",), kind)
    assert str(other).startswith("antenna 5 (YY): ")


def test_the_two_polarizations_may_ail_from_different_things():
    ill = signs(dead=((1, 0), True), channel_snr=((1, 1), 1.0))
    assert [(item.kind, item.polarizations) for item in name_ailments(ill, NAMES, [], 3.0)] == [
        ("dead", ("XX",)),
        ("weak", ("YY",)),
    ]


def test_suspects_see_faintly_or_move_but_have_power():
    ill = signs(dead=(0, True), seen=(1, 10.0), coherence=((3, 1), 0.5))
    assert ill.suspects.tolist() == [1, 3]


def test_coherence_is_not_judged_from_noise():
    steady = np.full((1, 24, 1), 2.0 + 0j)
    turning = 2.0 * np.exp(1j * np.linspace(0, 6, 24))[None, :, None]
    good, poor = np.full((1, 24, 1), 50.0), np.full((1, 24, 1), 2.0)
    assert coherence(steady, good) == pytest.approx(1)
    assert coherence(turning, good) < 0.3
    assert coherence(turning, poor) == pytest.approx(1)
    assert coherence(np.zeros((1, 24, 1), complex), good) == pytest.approx(1)


def spectra(places_m, swapped, noise=1.0, amplitude=1.0):
    """What six antennas see, two of them from each other's place; delays of some ns."""
    rng = np.random.default_rng(5)
    result = []
    for k in range(len(places_m)):
        other = dict([swapped, swapped[::-1]]).get(k, k) if swapped else k
        turn = exchange_turns(places_m[k], places_m[other], DIRECTIONS, FREQ_HZ)
        delay = np.exp(2j * np.pi * rng.uniform(-2e-8, 2e-8) * FREQ_HZ)
        thermal = rng.normal(size=(2, *turn.shape, 2))
        result.append((amplitude * turn * delay)[..., None] + noise * (thermal[0] + 1j * thermal[1]))
    return np.array(result, np.complex64)


@pytest.mark.parametrize("scale_m", [5.0, 60.0, 600.0])
def test_exchanged_cables_are_found_near_and_far(scale_m):
    places_m = np.random.default_rng(6).normal(0, scale_m, (6, 3))

    def turns(p, q):
        return exchange_turns(places_m[p], places_m[q], DIRECTIONS, FREQ_HZ)

    seen = spectra(places_m, (1, 4))
    assert find_swapped(seen, np.arange(6), turns) in ([(1, 4)], [(4, 1)])


def test_no_pair_is_made_of_antennas_that_are_right_or_deaf():
    places_m = np.random.default_rng(6).normal(0, 60.0, (6, 3))

    def turns(p, q):
        return exchange_turns(places_m[p], places_m[q], DIRECTIONS, FREQ_HZ)

    assert find_swapped(spectra(places_m, None), np.arange(6), turns) == []
    assert find_swapped(spectra(places_m, None, amplitude=0.0), np.arange(6), turns) == []


def test_both_of_a_pair_are_named_with_the_other():
    first, second = name_ailments(signs(seen=([1, 4], 0.0)), NAMES, [(1, 4)], 3.0)
    assert (first.antenna, first.kind, second.antenna, second.kind) == ("2", "swapped", "5", "swapped")
    assert "antenna 5" in first.text
    assert "antenna 2" in second.text
