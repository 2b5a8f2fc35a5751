"""The kinds of values that settings have, and what all sections of them share."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


def _refuse_empty(value: object) -> object:
    if value == "":
        raise ValueError("it should not be empty")  # Path("") would be the working directory
    return value


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it should be a number")  # noqa: TRY004 - pydantic takes ValueError; True would be 1
    return value


def _check_phase_centre(text: str) -> str:
    if text in {"meridian", "drift"}:
        return text
    try:
        ra_deg, dec_deg = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError('it is "meridian", "drift" or "RA,DEC" in ICRS degrees') from None
    if not (0.0 <= ra_deg < 360.0 and -90.0 <= dec_deg <= 90.0):
        raise ValueError("RA is from 0 to 360 and DEC from -90 to 90 degrees")
    return text


UserPath = Annotated[Path, BeforeValidator(_refuse_empty), AfterValidator(Path.expanduser)]
Count = Annotated[int, BeforeValidator(_refuse_bool)]
Number = Annotated[float, BeforeValidator(_refuse_bool)]
PhaseCentre = Annotated[str, AfterValidator(_check_phase_centre)]


class Section(BaseModel):
    """A group of settings: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
