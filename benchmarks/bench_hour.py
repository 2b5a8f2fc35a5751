#!/usr/bin/env python3
"""Hold an hour of drifting sky, from subband files to a measured mosaic, to the sky that was simulated.

    python benchmarks/bench_hour.py [--data DIR] [--groups N] [--dec D] [--start MJD] [--subbands N] [--keep]

Groups follow each other without a gap while a strip of sources drifts through the Airy beam of the dishes, smeared in
time, in the noise of the receivers. Everything after that is the pipeline's own: `convert`, `image` (with the drifting
model and deconvolution), `mosaic`, forced photometry and the search for sources on the mosaic. The array is
small (the tee, thinned), so that an hour takes minutes. What is printed, and what it should be:

flux
    of every source above 20 sigma, measured over true: within 2% and what its noise allows (three sigma).
position
    of every such source that was found: within 0.05 of the beam, and what its noise allows.
noise
    of the mosaic over the noise that its map predicts, away from sources: 1 within 5%.
seams
    steps across the lines where images of the mosaic end, averaged along pieces of ten beams: none above 1 sigma and
    what their noise allows.

Exit status: 0 all of it holds, 1 something does not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage

from dsa110_contimg.config.changes import with_changes
from dsa110_contimg.config.settings import CatalogueSettings, MosaicSettings, PhotometrySettings, Settings
from dsa110_contimg.conversion import convert_subband_groups_to_ms
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.images.fits import SkyImage, read_image
from dsa110_contimg.imaging.products import Provenance
from dsa110_contimg.mosaic.inputs import find_inputs
from dsa110_contimg.mosaic.joining import join, noise_of
from dsa110_contimg.mosaic.plane import Plane
from dsa110_contimg.mosaic.products import write_mosaic
from dsa110_contimg.naming import parse_ms_name
from dsa110_contimg.photometry.finding import find_sources
from dsa110_contimg.photometry.forced import About, Planes, measure
from dsa110_contimg.photometry.reference import make_reference
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.pipeline.imaging import Calibrated, Place, image_group
from dsa110_contimg.simulation import SimulationOptions, simulate
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.geometry import meridian_icrs
from dsa110_contimg.telescope.prediction import REFERENCE_HZ
from dsa110_contimg.telescope.transits import utc_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dsa110_contimg.mosaic.inputs import Input

ANTENNAS = (*range(1, 21, 2), *range(20, 52, 2), *range(68, 100, 3))
ALPHA, FAINTEST_JY, BRIGHTEST_JY, APART_DEG = -0.7, 0.01, 2.0, 0.12
LENGTH_D = 24 * INTEGRATION_S / 86400.0
DEC_DEG, START_MJD = 54.5734, 60953 + 12.5 / 24
# Coarser pixels than five to the beam make fluxes of sources between them too high by a percent.
IMAGE = {"size": 1440, "cell_arcsec": 12.0, "half_bands": False}
BRIGHT_SIGMA = 20.0
FLUX, POSITION, NOISE, SEAM = 0.02, 0.05, 0.05, 1.0
N_SIGMA = 3.0


class Plan(NamedTuple):
    """What is simulated, and how it is imaged.

    Attributes
    ----------
    groups : int
        Groups, one after the other.
    dec_deg, start_mjd : float
        Pointing [deg], and start [MJD, UTC].
    subbands, oversample : int
        How many of the 16, and samples in an integration.
    per_deg2 : float
        Sources a square degree.
    fluxes_jy : (float, float)
        The faintest and the brightest [Jy at 1.4 GHz].
    antennas : tuple of int
        Stations.
    image : dict
        Settings of the imager.
    """

    groups: int = 12
    dec_deg: float = DEC_DEG
    start_mjd: float = START_MJD
    subbands: int = 16
    oversample: int = 2
    per_deg2: float = 1.5
    fluxes_jy: tuple[float, float] = (FAINTEST_JY, BRIGHTEST_JY)
    antennas: tuple[int, ...] = ANTENNAS
    image: dict[str, object] = IMAGE


class Sky(NamedTuple):
    """The sources that were put in, each (S,): places, ICRS [deg], and flux densities at 1.4 GHz [Jy]."""

    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    flux_jy: NDArray[np.float64]
    alpha: float = ALPHA

    def at(self, freq_hz: float) -> NDArray[np.float64]:
        """Flux densities at a frequency [Jy]."""
        return np.asarray(self.flux_jy * (freq_hz / REFERENCE_HZ) ** self.alpha)


class Compared(NamedTuple):
    """Measured over true.

    Attributes
    ----------
    n_sources, n_found : int
        Above 20 sigma; found on the mosaic among them.
    ratio, scatter : float
        Median of measured over true flux, and its robust scatter.
    bias : float
        The same with weights by the errors, less 1.
    flux_off : float
        Largest departure from 1, less three times its error.
    offset, offset_off : float
        Median offset [beams], and the largest one less three times its error.
    noise : float
        Over what the map predicts.
    seam : float
        Largest step along the images' edges, less three times its noise [sigma].
    roughness : float
        Rms of these steps over that of steps elsewhere.
    n_pieces : int
        Pieces of edges that were looked at.
    """

    n_sources: int
    n_found: int
    ratio: float
    scatter: float
    bias: float
    flux_off: float
    offset: float
    offset_off: float
    noise: float
    seam: float
    roughness: float
    n_pieces: int

    def wrong(self) -> list[str]:
        """Name what does not hold."""
        checks = {
            "flux": self.flux_off <= FLUX and abs(self.bias) <= FLUX,
            "position": self.offset_off <= POSITION,
            "noise": abs(self.noise - 1) <= NOISE,
            "seams": self.seam <= SEAM,
            "found": self.n_found == self.n_sources,
        }
        return [name for name, holds in checks.items() if not holds]


def strip_of_sources(plan: Plan, seed: int = 3) -> Sky:
    """Scatter sources over the strip and its surroundings, 2.4 deg to all sides."""
    rng = np.random.default_rng(seed)
    ends = [plan.start_mjd, plan.start_mjd + plan.groups * LENGTH_D]
    ra, dec = meridian_icrs(np.radians(plan.dec_deg), ends, HEADER_SITE)
    width = ((ra[1] - ra[0]) % 360.0) * np.cos(np.radians(plan.dec_deg))
    n = round(plan.per_deg2 * (width + 4.8) * 4.8)
    east, north = np.empty(0), np.empty(0)
    while len(east) < n:
        x, y = rng.uniform(-2.4, width + 2.4), rng.uniform(-2.4, 2.4)
        if (np.hypot(east - x, north - y) > APART_DEG).all():
            east, north = np.append(east, x), np.append(north, y)
    places = float(dec.mean()) + north
    # More faint ones than bright ones.
    steps = rng.uniform(0.0, 1.0, n) * rng.uniform(0.6, 1.0, n)
    flux = plan.fluxes_jy[0] * (plan.fluxes_jy[1] / plan.fluxes_jy[0]) ** steps
    return Sky((ra[0] + east / np.cos(np.radians(places))) % 360.0, places, flux)


def make_images(data: Path, plan: Plan) -> tuple[Sky, list[Path], list[tuple[str, float]]]:
    """Simulate the hour, convert and image it; give the sky, the images' directories, and how long each step took."""
    sky = strip_of_sources(plan)
    data.mkdir(parents=True, exist_ok=True)
    table = data / "sky.json"
    table.write_text(
        json.dumps(
            [
                {"ra": ra, "dec": dec, "flux": flux, "alpha": sky.alpha}
                for ra, dec, flux in zip(sky.ra_deg, sky.dec_deg, sky.flux_jy, strict=True)
            ]
        )
    )
    settings = with_changes(Settings(), image=plan.image)
    seconds = dict.fromkeys(("simulate", "convert", "image"), 0.0)
    images = []
    for k in range(plan.groups):
        begun = time.monotonic()
        sky_seen = SimulationOptions(
            start=utc_of(plan.start_mjd + k * LENGTH_D) + timedelta(microseconds=1),
            dec_deg=plan.dec_deg,
            antennas=plan.antennas,
            subbands=tuple(range(0, 16, 16 // plan.subbands)),
            sky=str(table),
            oversample=plan.oversample,
            seed=k,
        )
        simulate(data / "in", sky_seen)
        seconds["simulate"] += time.monotonic() - begun
        begun = time.monotonic()
        convert_subband_groups_to_ms(data / "in", data / "ms", options=ConversionOptions(min_subbands=1))
        seconds["convert"] += time.monotonic() - begun
        begun = time.monotonic()
        (ms,) = (data / "ms").glob("*.ms")
        stem = ms.name.removesuffix(".ms")
        directory = data / "images" / f"{stem}-images"
        directory.mkdir(parents=True)
        origin = Provenance(parse_ms_name(ms.name)[0], ms.name)
        made = image_group(
            Calibrated(ms, column="DATA"), Place(directory, stem), settings.image, origin, settings.catalogue
        )
        seconds["image"] += time.monotonic() - begun
        said = json.loads(made["record"].read_text())
        cycles = ", ".join(f"{1e3 * cycle['peak_jy']:.1f}" for cycle in said["cycles"])
        print(f"{ms.name}: noise {1e3 * said['rms_jy']:.2f} mJy, peaks after cycles {cycles} mJy", file=sys.stderr)
        images.append(directory)
        shutil.rmtree(data / "in")
        shutil.rmtree(data / "ms")
    return sky, images, list(seconds.items())


def compare(sky: Sky, images: Sequence[Path], output: Path) -> Compared:
    """Join images, measure the mosaic, and hold it to the sky."""
    inputs = find_inputs(images)
    settings = MosaicSettings()
    written = write_mosaic(join(inputs, settings), inputs, output, settings, {}, replace=True)
    (plane,), (noise,) = (list(written.directory.glob(f"*-{kind}.fits")) for kind in ("mosaic", "rms"))
    image, rms = read_image(plane), read_image(noise).pixels
    freq_hz = image.header.freq_hz
    true_jy = sky.at(freq_hz)
    reference = make_reference("+54.6", {"ra_deg": sky.ra_deg, "dec_deg": sky.dec_deg, "flux_jy": true_jy})
    about = About("20251005T123456+54.6", "20251005T123456+54.6", "mosaic")
    rows = measure(Planes(image.pixels, image.header, rms=rms), reference, about, PhotometrySettings())
    order = {int(number): k for k, number in enumerate(reference.source_id)}
    which = np.array([order[number] for number in rows["source_id"].to_pylist()])
    # The list is in the order of right ascension.
    true = reference.flux_jy[which]
    flux, error = (rows[name].to_numpy().astype(float) for name in ("flux", "e_flux"))
    edge = rows["flags"].to_numpy() & 1 > 0
    bright = (true > BRIGHT_SIGMA * error) & ~edge
    ratio, e_ratio = flux[bright] / true[bright], error[bright] / true[bright]
    weight = e_ratio**-2.0
    found, offsets, e_offsets = found_on(
        image, rms, reference.ra_deg[which][bright], reference.dec_deg[which][bright], e_ratio
    )
    seam, roughness, n_pieces = seams(image, rms, inputs, settings, sky)
    return Compared(
        n_sources=int(bright.sum()),
        n_found=int(found.sum()),
        ratio=float(np.median(ratio)),
        scatter=float(1.4826 * np.median(abs(ratio - np.median(ratio)))),
        bias=float(np.sum(ratio * weight) / weight.sum() - 1),
        flux_off=float(np.max(abs(ratio - 1) - N_SIGMA * e_ratio)),
        offset=float(np.median(offsets[found])),
        offset_off=float(np.max(offsets[found] - N_SIGMA * e_offsets[found])),
        noise=noise_of((image.pixels / rms)[away(image, rms, sky)]),
        seam=seam,
        roughness=roughness,
        n_pieces=n_pieces,
    )


def found_on(
    image: SkyImage,
    rms: NDArray[np.float32],
    ra_deg: NDArray[np.float64],
    dec_deg: NDArray[np.float64],
    e_ratio: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Search the mosaic for sources; which of these were found, how far off they are, and its error [beams]."""
    sources = find_sources(image, None, rms, CatalogueSettings())
    ra, dec = values(sources, "ra"), values(sources, "dec")
    beam_deg = np.sqrt(image.header.beam.major_deg * image.header.beam.minor_deg)
    offsets = np.full(len(ra_deg), np.nan)
    for k, (a, d) in enumerate(zip(ra_deg, dec_deg, strict=True)):
        east = ((ra - a + 180.0) % 360.0 - 180.0) * np.cos(np.radians(d))
        offsets[k] = np.min(np.hypot(east, dec - d)) / beam_deg if len(ra) else np.inf
    # Condon 1997, equation 21: the error of a place is that of the flux times half of the beam, over sqrt(2 ln 2).
    return offsets < 0.5, offsets, e_ratio / np.sqrt(8 * np.log(2)) * np.sqrt(2)


def away(image: SkyImage, rms: NDArray[np.float32], sky: Sky) -> NDArray[np.bool_]:
    """Mark the pixels that are away from sources, as far as these shine."""
    plane = plane_of(image)
    there = np.isfinite(image.pixels) & np.isfinite(rms)
    x, y = plane.pixels(vectors(sky.ra_deg, sky.dec_deg))
    sigma = float(np.nanmedian(rms))
    beam = image.header.beam.major_deg / plane.cell_deg
    rows, columns = np.indices(there.shape)
    for k, flux in enumerate(sky.flux_jy):
        if not np.isfinite(x[k] + y[k]):
            continue
        radius = beam * np.sqrt(max(1.0, np.log2(flux / sigma / 0.1) / 4)) * 1.2
        j, i, n = round(float(x[k])), round(float(y[k])), int(np.ceil(radius))
        part = np.s_[max(0, i - n) : max(0, i + n + 1), max(0, j - n) : max(0, j + n + 1)]
        there[part] &= np.hypot(rows[part] - y[k], columns[part] - x[k]) > radius
    return there


def seams(
    image: SkyImage, rms: NDArray[np.float32], inputs: Sequence[Input], settings: MosaicSettings, sky: Sky
) -> tuple[float, float, int]:
    """Look for steps across the lines where images end, in pieces of ten beams.

    Their noise is that of steps across the same lines moved by eight beams, where no image ends.

    Returns
    -------
    (float, float, int)
        The largest step less three times its noise, the steps' rms over their noise, and how many there are.
    """
    plane = plane_of(image)
    even = np.where(away(image, rms, sky), image.pixels / rms, np.nan)
    y, x = np.indices(even.shape, dtype=float)
    vectors_of = plane.vectors(x.ravel(), y.ravel())
    beam_pixels = image.header.beam.major_deg / plane.cell_deg
    moved = round(8 * beam_pixels)
    at_edges, elsewhere = [], []
    for one in inputs:
        pb = np.nan_to_num(read_image(one.pb).pixels)
        u, v = (np.nan_to_num(each.reshape(even.shape), nan=-9.0) for each in one.plane.pixels(vectors_of))
        n_dec, n_ra = pb.shape
        beam = ndimage.map_coordinates(pb, [v, u], order=1)
        inside = (beam >= settings.least_beam) & (u >= 1) & (u < n_ra - 2) & (v >= 1) & (v < n_dec - 2)
        at_edges += steps_across(even, inside, beam_pixels)
        for shift in ((0, moved), (0, -moved), (moved, moved), (-moved, moved)):
            elsewhere += steps_across(even, np.roll(inside, shift, (0, 1)), beam_pixels)
    if not at_edges or not elsewhere:
        return 0.0, 1.0, 0
    noise = float(np.std(elsewhere))
    return float(np.max(np.abs(at_edges)) - N_SIGMA * noise), float(np.std(at_edges) / noise), len(at_edges)


def steps_across(even: NDArray[np.floating], inside: NDArray[np.bool_], beam_pixels: float) -> list[float]:
    """Average what is just within an area less what is just beyond it, piece by piece of its border."""
    gap, length = 2, round(10 * beam_pixels)
    within = inside & ~ndimage.binary_erosion(inside, iterations=gap)
    beyond = ndimage.binary_dilation(inside, iterations=gap) & ~inside
    rows, columns = np.nonzero((within | beyond) & np.isfinite(even))
    pieces = rows // length * (even.shape[1] // length + 1) + columns // length
    found = []
    for piece in np.unique(pieces):
        which = rows[pieces == piece], columns[pieces == piece]
        values_here, are_within = even[which], within[which]
        if min(np.count_nonzero(are_within), np.count_nonzero(~are_within)) >= gap * length // 2:
            found.append(float(values_here[are_within].mean() - values_here[~are_within].mean()))
    return found


def plane_of(image: SkyImage) -> Plane:
    """Say where the pixels of a mosaic are."""
    header = image.header
    return Plane(header.ra_deg, header.dec_deg, header.cell_deg, *image.pixels.shape)


def vectors(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors of places, (n, 3)."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def lines_of(compared: Compared) -> list[str]:
    """Say it in words."""
    steps = f"{compared.n_pieces}, their rms {compared.roughness:.2f} of that of steps elsewhere"
    return [
        f"{compared.n_sources} sources above {BRIGHT_SIGMA:.0f} sigma, {compared.n_found} of them found",
        f"flux, measured over true: median {compared.ratio:.4f}, scatter {100 * compared.scatter:.2f}%",
        f"flux: weighted bias {100 * compared.bias:+.2f}%, largest over 3 sigma {100 * compared.flux_off:.2f}%",
        f"position: median {compared.offset:.3f} beams, largest beyond 3 sigma {compared.offset_off:.3f}",
        f"noise over prediction: {compared.noise:.3f}",
        f"steps along edges: {steps}, the largest over 3 sigma {compared.seam:.2f}",
    ]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=Path("contimg-data/bench/hour"), help="where it works")
    parser.add_argument("--groups", type=int, default=12)
    parser.add_argument("--dec", type=float, default=DEC_DEG, help="of the pointing [deg]")
    parser.add_argument("--start", type=float, default=START_MJD, help="of the hour [MJD]")
    parser.add_argument("--subbands", type=int, default=16, choices=(1, 2, 4, 8, 16))
    parser.add_argument("--oversample", type=int, default=2, help="samples in an integration")
    parser.add_argument("--density", type=float, default=1.5, help="sources a square degree")
    parser.add_argument("--keep", action="store_true", help="leave images and mosaic")
    options = parser.parse_args()
    shutil.rmtree(options.data, ignore_errors=True)
    plan = Plan(
        options.groups, options.dec, options.start, options.subbands, options.oversample, per_deg2=options.density
    )
    sky, images, seconds = make_images(options.data, plan)
    begun = time.monotonic()
    compared = compare(sky, images, options.data)
    seconds.append(("mosaic and measurement", time.monotonic() - begun))
    print(f"{options.groups} groups at {options.dec:+.2f} deg from MJD {options.start:.4f}; {len(sky.ra_deg)} sources")
    print(", ".join(f"{name} {spent:.0f} s" for name, spent in seconds))
    print("\n".join(lines_of(compared)))
    wrong = compared.wrong()
    print("does not hold: " + ", ".join(wrong) if wrong else "all of it holds")
    if not options.keep:
        shutil.rmtree(options.data)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
