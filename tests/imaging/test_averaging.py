import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.imaging.averaging import collect, noise_scale
from dsa110_contimg.imaging.smearing import kept, turns
from made_integrations import STATIONS, direction, dirty_flux, make_blocks, make_observation

EDGE_DEG = 1.5
EDGE = np.radians(EDGE_DEG)
NEVER = ImageSettings(smearing=1e-9, threads=2)
N_CROSS = len(STATIONS) * (len(STATIONS) - 1) // 2


def change(blocks, function):
    """Let a function change each block, which it is given with its number."""
    for number, block in enumerate(blocks):
        function(number, block)
        yield block


@pytest.mark.parametrize("weighting", ["natural", "uniform"])
@pytest.mark.parametrize("smearing", [0.01, 0.05])
def test_a_source_at_the_edge_loses_no_more_than_is_stated(smearing, weighting):
    seen = make_observation(12, 48)
    settings = ImageSettings(smearing=smearing, weighting=weighting, chunks=4)
    lost = []
    for angle in range(0, 180, 30):
        lm = direction(EDGE_DEG, angle)
        samples, _, plan, _ = collect(make_blocks(seen, lm), seen, settings, EDGE)
        flux = dirty_flux(samples, lm)
        # At natural weight a source that is not averaged is 1 Jy to the last digit.
        lost.append(1 - flux)
        assert samples.weights.size == plan.n_samples_out < plan.n_samples_in / 3
    if weighting == "natural":
        assert max(lost) <= plan.loss * 1.02
        assert max(lost) > plan.loss * 0.8
        assert np.mean(lost) == pytest.approx(plan.mean_loss, rel=0.1)
    else:
        # Uniform weighting was planned for, which weighs long baselines up: natural loses less.
        assert max(lost) < plan.loss


def test_bandwidth_smearing_is_that_of_theory():
    """Each baseline keeps sin(N D/2) / (N sin(D/2)), D the turn from one channel to the next."""
    seen = make_observation(1, 16)
    lm = direction(EDGE_DEG, 90.0)
    samples, _, plan, _ = collect(make_blocks(seen, lm), seen, ImageSettings(smearing=0.1), EDGE)
    assert plan.channels >= 4
    expected = kept(turns(seen, EDGE).by_channel[1], plan.channels)
    # Position angle 90 deg is a quarter of all.
    found = np.abs(samples.visibilities).mean(axis=1)
    np.testing.assert_allclose(found, expected[:, expected.shape[1] // 4], atol=1e-5)
    assert found.min() < 0.9


def test_time_smearing_is_that_of_theory():
    seen = make_observation(3, 1)
    lm = direction(EDGE_DEG, 45.0)
    samples, _, plan, _ = collect(make_blocks(seen, lm), seen, ImageSettings(smearing=0.1, chunks=1), EDGE)
    whole = plan.times == 3
    assert whole.any()
    of_pair = {pair: k for k, pair in enumerate(zip(plan.antenna1, plan.antenna2, strict=True))}
    pairs = np.array([of_pair[pair] for pair in zip(samples.antenna1, samples.antenna2, strict=True)])
    expected = kept(turns(seen, EDGE).by_time[1], 3)[:, 2]
    found = np.abs(samples.visibilities[:, 0])
    rows = whole[pairs]
    np.testing.assert_allclose(found[rows], expected[pairs[rows]], atol=2e-4)
    assert found[rows].min() < 0.99


def test_the_phase_of_a_mean_is_that_of_its_mean_place():
    seen = make_observation(6, 16)
    lm = direction(1.0, 200.0)
    samples, _, plan, _ = collect(make_blocks(seen, lm), seen, ImageSettings(chunks=2), EDGE)
    assert plan.channels > 1
    assert plan.times.max() == 3
    blocks = collect(make_blocks(seen, (0.0, 0.0)), seen, ImageSettings(chunks=2), EDGE)
    np.testing.assert_allclose(blocks.samples.visibilities, 1.0, atol=1e-6)
    # The imaginary part of what is turned back is what is wrong with the phase.
    turned = dirty_flux(samples._replace(visibilities=samples.visibilities * 1j), lm)
    assert abs(turned) < 1e-5


@hypothesis.settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["both", "either"]))
def test_weights_are_conserved(seed, stokes):
    """What is averaged has the sum of the weights, and its weighted mean."""
    seen = make_observation(3, 6, stations=STATIONS[:4])
    rng = np.random.default_rng(seed)
    blocks = list(make_blocks(seen, direction(1.0, 10.0)))
    total, product = 0.0, 0.0
    for block in blocks:
        block.flags[:] = rng.random(block.flags.shape) < 0.4
        block.weights[:] = rng.uniform(1, 3, block.flags.shape)
        block.visibilities[:] = rng.normal(size=block.flags.shape) + 1j * rng.normal(size=block.flags.shape)
        cross = block.antenna1 != block.antenna2
        (x, y), (wx, wy) = (values[cross].transpose(2, 0, 1) for values in (block.visibilities, block.weights))
        bad_x, bad_y = block.flags[cross].transpose(2, 0, 1)
        both = ~bad_x & ~bad_y
        weight = np.where(both, 4 * wx * wy / (wx + wy), 0.0)
        value = (x + y) / 2
        if stokes == "either":
            weight = np.where(~bad_x & bad_y, wx, np.where(bad_x & ~bad_y, wy, weight))
            value = np.where(~bad_x & bad_y, x, np.where(bad_x & ~bad_y, y, value))
        total += weight.sum()
        product += (weight * value).sum()
    settings = ImageSettings(smearing=0.4, chunks=1, stokes=stokes, threads=2)
    samples, _, plan, scale = collect(blocks, seen, settings, EDGE)
    assert plan.n_samples_out < plan.n_samples_in
    weights = samples.weights * scale**2
    assert weights.sum(dtype=float) == pytest.approx(total, rel=1e-5)
    mean = (weights * samples.visibilities).sum(dtype=complex)
    assert abs(mean - product) < 1e-4 * total
    assert np.all(samples.visibilities[samples.weights == 0] == 0)


