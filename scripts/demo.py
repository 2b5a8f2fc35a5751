#!/usr/bin/env python3
"""Simulate a small group of a known sky, convert it, check it, image it, and compare with the truth.

    python scripts/demo.py [--output DIR] [--antennas N] [--picture FILE]

Exit status: 0 when every source is where it should be and as bright as it should be, 1 when not.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from demo_picture import CLOSE_UP, draw, save_small
from rich.console import Console
from rich.table import Table

from dsa110_contimg.images.fits import celestial_wcs, write_image
from dsa110_contimg.imaging.blocks import StokesBlock, stokes_blocks
from dsa110_contimg.imaging.dirty import DirtyImage, dirty_image, grid_block
from dsa110_contimg.imaging.psf import Peak, find_peak
from dsa110_contimg.naming import compact
from dsa110_contimg.simulation.options import SimulationOptions
from dsa110_contimg.simulation.truth import Truth, read_truth
from dsa110_contimg.telescope.band import CHANNELS_PER_SUBBAND, HEADER_SITE, INTEGRATION_S, INTEGRATIONS_PER_GROUP
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.geometry import apparent_directions, meridian_icrs
from dsa110_contimg.telescope.prediction import PointSources, apparent_flux, predict
from dsa110_contimg.telescope.stations import load_stations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# East and north of the middle of the group's track [deg], flux density at 1.4 GHz [Jy], spectral index.
SKY = (
    (0.05, 0.08, 0.9, -0.7),
    (-0.62, 0.35, 1.2, -0.8),
    (0.55, -0.60, 0.7, -0.5),
    (1.05, 0.45, 1.5, -0.9),
    (-0.25, -1.15, 1.3, -0.7),
    (-1.02, -0.55, 1.0, 0.0),
    (0.30, 0.95, 0.8, -0.7),
    (-0.75, 1.00, 2.0, -0.7),
)
NAMES = "ABCDEFGH"
N_PIXELS, CELL_ARCSEC = 1800, 6.0

# How far off a source may be.
MAX_OFFSET_ARCSEC = 0.5
MAX_FLUX_ERROR = 0.02
# How far the data may be from the prediction: about five times what the noise makes of it.
MAX_GAIN_ERROR, MAX_PHASE_RMS_RAD, MAX_NOISE_ERROR = 0.005, 0.03, 0.005

MARKER = ".made-by-the-demo"
out = Console(width=None if sys.stdout.isatty() else 118, highlight=False)


class Comparison(NamedTuple):
    """One source: what is true and what was measured.

    Attributes
    ----------
    name : str
        A letter.
    true_sky, sky : (float, float)
        True and measured position, ICRS [deg].
    true_jy : float
        Flux density through the average beam [Jy].
    peak : Peak
        What was measured in the image.
    close_up : (2 * CLOSE_UP + 1,) * 2 ndarray
        Its surroundings in the image, without the other sources.
    true_place, measured_place : (float, float)
        In the close-up [pixels from its middle].
    """

    name: str
    true_sky: tuple[float, float]
    sky: tuple[float, float]
    true_jy: float
    peak: Peak
    close_up: NDArray[np.floating]
    true_place: tuple[float, float]
    measured_place: tuple[float, float]

    @property
    def offset_arcsec(self) -> float:
        """How far the measured position is from the true one."""
        (ra, dec), (true_ra, true_dec) = np.radians(self.sky), np.radians(self.true_sky)
        half = np.sin((dec - true_dec) / 2) ** 2 + np.cos(dec) * np.cos(true_dec) * np.sin((ra - true_ra) / 2) ** 2
        return float(np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600)

    @property
    def ratio(self) -> float:
        """Measured flux density over the true one."""
        return self.peak.value / self.true_jy

    @property
    def good(self) -> bool:
        """Whether both are within the limits."""
        return self.offset_arcsec <= MAX_OFFSET_ARCSEC and abs(self.ratio - 1) <= MAX_FLUX_ERROR


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("contimg-data/demo"), help="default: %(default)s")
    parser.add_argument("--antennas", type=int, default=30, help="default: %(default)s")
    parser.add_argument("--picture", type=Path, help="write the picture here too, smaller")
    options = parser.parse_args()
    begun = time.monotonic()
    home = prepare(options.output)
    incoming, ms = home / "incoming", home / "ms"

    step("1  Subband files as the correlator writes them, with a known sky and real noise")
    write_sky(home / "sky.csv")
    run("simulate", incoming, "--sky", home / "sky.csv", "--antennas", options.antennas)
    truth = read_truth(incoming / "truth.json")

    step("2  One Measurement Set of them")
    run("convert", incoming, ms)
    (ms_path,) = ms.glob("*.ms")

    step("3  Its visibilities against the prediction")
    data = read_all(ms_path)
    models = list(predict_each(data, truth))
    faultless = check_visibilities(data, sum(models), truth)

    step("4  Its image against the sky")
    dirty = dirty_image(ms_path, N_PIXELS, np.radians(CELL_ARCSEC / 3600))
    comparisons, residual = compare(dirty, data, models, truth)
    faultless &= report(comparisons, dirty, residual, truth)
    stem = home / f"{compact(truth.start)}-dirty"
    dirty.write(stem.with_suffix(".fits"))
    write_image(
        home / f"{compact(truth.start)}-residual.fits", residual, dirty.header, ["the dirty image without its sources"]
    )
    figure = draw(dirty, residual, comparisons, f"{truth.start}: {len(truth.antennas)} antennas")
    figure.savefig(stem.with_suffix(".png"), dpi=120)
    if options.picture:
        save_small(figure, options.picture)

    result = "[green]all within the limits[/]" if faultless else "[red]NOT within the limits[/]"
    out.print(f"\n{result}, in {time.monotonic() - begun:.0f} s. Look at")
    for path in (stem.with_suffix(".png"), stem.with_suffix(".fits"), ms_path):
        out.print(f"  {path}", soft_wrap=True)
    out.print("and try next")
    out.print(f"  .venv/bin/dsa110-contimg convert {incoming} {home / 'drift'} --phase-centre drift", soft_wrap=True)
    out.print("  .venv/bin/dsa110-contimg simulate contimg-data/incoming --groups 2 --gains 1 --rfi", soft_wrap=True)
    return 0 if faultless else 1


def prepare(home: Path) -> Path:
    """Make the directory, or empty it if an earlier demo made it."""
    if home.exists() and any(home.iterdir()):
        if not (home / MARKER).exists():
            sys.exit(f"{home} is not empty and not the demo's: give another --output")
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / MARKER).touch()
    return home


def step(title: str) -> None:
    """Say what comes now."""
    out.print(f"\n[bold]{title}[/]")


def run(*words: object) -> None:
    """Run dsa110-contimg as a user would."""
    out.print("$ dsa110-contimg " + " ".join(map(str, words)), style="cyan", soft_wrap=True)
    done = subprocess.run([sys.executable, "-m", "dsa110_contimg.cli", *map(str, words)], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def write_sky(path: Path) -> None:
    """Write the sources around the place that is on the meridian in the middle of the group."""
    defaults = SimulationOptions()
    mjd = 40587.0 + (defaults.start.timestamp() + INTEGRATIONS_PER_GROUP * INTEGRATION_S / 2) / 86400.0
    ra0, dec0 = (float(np.radians(angle[0])) for angle in meridian_icrs(np.radians(defaults.dec_deg), mjd, HEADER_SITE))
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", "ra", "dec", "flux", "alpha"])
        for name, (east, north, flux, alpha) in zip(NAMES, SKY, strict=True):
            l, m = np.sin(np.radians([east, north]))  # noqa: E741
            n = np.sqrt(1 - l**2 - m**2)
            ra = ra0 + np.arctan2(l, n * np.cos(dec0) - m * np.sin(dec0))
            dec = np.arcsin(m * np.cos(dec0) + n * np.sin(dec0))
            table.writerow([name, *(f"{np.degrees(angle):.9f}" for angle in (ra, dec)), flux, alpha])


def read_all(ms_path: Path) -> StokesBlock:
    """Read a small Measurement Set as one block of Stokes I."""
    blocks = list(stokes_blocks(ms_path))
    columns = {
        field: np.concatenate([getattr(block, field) for block in blocks])
        for field in StokesBlock._fields
        if field != "freq_hz"
    }
    return StokesBlock(freq_hz=blocks[0].freq_hz, **columns)


def each(sources: PointSources) -> Iterator[PointSources]:
    """Give the sources one by one."""
    for k in range(sources.ra_deg.size):
        yield PointSources(*(column[k : k + 1] for column in sources))


def predict_each(data: StokesBlock, truth: Truth) -> Iterator[NDArray[np.complex64]]:
    """Predict the visibilities of each source alone: through the drifting beam, in the rows of the data."""
    n_baselines = int(np.count_nonzero(data.mjd == data.mjd[0]))
    baselines = tuple(column[:n_baselines].astype(np.int64) for column in (data.antenna1, data.antenna2))
    (ra,), (dec,) = meridian_icrs(np.radians(truth.pt_dec_deg), [truth.mjd.mean()], truth.site)
    centres = apparent_directions(ra, dec, truth.mjd, truth.site)[:, 0]
    for source in each(truth.sources):
        integrations = predict(
            source,
            load_stations().itrf_m,
            baselines,
            truth.mjd,
            np.radians(truth.pt_dec_deg),
            truth.site,
            data.freq_hz,
            beam_model(truth.record["beam_model"]),
            centres,
        )
        yield np.concatenate(list(integrations))


def check_visibilities(data: StokesBlock, model: NDArray[np.complex64], truth: Truth) -> bool:
    """Compare data and prediction, although a single sample is nearly all noise.

    The gain sum(D M*) / sum(|M|^2) averages over many samples, and must be 1: over all of them, over each baseline, and
    over each subband and integration. What the prediction leaves must be as large as the noise that was put in.
    """
    n_times = truth.mjd.size
    shape = (n_times, -1, data.freq_hz.size // CHANNELS_PER_SUBBAND, CHANNELS_PER_SUBBAND)
    product = (data.visibilities * model.conj()).reshape(shape).sum(axis=-1, dtype=np.complex128)
    power = (np.abs(model) ** 2).reshape(shape).sum(axis=-1, dtype=np.float64)
    gain = complex(product.sum() / power.sum())
    baseline_phases = np.angle(product.sum(axis=(0, 2)) / power.sum(axis=(0, 2)))
    subband_phases = np.angle(product.sum(axis=1) / power.sum(axis=1))
    left = data.visibilities - model
    noise_jy = np.sqrt(np.mean(left.real**2, dtype=np.float64) / 2 + np.mean(left.imag**2, dtype=np.float64) / 2)
    # Stokes I is the mean of XX and YY, whose noises are independent.
    noise_ratio = float(noise_jy * np.sqrt(2.0) / truth.record["noise_jy"])
    rows = (
        ("amplitude, measured / predicted", f"{abs(gain):.5f}", abs(abs(gain) - 1), MAX_GAIN_ERROR),
        ("phase, all visibilities \\[rad]", f"{np.angle(gain):+.5f}", abs(np.angle(gain)), MAX_GAIN_ERROR),
        ("phase of a baseline, rms \\[rad]", f"{baseline_phases.std():.5f}", baseline_phases.std(), MAX_PHASE_RMS_RAD),
        ("phase of a subband in an integration, rms \\[rad]", f"{subband_phases.std():.5f}", subband_phases.std(),
         MAX_PHASE_RMS_RAD),
        ("noise, left over / put in", f"{noise_ratio:.5f}", abs(noise_ratio - 1), MAX_NOISE_ERROR),
    )  # fmt: skip
    table = Table(box=None)
    for heading, side in (("visibilities", "left"), ("measured", "right"), ("may be off by", "right"), ("", "left")):
        table.add_column(heading, justify=side)
    for name, value, error, limit in rows:
        table.add_row(name, value, f"{limit:g}", verdict(error <= limit))
    out.print(table)
    return all(error <= limit for *_, error, limit in rows)


def compare(
    dirty: DirtyImage, data: StokesBlock, models: list[NDArray[np.complex64]], truth: Truth
) -> tuple[list[Comparison], NDArray[np.float32]]:
    """Measure every source in the dirty image without the sidelobes of the others.

    Each source's own dirty image R_j is made from its prediction. Amplitudes a_j with sum_j a_j R_j = image at all
    sources' places take the sidelobes apart; source i is then measured, position and all, in
    image - sum over the others of a_j R_j. Returned too is the image without any.
    """
    responses = [grid_block(data._replace(visibilities=model), dirty.grid) / dirty.sum_weights for model in models]
    wcs = celestial_wcs(dirty.header, dirty.image.shape)
    x, y = wcs.all_world2pix(truth.sources.ra_deg, truth.sources.dec_deg, 0)
    pixels = (np.rint(y).astype(int), np.rint(x).astype(int))
    amplitudes = np.linalg.solve(np.stack([response[pixels] for response in responses], axis=1), dirty.image[pixels])
    residual = dirty.image - sum(a * response for a, response in zip(amplitudes, responses, strict=True))
    true_jy = average_flux(data, truth)
    comparisons = []
    for k, name in enumerate(NAMES):
        alone = residual + amplitudes[k] * responses[k]
        peak = find_peak(alone, float(x[k]), float(y[k]))
        ra, dec = wcs.all_pix2world(peak.x, peak.y, 0)
        row, column = pixels[0][k], pixels[1][k]
        comparisons.append(
            Comparison(
                name,
                (float(truth.sources.ra_deg[k]), float(truth.sources.dec_deg[k])),
                (float(ra), float(dec)),
                float(true_jy[k]),
                peak,
                alone[row - CLOSE_UP : row + CLOSE_UP + 1, column - CLOSE_UP : column + CLOSE_UP + 1],
                (float(x[k]) - column, float(y[k]) - row),
                (peak.x - column, peak.y - row),
            )
        )
    return comparisons, residual.astype(np.float32)


def average_flux(data: StokesBlock, truth: Truth) -> NDArray[np.float64]:
    """Flux density of each source through the beam, averaged over integrations and channels with the data's weights."""
    dec_rad, beam = np.radians(truth.pt_dec_deg), beam_model(truth.record["beam_model"])
    weights = data.weights.reshape(truth.mjd.size, -1, data.freq_hz.size).sum(axis=1, dtype=np.float64)
    directions = apparent_directions(truth.sources.ra_deg, truth.sources.dec_deg, truth.mjd, truth.site)
    sums = sum(
        apparent_flux(truth.sources, here, dec_rad, data.freq_hz, beam) @ weight
        for here, weight in zip(directions, weights, strict=True)
    )
    return np.asarray(sums / weights.sum())


