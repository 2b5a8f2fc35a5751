"""A small hour, from subband files to a measured mosaic, is held to the sky that was simulated."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "bench_hour.py"
STATIONS = (*range(8, 21, 2), *range(24, 42, 2), *range(68, 88, 2))
"""Half of the tee: a beam of two arcminutes, so that a wide field has few pixels."""
# Right ascension 0h crosses the meridian in the middle.
ZERO_HOURS = 60953.2886 - 309.0 / 86400


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_hour", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_images_of_our_own_are_joined_to_the_true_sky(bench, tmp_path):
    plan = bench.Plan(
        groups=3,
        dec_deg=16.27,
        start_mjd=ZERO_HOURS,
        subbands=4,
        oversample=1,
        per_deg2=0.35,
        fluxes_jy=(0.05, 0.5),
        antennas=STATIONS,
        image={"size": 600, "cell_arcsec": 24.0, "half_bands": False},
    )
    sky, images, _ = bench.make_images(tmp_path, plan)
    compared = bench.compare(sky, images, tmp_path)
    said = "\n".join(bench.lines_of(compared))
    assert compared.n_sources > 5, said
    assert compared.wrong() == [], said