def test_rows_are_in_the_order_of_time_and_say_what_they_are():
    seen = make_observation(6, 4)
    samples, difference, plan, _ = collect(make_blocks(seen, direction(1.0, 0.0)), seen, ImageSettings(chunks=2), EDGE)
    assert difference is None
    assert np.all(np.diff(samples.mjd) >= 0)
    assert np.all(samples.antenna1 < samples.antenna2)
    assert np.unique(plan.times).size > 1
    edges = seen.chunk_edges_mjd(2)
    chunk = np.searchsorted(edges[1:-1], samples.mjd)
    assert set(chunk) == {0, 1}
    # The two halves of the time are alike.
    assert np.count_nonzero(chunk) == chunk.size // 2
    assert samples.visibilities.dtype == np.complex64
    assert samples.weights.dtype == np.float32
    assert samples.uvw_m.flags.c_contiguous


def test_rows_say_what_they_are_made_of():
    seen = make_observation(6, 4)
    settings = ImageSettings(smearing=0.4, chunks=2)
    samples, _, plan, _ = collect(make_blocks(seen, (0.0, 0.0)), seen, settings, np.radians(0.01))
    assert samples.extent.channels == plan.channels == 4
    assert np.all(samples.extent.times == 3)
    blocks = list(make_blocks(seen, (0.0, 0.0)))
    cross = blocks[0].antenna1 != blocks[0].antenna2
    moved_m = np.concatenate([(blocks[k + 2].uvw_m - blocks[k].uvw_m)[cross, :2] for k in (0, 3)])
    # The frame's north is that of ICRS, the formula's that of the day.
    np.testing.assert_allclose(samples.extent.span_m, moved_m, atol=0.01 * np.abs(moved_m).max())


def test_nothing_averaged_is_the_data():
    seen = make_observation(2, 5)
    samples, _, plan, _ = collect(make_blocks(seen, direction(1.0, 0.0)), seen, NEVER, EDGE)
    assert plan.channels == 1
    blocks = list(make_blocks(seen, direction(1.0, 0.0)))
    cross = blocks[0].antenna1 != blocks[0].antenna2
    np.testing.assert_allclose(samples.uvw_m, np.concatenate([block.uvw_m[cross] for block in blocks]), rtol=1e-12)
    np.testing.assert_allclose(
        samples.visibilities, np.concatenate([block.visibilities[cross, :, 0] for block in blocks]), atol=1e-6
    )
    np.testing.assert_allclose(samples.freq_hz, seen.freq_hz)
    assert np.all(samples.weights == 8.0)
    np.testing.assert_allclose(samples.mjd, np.repeat(seen.times_mjd, N_CROSS))


