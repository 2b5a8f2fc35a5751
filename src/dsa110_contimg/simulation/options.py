"""What can be asked of the simulator, and how it is written on a command line."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeFloat

from dsa110_contimg.errors import UsageError
from dsa110_contimg.simulation.faults import Fault
from dsa110_contimg.telescope.band import INTEGRATIONS_PER_GROUP, N_SUBBANDS
from dsa110_contimg.telescope.beams import beam_model

Subband = Annotated[int, Field(ge=0, lt=N_SUBBANDS)]
Station = Annotated[int, Field(ge=1)]


def _beam_that_exists(name: str) -> str:
    beam_model(name)
    return name


class SimulationOptions(BaseModel):
    """All that decides what is written, besides the directory: equal options give equal files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: AwareDatetime = Field(datetime(2025, 10, 5, 12, 30, tzinfo=UTC), description="Start of the first group.")
    dec_deg: float = Field(54.5734, ge=-90, le=90, description="Apparent declination of the pointing [deg].")
    groups: int = Field(1, ge=1, description="How many groups, one after the other without a gap.")
    antennas: int | tuple[Station, ...] = Field(
        96, description="How many of the working stations, spread over the array; or which, in correlator order."
    )
    integrations: int = Field(INTEGRATIONS_PER_GROUP, ge=1, description="Integrations in a group.")
    subbands: tuple[Subband, ...] = Field(tuple(range(N_SUBBANDS)), description="Which subbands to write.")
    sky: str = Field(
        "random:100", description="A table of sources (CSV, ECSV, JSON), or random:N for so many within 1.5 deg."
    )
    noise: Literal["auto"] | NonNegativeFloat = Field(
        "auto", description="Rms per component of a cross-correlation sample [Jy]; auto is what the SEFD gives, 2.59."
    )
    gains: int | None = Field(None, ge=0, description="Seed of the antennas' gains; without it the files are in Jy.")
    rfi: bool = Field(False, description="Whether there is interference.")
    jitter_s: float = Field(2.0, ge=0, description="Names are up to so many seconds later than the group's start.")
    faults: tuple[Fault, ...] = Field((), description="What is wrong with files.")
    oversample: int = Field(1, ge=1, description="Samples in an integration; more than 1 smears in time.")
    dead: tuple[Station, ...] = Field((), description="Stations without power.")
    one_pol_dead: tuple[Station, ...] = Field((), description="Stations without power in XX.")
    deaf: tuple[Station, ...] = Field((), description="Stations that have noise but no sky.")
    swapped: tuple[Station, Station] | None = Field(None, description="Two stations whose cables are exchanged.")
    site: tuple[float, float, float] | None = Field(
        None, description="Latitude, longitude [deg] and height [m] in the header; by default the telescope's."
    )
    beam: Annotated[str, AfterValidator(_beam_that_exists)] = Field(
        "airy", description="airy, tapered or gaussian:FWHM (degrees at 1.4 GHz)."
    )
    beam_offset_deg: tuple[float, float] = Field(
        (0.0, 0.0), description="Where the beam's axis is, east and north of the pointing in the header [deg]."
    )
    seed: int = Field(0, ge=0, description="Of noise, interference, jitter and a random sky.")


def parse_numbers(text: str) -> tuple[int, ...]:
    """Read a list of numbers and ranges: ``0,3,8-11``.

    Raises
    ------
    UsageError
        It is something else.
    """
    numbers: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise UsageError(f"{text!r} is not a list of numbers", remedy="Write it as 0,3,8-11.")
        numbers.extend(range(int(low), int(high if dash else low) + 1))
    return tuple(numbers)


def parse_antennas(text: str) -> int | tuple[int, ...]:
    """Read how many antennas (one number), or which (a list)."""
    numbers = parse_numbers(text)
    return numbers[0] if text.strip().isdecimal() else numbers


def parse_floats(text: str, count: int) -> tuple[float, ...]:
    """Read so many numbers, separated by commas.

    Raises
    ------
    UsageError
        They are not so many, or not numbers.
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count:
        raise UsageError(f"{text!r} is not {count} numbers with commas between")
    return values
