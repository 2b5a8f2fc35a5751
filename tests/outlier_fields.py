"""Fields with a bright source outside of the image, as samples: predicted, with the field alone beside them."""

from typing import NamedTuple

import numpy as np

from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.imaging.averaging import collect
from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.observation import observe
from dsa110_contimg.imaging.outlier_subtraction import subtract_outliers
from dsa110_contimg.imaging.outliers import find_outliers
from dsa110_contimg.ms.reading import read_blocks
from dsa110_contimg.telescope.beams import AiryBeam
from dsa110_contimg.telescope.geometry import apparent_directions, uvw_basis
from dsa110_contimg.telescope.prediction import PointSources
from predicted_ms import PredictedMs
from simulated_fields import STATIONS

SETTINGS = ImageSettings(threads=2)
N_PIXELS, CELL_RAD = 256, np.radians(24 / 3600)


class Case(NamedTuple):
    """Samples of a field and what is outside of it, before and after; `alone` is the field without the outliers."""

    ms: PredictedMs
    observation: object
    before: object
    after: object
    alone: object
    subtracted: object

    def flux_jy(self, samples, source):
        """Sum of the visibilities towards a source of the field [Jy]."""
        basis = uvw_basis(self.observation.ra_deg, self.observation.dec_deg, samples.mjd, self.observation.site)
        at = (self.ms.sources.ra_deg[source], self.ms.sources.dec_deg[source])
        apparent = apparent_directions(*at, samples.mjd, self.observation.site)[:, 0]
        lmn = np.einsum("tij,tj->ti", basis, apparent) - [0, 0, 1]
        turns = (samples.uvw_m * lmn).sum(axis=1)[:, None] * samples.freq_hz / 299792458.0
        return float((samples.weights * samples.visibilities * np.exp(-2j * np.pi * turns)).real.sum()) / float(
            samples.weights.sum()
        )

    def left(self, samples):
        """Rms, weighted, of what is not the field's [Jy]."""
        rest = abs(samples.visibilities - self.alone.visibilities) ** 2
        return float(np.sqrt(np.average(rest, weights=samples.weights)))


def make_case(
    path, field, outside, *, true=None, assumed=None, known=True, settings=SETTINGS, keep_weights=False, **options
):
    """Predict field and outside (lists of (east, north, Jy)), and subtract the latter."""
    options = {"stations": STATIONS, "n_times": 6, "step": 4, "every": 64, "beam": true or AiryBeam()} | options
    everything = [*field, *outside]
    ms = PredictedMs(path / "all.ms", [s[:2] for s in everything], [s[2] for s in everything], **options)
    quiet = options | {"noise_jy": 0.0}
    alone = PredictedMs(path / "field.ms", [s[:2] for s in field], [s[2] for s in field], **quiet)
    observation = observe(ms.path)
    grid = Grid(N_PIXELS, CELL_RAD, observation.aberration_scale)
    edge_rad = N_PIXELS / 2 * CELL_RAD
    samples, field_samples = (
        collect(read_blocks(each.path), observation, settings, edge_rad).samples for each in (ms, alone)
    )
    if not keep_weights:
        # There is no noise in them: weights that say so.
        samples = samples._replace(weights=samples.weights * np.float32(1e4))
    before = samples._replace(visibilities=samples.visibilities.copy())
    assumed = assumed or AiryBeam()
    catalogue = PointSources(*(column[len(field) :] for column in ms.sources)) if known else None
    outliers = find_outliers(observation, grid, settings, assumed, catalogue)
    subtracted = subtract_outliers(samples, observation, outliers, assumed)
    return Case(ms, observation, before, samples, field_samples, subtracted)
