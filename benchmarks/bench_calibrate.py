#!/usr/bin/env python3
"""Time the solving of a full calibrator group against CASA's tasks, and the applying against the conversion.

    python benchmarks/bench_calibrate.py [--data DIR] [--quick] [--no-casa]

A group is simulated with known gains, noise and a field of other sources, converted with MODEL_DATA, and solved: by
``dsa110-contimg calibrate`` (K, B and G), and by CASA's gaincal (K), bandpass (B) and gaincal (G) with the same
Measurement Set. Both solutions are compared with the truth. Each is a process of its own, start of Python included.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench_convert import CLI, Run, empty, measure, require_disk

from calibrator_group import CalibratorGroup, errors_of, rms_deg
from casa import run_casa
from dsa110_contimg.calibration.casa_tables import read_caltables
from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.simulation.truth import read_truth

CALIBRATOR = "0834+555"
# It transits in the middle.
START, QUICK_START, DEC = "2025-10-04T15:33:07", "2025-10-04T15:35:03", "54.5734"
FULL_GB, QUICK_GB = 10.0, 0.5
CASA = """
import time
from casatasks import bandpass, gaincal
ms, out, reference = args["ms"], args["out"], args["reference"]
tables, result = [], {}
def step(name, task, **more):
    begun = time.perf_counter()
    tables.append(f"{out}/{name}.tab")
    task(vis=ms, caltable=tables[-1], refant=reference, gaintable=tables[:-1], uvrange=">50m", **more)
    result[name] = time.perf_counter() - begun
step("K", gaincal, gaintype="K", solint="inf")
step("B", bandpass, bandtype="B", solint="inf")
step("G", gaincal, gaintype="G", solint="60s", calmode="ap")
"""


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("contimg-data/bench"), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="a small group: whether it runs, not how fast")
    parser.add_argument("--no-casa", action="store_true", help="leave the peer out")
    options = parser.parse_args()
    data = (options.data / f"calibrate-{'quick' if options.quick else 'full'}").resolve()
    data.mkdir(parents=True, exist_ok=True)
    require_disk(data, QUICK_GB if options.quick else FULL_GB)
    group = make_group(data, quick=options.quick)
    out = data / "out"
    out.mkdir(exist_ok=True)
    empty(out)
    plain = measure((*CLI, "convert", str(group), str(out)))
    empty(out)
    measure((*CLI, "convert", str(group), str(out), "--calibrator", CALIBRATOR, "--calibrator-only"))
    (ms,) = out.glob("*.ms")
    solve = (*CLI, "calibrate", str(ms), "--catalogue", str(data / "field.csv"), "--output", str(out / "ours"))
    measure(solve)  # not timed: compiles the kernels
    ours = measure((*solve, "--overwrite"))
    say("calibrate, K + B + G", ours, f"with a model of {1 + field_size(data)} sources")
    truth = CalibratorGroup(ms, read_truth(next(group.glob("*.json"))), group)
    compare(truth, sorted((out / "ours").glob("*.tab")))
    if not options.no_casa:
        begun = time.perf_counter()
        (out / "casa").mkdir()
        ran = run_casa(out / "casa", CASA, timeout_s=3600, ms=str(ms), out=str(out / "casa"), reference="103")
        whole = time.perf_counter() - begun
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in ran.result.items())
        print(f"{'CASA, the same':<28} {whole:7.1f} s  {steps}; {whole / ours.wall_s:.1f} times ours")
        compare(truth, sorted((out / "casa").glob("*.tab")))
    applied = measure((*CLI, "apply", str(ms), "--table", str(out / "ours")))
    say("apply, CORRECTED_DATA", applied, f"{applied.wall_s / plain.wall_s:.2f} times the conversion")
    say("convert, as a yardstick", plain, "")
    empty(out)


def field_size(data: Path) -> int:
    """Count the sources of the field."""
    return len((data / "field.csv").read_text().splitlines()) - 1


def make_group(data: Path, *, quick: bool) -> Path:
    """Simulate a group in which the calibrator transits, unless an earlier benchmark has."""
    group, source = data / "group", find_calibrator(CALIBRATOR)
    if group.exists():
        return group
    spectrum = source.spectrum.flux_jy(np.array([1.3e9, 1.4e9, 1.5e9]))
    alpha = float(np.log(spectrum[2] / spectrum[0]) / np.log(1.5 / 1.3))
    rng = np.random.default_rng(5)
    rows = [f"{source.ra_deg},{source.dec_deg},{spectrum[1]},{alpha}"]
    for east, north in rng.uniform(-1.2, 1.2, (40, 2)):
        ra_deg = source.ra_deg + east / np.cos(np.radians(source.dec_deg))
        rows.append(f"{ra_deg},{source.dec_deg + north},{0.03 * rng.uniform(0.03, 1.0) ** -0.9},-0.7")
    header = "ra,dec,flux,alpha"
    (data / "sky.csv").write_text("\n".join([header, *rows]) + "\n")
    (data / "field.csv").write_text("\n".join([header, *rows[1:]]) + "\n")
    size = ("--antennas", "16", "--integrations", "6") if quick else ()
    sky = ("--sky", str(data / "sky.csv"), "--gains", "3", "--dec", DEC)
    measure((*CLI, "simulate", str(group), *sky, "--start", QUICK_START if quick else START, *size))
    return group


def compare(truth: CalibratorGroup, tables: list[Path]) -> None:
    """Print how far solutions are from the truth."""
    by_kind = {table.kind: table for table in read_caltables(tables)}
    ratio = errors_of(truth, by_kind["K"], by_kind["B"], by_kind["G"])
    amplitude = np.abs(ratio) - 1
    print(
        f"{'':<28}            amplitude {100 * np.nanmedian(amplitude):+.2f}% +- {100 * np.nanstd(amplitude):.2f}%,"
        f" phase {rms_deg(ratio):.2f} deg rms over antennas, channels and times"
    )


def say(what: str, run: Run, more: str) -> None:
    """Print one line."""
    print(f"{what:<28} {run.wall_s:7.1f} s  {run.peak_bytes / 1e6:6.0f} MB  {more}")


if __name__ == "__main__":
    main()
