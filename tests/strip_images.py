"""Images of a strip as the sky drifts through the beam: restored by hand, seen through a beam, each group its own."""

import json

import numpy as np

from dsa110_contimg.images.fits import RestoringBeam, write_plane
from dsa110_contimg.mosaic.plane import Plane
from dsa110_contimg.naming import (
    Band,
    ImageKind,
    group_id_from_mjd,
    image_file_name,
    image_stem,
    images_name,
    quality_name,
)
from dsa110_contimg.telescope.transits import SIDEREAL_DAY
from restored_image import Source, header_of, restored

GROUP_DAYS = 309.2376 / 86400.0
BEAM_FWHM_DEG = 1.2  # of a smaller field than the telescope's, so that images are small
N_PIXELS = 800
# The whole band and its halves: frequency, and how much noisier.
HALVES = ((None, 1.405e9, 1.0), (Band.LOWER, 1.358e9, 2**0.5), (Band.UPPER, 1.452e9, 2**0.5))


def power(plane, drift_deg=0.0):
    """A round Gaussian beam, drawn out along right ascension."""
    y, x = np.indices((plane.n_dec, plane.n_ra)).astype(float)
    east = -(x - plane.n_ra // 2) * plane.cell_deg
    north = (y - plane.n_dec // 2) * plane.cell_deg
    width = np.hypot(BEAM_FWHM_DEG, drift_deg)
    return np.exp(-4 * np.log(2) * ((east / width) ** 2 + (north / BEAM_FWHM_DEG) ** 2)).astype(np.float32)


def beam_at(plane, ra_deg, dec_deg, drift_deg=0.0):
    """The same at places."""
    radians = np.radians(np.atleast_1d(ra_deg)), np.radians(np.atleast_1d(dec_deg))
    vectors = np.stack(
        [np.cos(radians[1]) * np.cos(radians[0]), np.cos(radians[1]) * np.sin(radians[0]), np.sin(radians[1])], axis=-1
    )
    x, y = plane.pixels(vectors)
    east, north = -(x - plane.n_ra // 2) * plane.cell_deg, (y - plane.n_dec // 2) * plane.cell_deg
    width = np.hypot(BEAM_FWHM_DEG, drift_deg)
    return np.exp(-4 * np.log(2) * ((east / width) ** 2 + (north / BEAM_FWHM_DEG) ** 2))


def make_strip(
    base,
    sources,
    n_groups,
    *,
    start_mjd=60953.5,
    ra_deg=129.0,
    dec_deg=54.57,
    rms=1e-3,
    pa_deg=20.0,
    n_pixels=N_PIXELS,
    halves=False,
):
    """Write the images of neighbouring groups; give their directories. `rms` may be one for each.

    With `halves` there are images of the halves of the band, too, in which the spectral index is -0.7.
    """
    made = []
    step_deg = 360.0 * GROUP_DAYS / SIDEREAL_DAY
    noises = np.broadcast_to(rms, n_groups)
    for k in range(n_groups):
        start = start_mjd + k * GROUP_DAYS
        centre = (ra_deg + k * step_deg) % 360.0
        header = header_of(n_pixels, centre, dec_deg)._replace(
            start_mjd=start,
            middle_mjd=start + GROUP_DAYS / 2,
            end_mjd=start + GROUP_DAYS,
            beam=RestoringBeam(64.0 / 3600.0, 38.0 / 3600.0, pa_deg + 2.0 * k),
        )
        plane = Plane(centre, dec_deg, header.cell_deg, n_pixels, n_pixels)
        gid = group_id_from_mjd(start)
        directory = base / images_name(gid)
        directory.mkdir(parents=True)
        for part, (band, freq_hz, more) in enumerate(HALVES if halves else HALVES[:1]):
            seen = [
                Source(
                    one.ra_deg,
                    one.dec_deg,
                    one.flux_jy * beam * (freq_hz / header.freq_hz) ** -0.7,
                    one.major_arcsec,
                    one.minor_arcsec,
                    one.pa_deg,
                )
                for one in sources
                for beam in beam_at(plane, one.ra_deg, one.dec_deg)
                if beam > 0.003
            ]
            about = header._replace(freq_hz=freq_hz)
            image = restored(n_pixels, seen, float(noises[k]) * more, about, seed=k + 1 + 1000 * part)
            stem = image_stem(gid, band)
            write_plane(directory / image_file_name(stem, ImageKind.IMAGE), image.pixels, about)
            pb = about._replace(unit="", quantity="PrimaryBeam")
            write_plane(directory / image_file_name(stem, ImageKind.PB), power(plane), pb)
        (directory / quality_name(image_stem(gid))).write_text(json.dumps({"verdict": "good", "reasons": []}))
        made.append(directory)
    return made
