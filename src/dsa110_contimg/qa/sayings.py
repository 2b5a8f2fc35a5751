"""Numbers as people read them."""

from __future__ import annotations

import math
from typing import Any

#: What is written where nothing is known.
NOTHING = "–"


def known(value: Any) -> bool:
    """Whether there is a number."""
    return isinstance(value, int | float) and math.isfinite(value)


def number(value: Any, digits: int = 3, unit: str = "") -> str:
    """Say a number in so many digits, without exponents where it can be."""
    if not known(value):
        return NOTHING
    size = abs(value if isinstance(value, int) else float(f"{value:.{digits - 1}e}"))
    if size >= 10.0**digits or isinstance(value, int) or value == 0.0:
        text = f"{value:,.0f}".replace(",", " ")
    elif size < 1e-4:
        text = f"{value:.{digits}g}"
    else:
        text = f"{value:.{max(0, digits - 1 - math.floor(math.log10(size)))}f}"
    return f"{text} {unit}" if unit else text


def flux(value_jy: Any, unit: str = "") -> str:
    """Say a flux density in Jy, mJy or µJy; `unit` may be ``/beam``."""
    if not known(value_jy):
        return NOTHING
    for factor, name in ((1.0, "Jy"), (1e3, "mJy")):
        if abs(value_jy) * factor >= 0.9995 or (name == "mJy" and abs(value_jy) >= 1e-5):
            return number(value_jy * factor, 3, name + unit)
    return number(value_jy * 1e6, 3, "µJy" + unit) if value_jy else f"0 Jy{unit}"


def percent(fraction: Any) -> str:
    """Say a fraction in percent: as many digits as it needs."""
    if not known(fraction):
        return NOTHING
    share = 100.0 * fraction
    return f"{share:.0f} %" if share >= 9.95 or share == 0.0 else f"{share:.2g} %"


def seconds(value_s: Any) -> str:
    """Say a time."""
    if not known(value_s):
        return NOTHING
    return f"{value_s:.2f} s" if value_s < 9.995 else f"{value_s:.0f} s"


def with_error(value: Any, error: Any, unit: str = "") -> str:
    """Say a number with as many decimals as its error has two digits of."""
    if not known(value):
        return NOTHING
    if not known(error) or error <= 0.0:
        return number(value, 3, unit)
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}" + (f" {unit}" if unit else "")


def right_ascension(degrees: float) -> str:
    """Say a right ascension: ``08:15:46.34``."""
    hundredths = round(degrees % 360.0 * 24000.0)
    whole, rest = divmod(hundredths % 8640000, 100)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest:02d}"


def declination(degrees: float) -> str:
    """Say a declination: ``+55:15:49.2``."""
    tenths = round(abs(degrees) * 36000.0)
    whole, rest = divmod(tenths, 10)
    sign = "-" if degrees < 0 and tenths else "+"
    return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest}"
