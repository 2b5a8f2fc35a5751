"""Images, really made, of groups that follow one another, of sources that cross a beam that is not the images' own."""

import csv

import numpy as np

from dsa110_contimg.config.settings import CatalogueSettings, ImageSettings
from dsa110_contimg.imaging.products import Provenance
from dsa110_contimg.naming import group_id_from_mjd, image_stem, images_name
from dsa110_contimg.pipeline.imaging import Calibrated, Place, image_group
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.geometry import meridian_icrs
from predicted_ms import PredictedMs
from simulated_fields import CORE

DEC_DEG, START_MJD = 54.57, 60953.52
GROUP_DAYS = 309.2376 / 86400.0
N_GROUPS = 4
OPTIONS = {
    "size": 320,
    "cell_arcsec": 30.0,
    "half_bands": True,
    "outliers": False,
    "robust": 1.0,
    "major_cycles": 3,
    "auto_mask": 5.0,
    "alpha": 0.0,
    "chunks": 2,
    "threads": 1,
}


def sky(seed=3, number=30):
    """Sources of a strip, right ascension and declination [deg], and their flux densities [Jy]; none near another."""
    rng = np.random.default_rng(seed)
    first, last = (_centre(START_MJD + k * GROUP_DAYS) for k in (0, N_GROUPS - 1))
    span = (last[0] - first[0]) * np.cos(np.radians(DEC_DEG))
    found = np.empty((0, 2))
    while len(found) < number:
        offset = rng.uniform([-0.4, -1.2], [span + 0.4, 1.2])
        if (np.hypot(*(found - offset).T) > 0.25).all():
            found = np.concatenate([found, [offset]])
    ra = first[0] + found[:, 0] / np.cos(np.radians(DEC_DEG))
    return ra, first[1] + found[:, 1], rng.uniform(0.5, 2.0, number)


def make_images(base, seen_through, catalogue, *, groups=range(N_GROUPS), **options):
    """Image groups that were seen through a beam; give their directories. Options are those of `ImageSettings`."""
    ra, dec, flux = sky()
    made = []
    for k in groups:
        start = START_MJD + k * GROUP_DAYS
        gid = group_id_from_mjd(start)
        near = np.hypot(*_offsets(start, ra, dec)) < np.radians(2.2)
        ms = PredictedMs(
            base / f"{image_stem(gid)}.ms",
            np.degrees(np.arcsin(_offsets(start, ra[near], dec[near]))).T,
            flux[near],
            dec_deg=DEC_DEG,
            start_mjd=start,
            n_times=8,
            step=3,
            beam=seen_through,
            stations=CORE[::3],
            every=96,
            noise_jy=0.2,
            seed=k + 1,
        )
        directory = base / images_name(gid)
        directory.mkdir()
        # Deconvolved where sources are known to be: few antennas have high sidelobes.
        settings = ImageSettings(**(OPTIONS | {"seed": catalogue} | options))
        provenance = Provenance(gid, ms.path.name)
        image_group(Calibrated(ms.path), Place(directory, image_stem(gid)), settings, provenance, CatalogueSettings())
        made.append(directory)
    return made


def write_catalogue(path, scatter=0.03, seed=4):
    """Write the sky as a table, as catalogues know it."""
    ra, dec, flux = sky()
    off = np.exp(np.random.default_rng(seed).normal(0.0, scatter, len(ra)))
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ra", "dec", "flux", "alpha", "e_flux"])
        rows.writerows(zip(ra, dec, flux * off, np.zeros(len(ra)), scatter * flux, strict=True))
    return path


def _centre(start_mjd):
    ra, dec = meridian_icrs(np.radians(DEC_DEG), start_mjd + GROUP_DAYS / 2, HEADER_SITE)
    return float(ra[0]), float(dec[0])


def _offsets(start_mjd, ra_deg, dec_deg):
    """Direction cosines (2, n) from the phase centre of a group."""
    mjd = start_mjd + (np.arange(8) * 3 + 0.5) * 12.884901888 / 86400
    centre = meridian_icrs(np.radians(DEC_DEG), [mjd.mean()], HEADER_SITE)
    ra0, dec0 = (np.radians(float(value[0])) for value in centre)
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    east = np.cos(dec) * np.sin(ra - ra0)
    north = np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra - ra0)
    return np.stack([east, north])
