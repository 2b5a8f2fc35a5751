"""Restored images made by hand: Gaussians on noise that is correlated over the beam, with all that a header says."""

from typing import NamedTuple

import numpy as np

from dsa110_contimg.images.fits import ImageHeader, RestoringBeam, SkyImage, celestial_wcs

CELL_ARCSEC = 8.0
BEAM = RestoringBeam(64.0 / 3600.0, 38.0 / 3600.0, 20.0)


class Source(NamedTuple):
    """Where a Gaussian is (ICRS, degrees), its flux density (Jy), and its own axes and position angle, if any."""

    ra_deg: float
    dec_deg: float
    flux_jy: float
    major_arcsec: float = 0.0
    minor_arcsec: float = 0.0
    pa_deg: float = 0.0


def header_of(n: int, ra_deg: float = 129.0, dec_deg: float = 54.57) -> ImageHeader:
    """A header of n x n pixels of 8"."""
    return ImageHeader(
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        cell_deg=CELL_ARCSEC / 3600.0,
        freq_hz=1.405e9,
        bandwidth_hz=187e6,
        start_mjd=60953.5,
        middle_mjd=60953.50179,
        end_mjd=60953.50358,
        beam=BEAM,
        telescope="OVRO_MMA",
    )


def restored(n: int, sources: list[Source], rms: float, header: ImageHeader | None = None, seed: int = 1) -> SkyImage:
    """An image (n, n) of sources, seen through `BEAM` of the header, on noise of this rms [Jy/beam]."""
    header = header or header_of(n)
    east, north = plane(n)
    beam = _matrix(*(np.array(header.beam[:2]) * 3600.0), header.beam.pa_deg)
    pixels = noise(n, header, seed) * rms
    x, y = celestial_wcs(header, (n, n)).all_world2pix([s.ra_deg for s in sources], [s.dec_deg for s in sources], 0)
    for source, at_x, at_y in zip(sources, x, y, strict=True):
        shape = beam + _matrix(source.major_arcsec, source.minor_arcsec, source.pa_deg)
        peak = source.flux_jy * np.sqrt(np.linalg.det(beam) / np.linalg.det(shape))
        reach = int(5 * np.sqrt(np.trace(shape)) / CELL_ARCSEC)
        rows = slice(max(int(at_y) - reach, 0), int(at_y) + reach + 2)
        columns = slice(max(int(at_x) - reach, 0), int(at_x) + reach + 2)
        de = east[rows, columns] - (n // 2 - at_x) * CELL_ARCSEC
        dn = north[rows, columns] - (at_y - n // 2) * CELL_ARCSEC
        inverse = np.linalg.inv(shape)
        exponent = inverse[0, 0] * de**2 + 2 * inverse[0, 1] * de * dn + inverse[1, 1] * dn**2
        pixels[rows, columns] += peak * np.exp(-4 * np.log(2) * exponent)
    return SkyImage(pixels.astype(np.float32), header, ())


def noise(n: int, header: ImageHeader, seed: int) -> np.ndarray:
    """Noise (n, n) of rms 1 with the correlation of a dirty image, the autocorrelation of which is the beam."""
    rng = np.random.default_rng(seed)
    east, north = plane(n)
    beam = _matrix(*(np.array(header.beam[:2]) * 3600.0), header.beam.pa_deg)
    inverse = np.linalg.inv(beam)
    exponent = inverse[0, 0] * east**2 + 2 * inverse[0, 1] * east * north + inverse[1, 1] * north**2
    # A Gaussian kernel narrower by the square root of two has the beam as its autocorrelation.
    kernel = np.exp(-8 * np.log(2) * exponent)
    kernel /= np.sqrt(np.sum(kernel**2))
    return np.fft.irfft2(np.fft.rfft2(rng.standard_normal((n, n))) * np.fft.rfft2(np.fft.ifftshift(kernel)), s=(n, n))


def scattered(n: int, header: ImageHeader, count: int, seed: int = 1, margin: int = 30) -> np.ndarray:
    """Places (count, 2) [deg, ICRS] on a jittered lattice, so that none are neighbours."""
    side = int(np.ceil(np.sqrt(count)))
    step = (n - 2 * margin) / side
    rng = np.random.default_rng(seed)
    lattice = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)[:count]
    x, y = (margin + step * (lattice + 0.5 + rng.uniform(-0.2, 0.2, lattice.shape))).T
    return np.stack(celestial_wcs(header, (n, n)).all_pix2world(x, y, 0), axis=-1)


def plane(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the pixels from the phase centre towards east and north, each (n, n) [arcsec]."""
    offset = (np.arange(n) - n // 2) * CELL_ARCSEC
    return np.broadcast_to(-offset, (n, n)), np.broadcast_to(offset[:, None], (n, n))


def _matrix(major: float, minor: float, pa_deg: float) -> np.ndarray:
    sin, cos = np.sin(np.radians(pa_deg)), np.cos(np.radians(pa_deg))
    turn = np.array([[sin, cos], [cos, -sin]])  # columns: along the major axis, along the minor
    return turn @ np.diag([major**2, minor**2]) @ turn.T
