"""Images as the imager leaves them, made up: sources, noise with the beam's texture, a primary beam, all as FITS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import fft

from dsa110_contimg.images.fits import ImageHeader, RestoringBeam, celestial_wcs, write_plane
from dsa110_contimg.naming import image_file_name, image_record_name
from dsa110_contimg.photometry.sources import COLUMNS, iau_names, make_sources
from dsa110_contimg.qa.directories import Planes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.photometry.sources import Sources

STEM = "20251005T123000"
GROUP = "2025-10-05T12:30:00"
BEAM = RestoringBeam(64 / 3600, 38 / 3600, -20.0)
RMS_JY = 2e-3


class Made(NamedTuple):
    """What was made up."""

    planes: Planes
    header: ImageHeader
    sources: Sources


def header_of(n_pixels: int, width_deg: float, ra_deg: float = 123.4, dec_deg: float = 54.6) -> ImageHeader:
    start = 60953.0 + 12.5 / 24
    return ImageHeader(
        ra_deg, dec_deg, width_deg / n_pixels, 1.405e9, 187.5e6, start, start + 0.00179, start + 0.00358, BEAM,
        "OVRO_MMA", target="strip",
    )  # fmt: skip


def gaussian(shape: tuple[int, int], x: float, y: float, beam: RestoringBeam, cell_deg: float) -> NDArray[np.float64]:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    east, north, pa = (x - columns) * cell_deg, (rows - y) * cell_deg, np.radians(beam.pa_deg)
    along, across = north * np.cos(pa) + east * np.sin(pa), east * np.cos(pa) - north * np.sin(pa)
    return np.exp(-4 * np.log(2) * ((along / beam.major_deg) ** 2 + (across / beam.minor_deg) ** 2))


def noise_like(psf: NDArray[np.float64], rms_jy: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of the receivers, as natural weighting images it: its power in the uv plane is the PSF's transform."""
    transfer = np.abs(fft.rfft2(fft.ifftshift(psf)))
    texture = fft.irfft2(fft.rfft2(rng.normal(size=psf.shape)) * np.sqrt(transfer), s=psf.shape)
    return texture * rms_jy / texture.std()


def make_planes(
    n_pixels: int = 256,
    width_deg: float = 4.0,
    n_sources: int = 30,
    rms_jy: float = RMS_JY,
    seed: int = 1,
    **centre: float,
) -> Made:
    """Make up an image of sources from a few mJy to a Jansky, and their table."""
    rng = np.random.default_rng(seed)
    header = header_of(n_pixels, width_deg, **centre)
    shape, middle = (n_pixels, n_pixels), n_pixels // 2
    psf = gaussian(shape, middle, middle, BEAM, header.cell_deg)
    rows, columns = np.mgrid[:n_pixels, :n_pixels] - middle
    pb = np.exp(-4 * np.log(2) * (np.hypot(rows, columns) * header.cell_deg / 2.7) ** 2)
    residual = noise_like(psf, rms_jy, rng)
    image = residual.copy()
    places = rng.uniform(0.06 * n_pixels, 0.94 * n_pixels, (n_sources, 2))
    fluxes = np.geomspace(1.0, 15 * rms_jy, n_sources)
    stamp = int(np.ceil(3 * BEAM.major_deg / header.cell_deg))
    for (x, y), flux in zip(places, fluxes, strict=True):
        left, bottom = max(0, round(x) - stamp), max(0, round(y) - stamp)
        part = image[bottom : bottom + 2 * stamp, left : left + 2 * stamp]
        apparent = flux * pb[round(y), round(x)]
        part += apparent * gaussian(part.shape, x - left, y - bottom, BEAM, header.cell_deg)
    ra_deg, dec_deg = celestial_wcs(header, shape).all_pix2world(places[:, 0], places[:, 1], 0)
    power = pb[np.rint(places[:, 1]).astype(int), np.rint(places[:, 0]).astype(int)]
    columns_of = {
        name: np.zeros(n_sources, column.dtype if column.dtype != "str" else "U1") for name, column in COLUMNS.items()
    }
    columns_of |= {
        "name": iau_names(ra_deg, dec_deg), "ra": ra_deg, "dec": dec_deg, "flux": fluxes, "e_flux": 0.03 * fluxes,
        "peak": fluxes, "apparent": fluxes * power, "apparent_peak": fluxes * power, "pb": power,
        "rms": np.full(n_sources, rms_jy), "snr": fluxes * power / rms_jy, "e_ra": np.full(n_sources, 0.4),
        "e_dec": np.full(n_sources, 0.5), "major": np.full(n_sources, 64.0), "minor": np.full(n_sources, 38.0),
        "pa": np.full(n_sources, 160.0), "n_gaussians": np.ones(n_sources), "flags": [""] * n_sources,
    }  # fmt: skip
    rms = np.full(shape, rms_jy)
    planes = Planes(*(np.asarray(plane, np.float32) for plane in (image, residual, rms, pb, psf)))
    return Made(planes, header, make_sources(columns_of, {"freq_hz": header.freq_hz}))


def write_made(made: Made, directory: Path, **record: object) -> None:
    """Write what was made up as `imaging.products` would."""
    for kind, plane in made.planes._asdict().items():
        write_plane(directory / image_file_name(STEM, kind), plane, made.header)
    facts = {"thermal_jy": 0.5 * RMS_JY, "diverged": False, **record}
    (directory / image_record_name(STEM)).write_text(json.dumps(facts))
