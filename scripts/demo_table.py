"""The catalogue of an image beside what was simulated."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.table import Table

from dsa110_contimg.images.fits import celestial_wcs, read_image
from dsa110_contimg.naming import ImageKind, image_file_name, sources_stem
from dsa110_contimg.photometry.records import ECSV, read_catalogue
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.telescope.prediction import REFERENCE_HZ

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

# How far off a source may be: errors of gains and beam, and so many times the noise.
MAX_OFFSET_ARCSEC, MAX_FLUX_ERROR, MAX_SIGMA = 1.0, 0.05, 4.0
LIMITS = f'limits: {MAX_OFFSET_ARCSEC}" in position and {MAX_FLUX_ERROR:.0%} in flux density, and {MAX_SIGMA:g} sigma'
# What is nearer to the axis of the beam is compared, and further from the image's edge.
LEAST_BEAM, EDGE_PIXELS = 0.3, 10
MATCH_ARCSEC = 20.0


class Compared(NamedTuple):
    """One source: what is true, what was measured (not a number: it was not found), and what errors are claimed."""

    name: str
    true_sky: tuple[float, float]
    true_jy: float
    measured_jy: float
    e_jy: float
    offset_arcsec: float
    e_arcsec: float
    power: float

    @property
    def ratio(self) -> float:
        """Measured flux density over the true one."""
        return self.measured_jy / self.true_jy

    @property
    def good(self) -> bool:
        """Whether both are within the limits."""
        flux_off = abs(self.measured_jy - self.true_jy)
        flux_limit = MAX_FLUX_ERROR * self.true_jy + MAX_SIGMA * self.e_jy
        return bool(flux_off <= flux_limit and self.offset_arcsec <= MAX_OFFSET_ARCSEC + MAX_SIGMA * self.e_arcsec)


def compare(directory: Path, stem: str, sky: Path) -> tuple[list[Compared], int]:
    """Compare a catalogue with the sky; give the true sources in the image, and how many of the others are not true.

    Parameters
    ----------
    directory, stem
        Where the images and the catalogue are.
    sky : Path
        The true sources.
    """
    image = read_image(directory / image_file_name(stem, ImageKind.IMAGE))
    pb = read_image(directory / image_file_name(stem, ImageKind.PB)).pixels
    found = read_catalogue(directory / (sources_stem(stem) + ECSV))
    ra, dec, flux, e_flux, e_ra, e_dec, power = (
        values(found, name) for name in ("ra", "dec", "flux", "e_flux", "e_ra", "e_dec", "pb")
    )
    wcs, size = celestial_wcs(image.header, pb.shape), min(pb.shape)
    compared: list[Compared] = []
    true = np.zeros(len(found), dtype=bool)
    with sky.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        place = float(row["ra"]), float(row["dec"])
        x, y = (float(value) for value in wcs.all_world2pix(*place, 0))
        offsets = _apart_arcsec(place, (ra, dec))
        true |= offsets < MATCH_ARCSEC
        inside = min(x, y) > EDGE_PIXELS and max(x, y) < size - EDGE_PIXELS
        if not inside or pb[round(y), round(x)] < LEAST_BEAM:
            continue
        name, true_jy = chr(ord("A") + len(compared)), _at(image.header.freq_hz, row)
        k = int(np.argmin(offsets)) if offsets.size else -1
        if k < 0 or offsets[k] >= MATCH_ARCSEC:
            compared.append(Compared(name, place, true_jy, *(np.nan,) * 4, float(pb[round(y), round(x)])))
            continue
        measured = (float(flux[k]), float(e_flux[k]), float(offsets[k]), float(np.hypot(e_ra[k], e_dec[k])))
        compared.append(Compared(name, place, true_jy, *measured, float(power[k])))
    return compared, int(np.count_nonzero(~true & (power >= LEAST_BEAM)))


def print_table(out: Console, compared: list[Compared], n_false: int) -> None:
    """Print true against measured."""
    table = Table(box=None)
    for heading, side in (
        ("", "left"), ("true RA, Dec (ICRS)", "left"), ("in the beam", "right"), ("true [Jy]", "right"),
        ("measured", "right"), ("error", "right"), ("ratio", "right"), ('off by ["]', "right"), ("", "left"),
    ):  # fmt: skip
        table.add_column(heading.replace("[", "\\["), justify=side, no_wrap=True)
    for item in compared:
        verdict = "[green]ok[/]" if item.good else "[red]OFF[/]"
        table.add_row(
            item.name, sexagesimal(*item.true_sky), f"{item.power:.2f}", f"{item.true_jy:.4f}",
            f"{item.measured_jy:.4f}", f"{item.e_jy:.4f}", f"{item.ratio:.3f}", f"{item.offset_arcsec:.2f}", verdict,
        )  # fmt: skip
    out.print(table)
    if n_false:
        out.print(f"{n_false} more in the catalogue are not of this sky", style="dim")


def sexagesimal(ra_deg: float, dec_deg: float) -> str:
    """Write a position as 05:35:03.98 +54:33:31.0."""
    ra = round((ra_deg % 360) / 15 * 3600 * 100) % (24 * 3600 * 100)
    dec = round(abs(dec_deg) * 3600 * 10)
    return (
        f"{ra // 360000:02d}:{ra // 6000 % 60:02d}:{ra % 6000 / 100:05.2f} "
        f"{'-' if dec_deg < 0 else '+'}{dec // 36000:02d}:{dec // 600 % 60:02d}:{dec % 600 / 10:04.1f}"
    )


def _at(freq_hz: float, row: dict[str, str]) -> float:
    """Flux density of a row of the sky at a frequency [Jy]."""
    return float(row["flux"]) * (freq_hz / REFERENCE_HZ) ** float(row["alpha"])


def _apart_arcsec(one: tuple[float, float], others: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """How far places are from one (haversine)."""
    (ra, dec), (ra_k, dec_k) = np.radians(one), np.radians(others)
    half = np.sin((dec_k - dec) / 2) ** 2 + np.cos(dec) * np.cos(dec_k) * np.sin((ra_k - ra) / 2) ** 2
    return np.asarray(np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600)
