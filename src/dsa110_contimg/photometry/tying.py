"""Setting an image right by its ties to a reference: the places and fluxes of its sources, and its coordinates."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from dsa110_contimg.photometry.sources import iau_names, make_sources, values
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.photometry.sources import Sources
    from dsa110_contimg.photometry.ties import Ties

log = logging.getLogger(__name__)

#: From so many matched sources on ties are applied.
LEAST_MATCHES = 3


def are_good(ties: Ties) -> bool:
    """Whether ties are of so many sources that they may be applied."""
    return ties.n >= LEAST_MATCHES


def apply_ties(sources: Sources, ties: Ties) -> Sources:
    """Take the offset off the places, and the ratio off the fluxes.

    Parameters
    ----------
    sources : Sources
        Of the image that the ties were measured on.
    ties : Ties
        What was measured.

    Returns
    -------
    Sources
        Tied, with the errors of the ties in theirs, and ``ties`` in ``meta``; what is apparent stays as in the image.
        As they were, where there are fewer than `LEAST_MATCHES`.
    """
    if not are_good(ties):
        log.warning("only %d sources match %s: the ties are not applied", ties.n, ties.reference)
        return sources
    columns = {name: values(sources, name) for name in sources.colnames}
    ra, dec = tied_place(columns["ra"], columns["dec"], ties)
    relative = ties.e_flux_ratio / ties.flux_ratio
    columns |= {
        "name": np.array(iau_names(ra, dec), dtype=str),
        "ra": ra,
        "dec": dec,
        "e_ra": np.hypot(columns["e_ra"], ties.e_d_ra_arcsec),
        "e_dec": np.hypot(columns["e_dec"], ties.e_d_dec_arcsec),
    }
    for name in ("flux", "peak"):
        error = np.hypot(columns[f"e_{name}"], columns[name] * relative)
        columns |= {name: columns[name] / ties.flux_ratio, f"e_{name}": error / ties.flux_ratio}
    return make_sources(columns, dict(sources.meta) | {"ties": ties.as_json()})


def tie_images(paths: Iterable[Path], ties: Ties) -> None:
    """Move the coordinates of FITS images by the offset, in place; their pixels stay.

    Parameters
    ----------
    paths : iterable of Path
        Images on the caller's scratch, not yet published.
    ties : Ties
        What was measured. Nothing is done where there are fewer than `LEAST_MATCHES`.

    Raises
    ------
    OutputError
        An image cannot be read or written.
    """
    if not are_good(ties):
        return
    for path in paths:
        with output_errors(path), fits.open(path, mode="update", memmap=False) as hdus:
            cards = hdus[0].header
            ra, dec = tied_place(np.array([cards["CRVAL1"]]), np.array([cards["CRVAL2"]]), ties)
            cards["CRVAL1"], cards["CRVAL2"] = float(ra[0]), float(dec[0])
            cards.add_history(
                f'coordinates tied to {ties.reference}: moved by {-ties.d_ra_arcsec:+.3f}" east, '
                f'{-ties.d_dec_arcsec:+.3f}" north'
            )


def tied_place(
    ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], ties: Ties
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take the offset off places (S,) [deg]."""
    ra = ra_deg - ties.d_ra_arcsec / 3600.0 / np.cos(np.radians(dec_deg))
    return ra % 360.0, dec_deg - ties.d_dec_arcsec / 3600.0
