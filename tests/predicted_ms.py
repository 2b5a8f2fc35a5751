"""Small Measurement Sets of point sources, predicted, without noise if not asked for: for tests of what reads them."""

import casacore.tables as ct
import numpy as np

from dsa110_contimg.ms.description import Antennas, Field, MsDescription
from dsa110_contimg.ms.layout import create_ms, fill_weights
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, HEADER_SITE, INTEGRATION_S, band_frequencies_hz
from dsa110_contimg.telescope.geometry import apparent_directions, meridian_frame, meridian_icrs, uvw_basis
from dsa110_contimg.telescope.prediction import PointSources, predict
from dsa110_contimg.telescope.stations import load_stations

STATIONS = (1, 5, 9, 14, 20, 27, 33, 40, 47, 51, 68, 76, 84, 90, 103, 108, 113, 116)


class FlatBeam:
    """A dish that sees all the sky alike."""

    description = "flat"

    def power(self, x, y, freq_hz):
        return np.ones(np.broadcast_shapes(np.shape(x), np.shape(y), np.shape(freq_hz)))


class PredictedMs:
    """A Measurement Set of a pointing on the meridian.

    Parameters
    ----------
    path : Path
        Where it is made.
    offsets_deg : list of (float, float)
        Sources: east and north of the phase centre [deg], on the sphere.
    flux_jy : list of float
        At 1.4 GHz.
    dec_deg : float
        Apparent declination of the pointing [deg].
    start_mjd : float
        Start of the first integration [MJD, UTC].
    n_times, step : int
        Integrations, of which only every step-th of a group is there.
    beam : BeamModel, optional
        Through which the sky is seen; by default all directions are alike.
    autos : float
        Added to the autocorrelations [Jy].
    stations : sequence of int
        The antennas.
    every : int
        Of the 768 channels, so many are predicted as one, at their middle.
    alpha : float
        Spectral index of the sources.
    noise_jy : float
        Rms of the real part of a sample, and of the imaginary [Jy].
    seed : int
        Of the noise.
    """

    def __init__(
        self,
        path,
        offsets_deg,
        flux_jy,
        dec_deg=54.57,
        start_mjd=60953.52,
        n_times=4,
        step=6,
        beam=None,
        autos=0.0,
        stations=STATIONS,
        every=16,
        alpha=0.0,
        noise_jy=0.0,
        seed=1,
    ):
        self.path = path
        self.mjd = start_mjd + (np.arange(n_times) * step + 0.5) * INTEGRATION_S / 86400
        self.dec_rad = np.radians(dec_deg)
        ra, dec = meridian_icrs(self.dec_rad, [self.mjd.mean()], HEADER_SITE)
        self.ra_deg, self.dec_deg = float(ra[0]), float(dec[0])
        source_ra, source_dec = np.array([self.sky(*offset) for offset in offsets_deg]).T
        self.sources = PointSources(source_ra, source_dec, np.array(flux_jy), np.full(len(flux_jy), alpha))
        self.freq_hz = freq_hz = band_frequencies_hz()[every // 2 :: every]
        index = np.array(stations) - 1
        stations = load_stations()
        first, second = np.triu_indices(index.size)
        local_m = meridian_frame(stations.itrf_m[index] - HEADER_SITE.itrf_m, HEADER_SITE)
        basis = uvw_basis(self.ra_deg, self.dec_deg, self.mjd, HEADER_SITE)
        description = MsDescription(
            telescope_name="OVRO_MMA",
            observer="nobody",
            project="test",
            processor="test",
            antennas=Antennas(stations.names, stations.itrf_m, np.full(stations.numbers.size, 4.65)),
            site_itrf_m=HEADER_SITE.itrf_m,
            antenna1=index[first].astype(np.int32),
            antenna2=index[second].astype(np.int32),
            times_mjd=self.mjd,
            interval_s=INTEGRATION_S,
            exposure_s=INTEGRATION_S,
            uvw_m=np.einsum("tij,bj->tbi", basis, local_m[first] - local_m[second]),
            fields=(Field("here", self.ra_deg, self.dec_deg, self.mjd.mean()),),
            field_id=np.zeros(n_times, np.int32),
            freq_hz=freq_hz,
            channel_width_hz=every * CHANNEL_WIDTH_HZ,
            tile_channels=freq_hz.size,
        )
        create_ms(path, description)
        centres = apparent_directions(self.ra_deg, self.dec_deg, self.mjd, HEADER_SITE)[:, 0]
        visibilities = np.concatenate(
            list(
                predict(
                    self.sources,
                    stations.itrf_m[index],
                    (first, second),
                    self.mjd,
                    self.dec_rad,
                    HEADER_SITE,
                    freq_hz,
                    beam or FlatBeam(),
                    centres,
                )
            )
        )
        visibilities[np.tile(first == second, n_times)] += autos
        n_rows = visibilities.shape[0]
        weight = 1 / noise_jy**2 if noise_jy else 4.0
        fill_weights(path, np.full((n_rows, 2), weight, np.float32), np.ones(n_rows, bool))
        data = np.repeat(visibilities[..., None], 2, axis=-1)
        if noise_jy:
            rng = np.random.default_rng(seed)
            data.real += noise_jy * rng.standard_normal(data.shape, np.float32)
            data.imag += noise_jy * rng.standard_normal(data.shape, np.float32)
        with ct.table(str(path), readonly=False, ack=False) as ms:
            ms.putcol("DATA", data)

    def sky(self, east_deg, north_deg):
        """ICRS position [deg] at an offset from the phase centre: direction cosines sin(east), sin(north)."""
        ra, dec = np.radians([self.ra_deg, self.dec_deg])
        l, m = np.sin(np.radians([east_deg, north_deg]))  # noqa: E741
        n = np.sqrt(1 - l**2 - m**2)
        at_dec = np.arcsin(m * np.cos(dec) + n * np.sin(dec))
        at_ra = ra + np.arctan2(l, n * np.cos(dec) - m * np.sin(dec))
        return np.degrees(at_ra) % 360, np.degrees(at_dec)

    def change(self, column, function):
        """Put function(values) in place of a column."""
        with ct.table(str(self.path), readonly=False, ack=False) as ms:
            ms.putcol(column, function(ms.getcol(column)))
