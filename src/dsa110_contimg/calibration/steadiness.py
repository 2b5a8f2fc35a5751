"""How far a calibrator's flux density at 1.4 GHz may be from what the list says today.

The flux densities of Perley and Butler's sources that are known to hold still are on their scale; some others of theirs
vary slowly (Perley & Butler 2013, ApJS 204, 19, abstract: 3C123, 3C196, 3C286 and 3C295 by less than 5% in a century;
3C48, 3C138 and 3C147 do vary). Those of the rest of the VLA's list are decades old. The blazars here are ones that
have been monitored for their outbursts since (Aller et al. 1985, ApJS 59, 513): no value of theirs holds for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.catalogue.spectra import standard_spectrum

if TYPE_CHECKING:
    from dsa110_contimg.catalogue.calibrators import Calibrator

_STEADY = frozenset({"3C196", "3C286", "3C295"})
# J2000 names of the list: 3C84, 3C454.3, 3C273, 3C279, BL Lac, CTA102, 3C345, OJ287, 3C120, 3C446, NRAO150, ...
_BLAZARS = frozenset(
    (
        "0319+415", "2253+161", "1229+020", "1256-057", "2202+422", "2232+117", "1642+398", "0854+201",
        "0433+053", "2225-049", "0359+509", "0721+713", "0238+166", "1733-130", "0927+390", "1751+096",
        "2136+006", "0336+323", "0423-013", "0530+135", "1635+381", "1613+342", "1159+292", "1310+323",
        "1504+104", "1419+543", "1748+700", "1800+784", "2005+778", "2148+069", "0136+478", "0108+015",
        "0339-017", "1924-292", "0750+125",
    )
)  # fmt: skip


class Steadiness(NamedTuple):
    """A class of sources, and the fraction by which the flux density of one may be off."""

    name: str
    error: float


STEADY = Steadiness("steady", 0.01)
SLOW = Steadiness("slowly varying", 0.03)
UNKNOWN = Steadiness("not monitored", 0.10)
VARIABLE = Steadiness("variable", 0.30)


def steadiness(source: Calibrator) -> Steadiness:
    """Say how steady a source of the list is."""
    if source.alt_name in _STEADY:
        return STEADY
    if standard_spectrum(source.alt_name) is not None:
        return SLOW
    return VARIABLE if source.name in _BLAZARS else UNKNOWN


def is_flux_standard(source: Calibrator) -> bool:
    """Whether the absolute scale may rest on it: Perley and Butler (2017) have its spectrum, it is all but steady."""
    return steadiness(source) in {STEADY, SLOW}
