"""Forced measurements of a strip whose beam is known: what B of the sky came through it, with noise and calibration."""

import numpy as np
import pyarrow as pa

from dsa110_contimg.images.fits import Card, ImageHeader, RestoringBeam
from dsa110_contimg.naming import group_id_from_mjd
from dsa110_contimg.photometry.beam_crossings import Known
from dsa110_contimg.photometry.beam_samples import track
from dsa110_contimg.photometry.measurements import SCHEMA, source_id
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.geometry import meridian_icrs

GROUP_DAYS = 309.2376 / 86400.0
FREQ_HZ = {"full": 1.405e9, "lower": 1.358e9, "upper": 1.452e9}
WIDTH_HZ = {"full": 1.875e8, "lower": 9.375e7, "upper": 9.375e7}


def headers_of(n_groups, dec_deg, bands=("lower", "upper"), model="airy", start=60953.5):
    """Headers of the images of groups that follow one another, by group and band."""
    made = {}
    for k in range(n_groups):
        begin = start + k * GROUP_DAYS
        middle = begin + GROUP_DAYS / 2
        ra, dec = meridian_icrs(np.radians(dec_deg), middle, HEADER_SITE)
        for band in bands:
            made[group_id_from_mjd(begin), band] = ImageHeader(
                float(ra[0]), float(dec[0]), 1e-3, FREQ_HZ[band], WIDTH_HZ[band], begin, middle, begin + GROUP_DAYS,
                RestoringBeam(0.02, 0.01, 0.0), "OVRO_MMA", cards=(Card("PNTDEC", dec_deg), Card("PBMODEL", model)),
            )  # fmt: skip
    return made


def observed(
    true_power,
    *,
    dec_deg=54.5734,
    n_groups=16,
    n_sources=150,
    bands=("lower", "upper"),
    noise_jy=1e-3,
    scale_scatter=0.02,
    catalogue_scatter=0.08,
    outliers=0.05,
    model="airy",
    seed=0,
):
    """Measure sources whose flux came through a beam, corrected for the one that the images were made with.

    `true_power` is of (x, y, freq_hz). Gives measurements, headers and the catalogue.
    """
    rng = np.random.default_rng(seed)
    headers = headers_of(n_groups, dec_deg, bands, model)
    groups = sorted({group for group, _ in headers})
    first, last = (headers[group, bands[0]].ra_deg for group in (groups[0], groups[-1]))
    span = (last - first) % 360.0
    around = 1.5 / np.cos(np.radians(dec_deg))
    ra = (first - around + (span + 2 * around) * rng.random(n_sources)) % 360.0
    dec = headers[groups[0], bands[0]].dec_deg + rng.uniform(-1.6, 1.6, n_sources)
    flux = 0.03 * rng.pareto(1.0, n_sources) + 0.03
    alpha = rng.normal(-0.7, 0.2, n_sources)
    number = source_id(ra, dec)
    rows = []
    for group in groups:
        for band in bands:
            header, scale = headers[group, band], np.exp(rng.normal(0.0, scale_scatter))
            way = track(header, ra, dec)
            seen, thought = way.mean_power(true_power), way.mean_power(beam_model(model).power)
            apparent = flux * (header.freq_hz / 1.4e9) ** alpha * seen * scale
            apparent = apparent + rng.normal(0.0, noise_jy, n_sources)
            wild = rng.random(n_sources) < outliers
            apparent = np.where(wild, apparent * rng.uniform(0.3, 2.0, n_sources), apparent)
            rows.extend(
                {"source_id": number[k], "epoch": "", "image": group, "kind": "group", "band": band,
                 "mjd": header.middle_mjd, "freq_hz": header.freq_hz, "flux": apparent[k] / thought[k],
                 "e_flux": noise_jy / thought[k], "pb": thought[k], "flags": 0}
                for k in np.flatnonzero(thought > 0.2)
            )  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=pa.schema([SCHEMA.field(name) for name in rows[0]]))
    off = np.exp(rng.normal(0.0, catalogue_scatter, n_sources))
    off = np.where(rng.random(n_sources) < outliers, off * 2.0, off)
    known = Known(number, flux * off, 0.03 * flux, np.full(n_sources, 1.4e9), np.full(n_sources, np.nan))
    return table, headers, known
