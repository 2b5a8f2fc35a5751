#!/usr/bin/env python3
"""Time the imaging of a full group beside WSClean, and the way from files to a catalogue; hold both to the truth.

    python benchmarks/bench_image.py [--data DIR] [--results FILE] [--quick] [--no-wsclean] [--wide]

A group of 100 sources (1 mJy to 10 Jy, within 1.5 deg, in the noise of the receivers) is simulated and converted. Every
run is a process of its own, start of Python included, its input in the page cache. What is run:

still
    ``dsa110-contimg image``, 5 major cycles at most, with a model that stands still in the beam: what WSClean does.
drifting
    The same with the default model, which drifts through the beam.
wsclean
    The same with ``--engine wsclean``: its weighting, size, thresholds and major cycles are ours.
run
    ``dsa110-contimg run``: subband files to report, half-band images included, at the same size; with --wide also at
    the default field's size.

Imaging takes what the record of the images says; wall time has the catalogue and the report, too. The sources that are
found are held against the sky that was simulated.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench_convert import CLI, Run, console, cpu_model, empty, measure, require_disk
from rich.table import Table

from dsa110_contimg.images.fits import celestial_wcs, read_image
from dsa110_contimg.photometry.records import read_catalogue
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.geometry import meridian_icrs

HERE = Path(__file__).resolve().parent
FULL_GB, QUICK_GB = 12.0, 0.5
GROUP_S = 309.0
START_MJD, DEC_DEG = 60953 + 12.5 / 24, 54.5734
N_SOURCES, RADIUS_DEG, APART_DEG, ALPHA = 100, 1.5, 0.06, -0.7
FAINTEST_JY, BRIGHTEST_JY = 1e-3, 10.0
FULL, QUICK = {"size": 2048, "cell": 6.0}, {"size": 320, "cell": 15.0}
CYCLES = 5
STAGES = ("convert", "flag", "image", "catalogue", "report")
COLUMNS = (
    "",
    "wall [s]",
    "imaging [s]",
    "peak RSS [MB]",
    "rms [mJy]",
    "peak left [mJy]",
    "complete",
    "reliable",
    "flux bias",
    "offset [beam]",
)


class Judged(NamedTuple):
    """What a catalogue is against the truth.

    Attributes
    ----------
    complete : float
        Part of the true sources above 5 times the local noise that were found.
    reliable : float
        Part of the sources found above 5 times the local noise that are true.
    bias : float
        Mean of flux density over the true one, less 1, above 20 times the noise.
    offset_beams : float
        Mean offset, east and north in quadrature, over the beam's mean width, above 20 times the noise.
    """

    complete: float
    reliable: float
    bias: float
    offset_beams: float


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("contimg-data/bench"), help="default: %(default)s")
    parser.add_argument(
        "--results", type=Path, help="table to keep; default: benchmarks/RESULTS_IMAGE.md, none if quick"
    )
    parser.add_argument("--quick", action="store_true", help="a small group: whether it runs, not how fast")
    parser.add_argument("--no-wsclean", action="store_true", help="leave the peer out")
    parser.add_argument("--wide", action="store_true", help="also at the default field's size")
    options = parser.parse_args()
    data = (options.data / f"image-{'quick' if options.quick else 'full'}").resolve()
    data.mkdir(parents=True, exist_ok=True)
    require_disk(data, QUICK_GB if options.quick else FULL_GB)
    group, ms = make_group(data, quick=options.quick)
    pixels = QUICK if options.quick else FULL
    rows = [image_row(name, data, ms, pixels) for name in contenders(options)]
    show(COLUMNS, rows)
    lines = [through_line(f"{pixels['size']}^2, {pixels['cell']:g} arcsec", data, group, pixels)]
    if options.wide:
        lines.append(through_line("default field", data, group, None))
    results = options.results or (None if options.quick else HERE / "RESULTS_IMAGE.md")
    if results:
        keep(results, rows, lines)
        console.print(f"kept in {results}")
    return 0


def contenders(options: argparse.Namespace) -> tuple[str, ...]:
    """Names of what is run."""
    if options.no_wsclean or shutil.which("wsclean") is None:
        console.print("WSClean is left out: ours alone")
        return ("still", "drifting")
    return ("still", "drifting", "wsclean")


def make_group(data: Path, *, quick: bool) -> tuple[Path, Path]:
    """Simulate and convert the group, unless an earlier benchmark has; return its files and its Measurement Set."""
    group = data / "group"
    if not group.exists():
        console.print(f"simulating {N_SOURCES} sources in {group}, once")
        write_sky(data / "sky.csv")
        size = ("--antennas", "12", "--integrations", "4") if quick else ()
        making = data / "making"
        shutil.rmtree(making, ignore_errors=True)
        measure((*CLI, "simulate", str(making), "--sky", str(data / "sky.csv"), "--dec", str(DEC_DEG), *size))
        making.rename(group)
    if not list((data / "ms").glob("*.ms")):
        measure((*CLI, "convert", str(group), str(data / "ms")))
    (ms,) = (data / "ms").glob("*.ms")
    return group, ms


def write_sky(path: Path) -> None:
    """Scatter sources, as many in each decade of flux density."""
    rng = np.random.default_rng(8)
    middle = START_MJD + 12 * INTEGRATION_S / 86400
    ra_deg, dec_deg = (float(value[0]) for value in meridian_icrs(np.radians(DEC_DEG), [middle], HEADER_SITE))
    places = np.empty((0, 2))
    while len(places) < N_SOURCES:
        place = rng.uniform(-RADIUS_DEG, RADIUS_DEG, 2)
        if np.hypot(*place) < RADIUS_DEG and (np.hypot(*(places - place).T) > APART_DEG).all():
            places = np.concatenate([places, [place]])
    flux_jy = np.sort(np.geomspace(FAINTEST_JY, BRIGHTEST_JY, N_SOURCES))[rng.permutation(N_SOURCES)]
    rows = ["ra,dec,flux,alpha"]
    for (east, north), flux in zip(places, flux_jy, strict=True):
        dec = dec_deg + north
        rows.append(f"{ra_deg + east / np.cos(np.radians(dec))},{dec},{flux},{ALPHA}")
    path.write_text("\n".join(rows) + "\n")


def image_row(name: str, data: Path, ms: Path, pixels: dict[str, Any]) -> tuple[str, ...]:
    """Image once, and lay out what is said of it."""
    out = data / "out"
    out.mkdir(exist_ok=True)
    empty(out)
    command = [*CLI, "image", str(ms), str(out), "--column", "DATA", "--no-outliers", "--no-half-bands"]
    command += ["--size", str(pixels["size"]), "--cell", str(pixels["cell"]), "--major-cycles", str(CYCLES)]
    command += ["--no-drift"] if name == "still" else []
    command += ["--engine", "wsclean"] if name == "wsclean" else []
    run = measure(tuple(command))
    (image,) = out.rglob("*-image.fits")
    residual = read_image(image.with_name(image.name.replace("-image", "-residual"))).pixels
    record = json.loads(image.with_suffix(".json").read_text())
    judged = judge(image, data / "sky.csv")
    console.print(f"{name:<10} {run.wall_s:6.1f} s", style="dim")
    row = described(name, run, float(record["seconds"]), residual, judged)
    empty(out)
    return row


def described(name: str, run: Run, imaging_s: float, residual: np.ndarray, judged: Judged) -> tuple[str, ...]:
    """Lay out one row of the table."""
    rms_mjy = 1482.6 * float(np.median(np.abs(residual - np.median(residual))))
    return (
        name,
        f"{run.wall_s:.1f}",
        f"{imaging_s:.1f}",
        f"{run.peak_bytes / 1e6:.0f}",
        f"{rms_mjy:.2f}",
        f"{1e3 * np.abs(residual).max():.1f}",
        f"{judged.complete:.1%}",
        f"{judged.reliable:.1%}",
        f"{judged.bias:+.2%}",
        f"{judged.offset_beams:.3f}",
    )


def judge(image: Path, sky: Path) -> Judged:
    """Hold the sources that were found in an image against those that were simulated."""
    (table,) = image.parent.glob(f"{image.name.removesuffix('-image.fits')}*.ecsv")
    found = read_catalogue(table)
    planes = {kind: read_image(image.with_name(image.name.replace("-image", f"-{kind}"))) for kind in ("pb", "rms")}
    header = read_image(image).header
    with sky.open() as file:
        true = np.array([[float(row[key]) for key in ("ra", "dec", "flux")] for row in csv.DictReader(file)])
    ra_deg, dec_deg, flux_jy = true.T
    flux_jy = flux_jy * (header.freq_hz / 1.4e9) ** ALPHA
    shape = planes["pb"].pixels.shape
    x, y = (
        np.clip(np.rint(axis).astype(int), 0, shape[0] - 1)
        for axis in celestial_wcs(header, shape).all_world2pix(ra_deg, dec_deg, 0)
    )
    snr = flux_jy * planes["pb"].pixels[y, x] / planes["rms"].pixels[y, x]
    found_ra, found_dec, found_jy, found_snr = (
        np.asarray(found[column], dtype=float) for column in ("ra", "dec", "flux", "snr")
    )
    beam_arcsec = float(np.sqrt(header.beam.major_deg * header.beam.minor_deg)) * 3600
    east = 3600 * (found_ra[None] - ra_deg[:, None]) * np.cos(np.radians(dec_deg))[:, None]
    north = 3600 * (found_dec[None] - dec_deg[:, None])
    apart = np.hypot(east, north)
    if not apart.size:
        return Judged(0.0, 1.0, float("nan"), float("nan"))
    near = apart.min(axis=1) < beam_arcsec / 2
    which, bright = apart.argmin(axis=1), near & (snr > 20)
    matched = (apart < beam_arcsec).any(axis=0)
    mean = [float(axis[np.flatnonzero(bright), which[bright]].mean()) for axis in (east, north)]
    return Judged(
        complete=float(near[snr > 5].mean()),
        reliable=float(matched[found_snr > 5].mean()),
        bias=float((found_jy[which[bright]] / flux_jy[bright]).mean() - 1),
        offset_beams=float(np.hypot(*mean)) / beam_arcsec,
    )


def through_line(what: str, data: Path, group: Path, pixels: dict[str, Any] | None) -> str:
    """Take the group's files to a report, and say how long each stage took."""
    settings, out = data / "settings.toml", data / "run"
    lines = ["[stream]", f"stages = {json.dumps(STAGES)}"]
    if pixels is not None:
        lines += ["[image]", f"size = {pixels['size']}", f"cell_arcsec = {pixels['cell']}"]
    settings.write_text("\n".join(lines) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    run = measure((*CLI, "--settings", str(settings), "run", str(group), str(out)))
    said = "\n".join(path.read_text() for path in (out / "state" / "logs").rglob("*.log"))
    stages = [
        f"{stage} {seconds} s" for stage in STAGES for seconds in re.findall(rf"\b{stage} \S+: .* in ([\d.]+) s", said)
    ]
    shutil.rmtree(out)
    line = (
        f"run, {what}: {run.wall_s:.1f} s from subband files to report, {GROUP_S / run.wall_s:.1f} times faster than"
        f" the sky, {run.peak_bytes / 1e6:.0f} MB: {', '.join(stages)}"
    )
    console.print(line)
    return line


def show(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table."""
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def keep(results: Path, rows: list[tuple[str, ...]], lines: list[str]) -> None:
    """Write what is kept."""
    rule = ("---", *["---:"] * (len(COLUMNS) - 1))
    text = [
        "# Imaging, timed and held against the truth",
        "",
        f"{time.strftime('%Y-%m-%d')}, on {cpu_model()}; {CYCLES} major cycles at most. Flux bias and offset are means",
        "over sources above 20 times the local noise, completeness and reliability are of those above 5 times.",
        "",
        *("| " + " | ".join(one) + " |" for one in (COLUMNS, rule, *rows)),
        "",
        *(f"- {line}" for line in lines),
    ]
    results.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    sys.exit(main())