def report(comparisons: list[Comparison], dirty: DirtyImage, residual: NDArray[np.float32], truth: Truth) -> bool:
    """Print true against measured."""
    table = Table(box=None)
    for heading, side in (
        ("", "left"), ("true RA, Dec (ICRS)", "left"), ("measured", "left"), ('off by ["]', "right"),
        ("1.4 GHz [Jy]", "right"), ("in the beam", "right"), ("measured", "right"), ("ratio", "right"), ("", "left"),
    ):  # fmt: skip
        table.add_column(heading, justify=side, no_wrap=True)
    for source, flux_jy in zip(comparisons, truth.sources.flux_jy, strict=True):
        table.add_row(
            source.name, sexagesimal(*source.true_sky), sexagesimal(*source.sky), f"{source.offset_arcsec:.2f}",
            f"{flux_jy:.3f}", f"{source.true_jy:.4f}", f"{source.peak.value:.4f}", f"{source.ratio:.4f}",
            verdict(source.good),
        )  # fmt: skip
    out.print(table)
    noise_jy = float(truth.record["noise_jy"] / np.sqrt(2 * dirty.n_visibilities))
    rms_jy = float(residual.std())
    quiet = rms_jy < 1.2 * noise_jy
    out.print(
        f"beam {dirty.beam.major_deg * 3600:.0f} x {dirty.beam.minor_deg * 3600:.0f} arcsec; without the sources "
        f"{rms_jy * 1e3:.2f} mJy/beam rms are left, the noise alone is {noise_jy * 1e3:.2f} {verdict(quiet)}"
    )
    out.print(f'limits: {MAX_OFFSET_ARCSEC}" in position, {MAX_FLUX_ERROR:.0%} in flux density', style="dim")
    return quiet and all(source.good for source in comparisons)


def verdict(good: bool) -> str:
    """Say so in colour."""
    return "[green]ok[/]" if good else "[red]OFF[/]"


def sexagesimal(ra_deg: float, dec_deg: float) -> str:
    """Write a position as 05:35:03.98 +54:33:31.0."""
    ra = round((ra_deg % 360) / 15 * 3600 * 100) % (24 * 3600 * 100)
    dec = round(abs(dec_deg) * 3600 * 10)
    return (
        f"{ra // 360000:02d}:{ra // 6000 % 60:02d}:{ra % 6000 / 100:05.2f} "
        f"{'-' if dec_deg < 0 else '+'}{dec // 36000:02d}:{dec // 600 % 60:02d}:{dec % 600 / 10:04.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