def test_channels_are_where_their_weights_are():
    seen = make_observation(2, 8)

    def flag(_, block):
        block.flags[:, :3] = True

    samples, _, plan, _ = collect(
        change(make_blocks(seen, (0.0, 0.0)), flag), seen, ImageSettings(smearing=0.4, chunks=1), np.radians(0.01)
    )
    assert plan.channels == 8
    assert samples.freq_hz[0] == pytest.approx(seen.freq_hz[3:].mean())
    assert samples.channel_width_hz == 8 * seen.channel_width_hz


def test_the_uvw_of_a_mean_are_where_its_weights_are():
    seen = make_observation(3, 4)

    def flag(number, block):
        block.flags[:] = number == 0

    samples, _, _, _ = collect(
        change(make_blocks(seen, (0.0, 0.0)), flag), seen, ImageSettings(smearing=0.4, chunks=1), np.radians(0.01)
    )
    blocks = list(make_blocks(seen, (0.0, 0.0)))
    cross = blocks[0].antenna1 != blocks[0].antenna2
    expected = (blocks[1].uvw_m[cross] + blocks[2].uvw_m[cross]) / 2
    np.testing.assert_allclose(samples.uvw_m, expected, rtol=1e-9)


def test_rows_without_weight_are_left_out():
    seen = make_observation(3, 4)
    dead = seen.working[3]

    def flag(number, block):
        block.flags[(block.antenna1 == dead) | (block.antenna2 == dead)] = True
        block.flags[:] |= number == 1

    samples, _, _, _ = collect(change(make_blocks(seen, (0.0, 0.0)), flag), seen, NEVER, EDGE)
    assert samples.mjd.size == 2 * (N_CROSS - len(STATIONS) + 1)
    assert dead not in samples.antenna1
    assert dead not in samples.antenna2
    np.testing.assert_allclose(samples.visibilities, 1.0, atol=1e-6)


def test_a_range_of_projected_baselines():
    seen = make_observation(2, 4)
    settings = ImageSettings(smearing=1e-9, min_uv_m=100.0, max_uv_m=900.0)
    samples, _, _, _ = collect(make_blocks(seen, (0.0, 0.0)), seen, settings, EDGE)
    uv_m = np.hypot(samples.uvw_m[:, 0], samples.uvw_m[:, 1])
    everything, _, _, _ = collect(make_blocks(seen, (0.0, 0.0)), seen, NEVER, EDGE)
    all_m = np.hypot(everything.uvw_m[:, 0], everything.uvw_m[:, 1])
    assert 100 <= uv_m.min() < uv_m.max() <= 900
    assert uv_m.size == np.count_nonzero((all_m >= 100) & (all_m <= 900)) < all_m.size


def test_the_difference_of_xx_and_yy():
    seen = make_observation(2, 4)
    settings = ImageSettings(difference=True, stokes="either")

    def flag(_, block):
        block.flags[:, 2, 1] = True

    lm = direction(0.01, 0.0)
    blocks = change(make_blocks(seen, lm, 2.0, difference_jy=0.5), flag)
    samples, difference, _, scale = collect(blocks, seen, settings, np.radians(0.02))
    # A channel of which only XX is good has 2.5 Jy there.
    weights = np.array([8, 8, 4, 8])
    assert dirty_flux(samples, lm) == pytest.approx(np.average([2, 2, 2.5, 2], weights=weights), rel=1e-4)
    assert dirty_flux(difference, lm) == pytest.approx(0.5, rel=1e-4)
    assert difference.weights.sum() == pytest.approx(samples.weights.sum() * 24 / 28)
    assert scale > 0


