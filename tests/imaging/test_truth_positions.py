"""From a Measurement Set to the place and the brightness of a source, to hundredths of an arcsecond."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.images.fits import ImageHeader, RestoringBeam, celestial_wcs
from dsa110_contimg.imaging.averaging import collect
from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.psf import find_peak
from dsa110_contimg.ms.reading import read_blocks
from predicted_ms import PredictedMs

CELL = 6.0
N_PIXELS = 1680
AUTUMN, WINTER = 60953.52, 61100.0
# At this moment right ascension 0h is on the meridian.
ZERO_HOURS = 60953.2886


def measure(ms, *, aberration=True):
    """Offset of the source from its true place to the east and north ["], and its flux density [Jy]; or without."""
    seen = observe(ms.path)
    samples = collect(read_blocks(ms.path), seen, ImageSettings(smearing=1e-6, threads=2), 0.025).samples
    cell_rad = np.radians(CELL / 3600)
    grid = Grid(N_PIXELS, cell_rad, seen.aberration_scale if aberration else 1.0)
    gridder = Gridder(grid, 1e-5, 2)
    image = gridder.image(samples.uvw_m, samples.freq_hz, samples.visibilities, samples.weights)
    image = image / samples.weights.sum(dtype=float)
    nothing = RestoringBeam(1.0, 1.0, 0.0)
    header = ImageHeader(seen.ra_deg, seen.dec_deg, CELL / 3600, 1.4e9, 1.0, 0.0, 0.0, 0.0, nothing, "")
    x, y = celestial_wcs(header, image.shape).all_world2pix(ms.sources.ra_deg[0], ms.sources.dec_deg[0], 0)
    peak = find_peak(image, float(x), float(y))
    return CELL * (x - peak.x), CELL * (peak.y - y), peak.value


@pytest.mark.parametrize(
    ("dec_deg", "start_mjd", "offset_deg"),
    [
        (54.57, AUTUMN, (0.1, -1.3)),
        (54.57, ZERO_HOURS, (1.3, 0.0)),
        (16.27, WINTER, (0.1, -1.3)),
        (-10.0, AUTUMN, (-0.9, 0.9)),
        (71.6, WINTER, (0.9, 0.9)),
    ],
)
def test_a_source_is_where_it_is_and_as_bright_as_it_is(tmp_path, dec_deg, start_mjd, offset_deg):
    ms = PredictedMs(tmp_path / "a.ms", [offset_deg], [2.0], dec_deg=dec_deg, start_mjd=start_mjd)
    east, north, flux_jy = measure(ms)
    assert np.hypot(east, north) < 0.05
    assert flux_jy == pytest.approx(2.0, rel=2e-4)


def test_without_the_aberration_positions_are_off(tmp_path):
    """The magnification is no cosmetic: 1e-4 of 1.3 deg is half an arcsecond."""
    ms = PredictedMs(tmp_path / "a.ms", [(1.3, 0.0)], [1.0])
    east, _, _ = measure(ms, aberration=False)
    expected = 1.3 * 3600 * (1.0 - observe(ms.path).aberration_scale)
    assert abs(expected) > 0.3
    assert -east == pytest.approx(expected, abs=0.05)