@pytest.mark.parametrize("noise_jy", [3e-4, 0.5, 70.0])
def test_weights_are_the_inverse_variance_of_the_noise_that_there_is(noise_jy):
    """Whatever the scale of the weights that the data come with; interference on one baseline does not count."""
    seen = make_observation(12, 24)
    rng = np.random.default_rng(5)

    def spoil(_, block):
        shape = (*block.visibilities.shape, 2)
        # Weights of 4 and 1, right but for their scale.
        block.weights[..., 1] = 1.0
        noise = rng.normal(size=shape) @ np.array([1, 1j]) * np.array([1.0, 2.0]) * noise_jy
        block.visibilities[:] += noise
        block.visibilities[3, :, 0] += 1e4 * noise_jy

    samples, difference, _, scale = collect(
        change(make_blocks(seen, (0.0, 0.0)), spoil), seen, ImageSettings(smearing=1e-9, difference=True), EDGE
    )
    assert scale == pytest.approx(2 * noise_jy, rel=0.03)
    quiet = np.abs(samples.visibilities).mean(axis=1) < 1e3 * noise_jy + 2
    for each, truth in ((samples, 1.0), (difference, 0.0)):
        pulls = (each.visibilities[quiet] - truth) * np.sqrt(each.weights[quiet])
        assert pulls.real.std() == pytest.approx(1.0, rel=0.05)
        assert pulls.imag.std() == pytest.approx(1.0, rel=0.05)


def test_weights_without_noise_are_left_as_they_are():
    seen = make_observation(2, 4)
    found = collect(make_blocks(seen, (0.0, 0.0)), seen, NEVER, EDGE)
    assert found.noise_scale is None
    assert np.all(found.samples.weights == 8.0)


def test_the_noise_of_few_samples_is_that_of_all():
    assert noise_scale(np.array([[8.0, 0.0, 1.0], [0.0, 0.0, 1.0]])) == pytest.approx(np.sqrt(2))
    assert noise_scale(np.zeros((3, 3))) is None


def test_antennas_the_other_way_round_and_baselines_that_are_there_twice():
    seen = make_observation(2, 4)
    lm = direction(1.0, 70.0)

    def turned(block, names=("antenna1", "antenna2")):
        return block._replace(
            antenna1=block.antenna2,
            antenna2=block.antenna1,
            uvw_m=-block.uvw_m,
            visibilities=np.conj(block.visibilities),
        )

    def twice(block):
        other = turned(block)
        return block._replace(
            **{
                name: np.concatenate([getattr(block, name), getattr(other, name)])
                for name in ("antenna1", "antenna2", "uvw_m", "visibilities", "flags", "weights")
            }
        )

    plain, _, _, _ = collect(make_blocks(seen, lm), seen, ImageSettings(), EDGE)
    mirrored, _, _, _ = collect(map(turned, make_blocks(seen, lm)), seen, ImageSettings(), EDGE)
    double, _, _, _ = collect(map(twice, make_blocks(seen, lm)), seen, ImageSettings(), EDGE)
    for other, factor in ((mirrored, 1), (double, 2)):
        np.testing.assert_allclose(other.visibilities, plain.visibilities, atol=1e-6)
        np.testing.assert_allclose(other.uvw_m, plain.uvw_m, rtol=1e-9)
        np.testing.assert_allclose(other.weights, factor * plain.weights)


def test_what_cannot_be_imaged():
    seen = make_observation(2, 4)

    def flag(_, block):
        block.flags[:] = True

    with pytest.raises(MeasurementSetError, match="no good visibility of two different antennas"):
        collect(change(make_blocks(seen, (0.0, 0.0)), flag), seen, ImageSettings(), EDGE)
    with pytest.raises(MeasurementSetError, match="no good visibility"):
        collect([], seen, ImageSettings(), EDGE)
    later = make_observation(2, 4, start_mjd=60954.0)
    with pytest.raises(MeasurementSetError, match="is not of this observation"):
        collect(make_blocks(later, (0.0, 0.0)), seen, ImageSettings(), EDGE)
    wider = make_observation(2, 5)
    with pytest.raises(MeasurementSetError, match="4 channels, of XX and YY"):
        collect(make_blocks(wider, (0.0, 0.0)), seen, ImageSettings(), EDGE)
