"""``dsa110-contimg calibrators``: which calibrators transit, when, and how bright they then are."""

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json, time_given

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsa110_contimg.catalogue.candidates import Candidate, Strip
    from dsa110_contimg.conversion.grouping import SubbandGroup
    from dsa110_contimg.telescope.transits import Transit

_HOUR = 1 / 24
_HEADER = (
    f"{'J2000':9s} {'name':8s} {'transit (UTC)':23s} {'dec of date':>11s} {'offset':>7s} {'beam':>5s} "
    f"{'Jy':>7s} {'through':>7s} {'20cm':4s} use"
)


class _Scope(NamedTuple):
    """Where and when to look: a strip, a range of MJD, and the groups in it, if files say so."""

    strip: "Strip"
    start_mjd: float
    end_mjd: float
    groups: tuple["SubbandGroup", ...] = ()


def calibrators(
    ctx: typer.Context,
    time: Annotated[str | None, typer.Option(metavar="T", help="Look around this time (UTC).")] = None,
    dec: Annotated[
        float | None, typer.Option(metavar="D", min=-90, max=90, help="Apparent declination of the pointing [deg].")
    ] = None,
    input_dir: Annotated[
        Path | None, typer.Option("--input", metavar="DIR", help="Take times, pointings and site from subband files.")
    ] = None,
    window: Annotated[float, typer.Option(metavar="HOURS", min=0, help="Length of the range, T in its middle.")] = 24.0,
    transits: Annotated[str | None, typer.Option(metavar="NAME", help="List the transits of this source.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="List so many sources of a strip.")] = 20,
    as_json: Json = False,
) -> None:
    """List the calibrators that cross the beam, the one with the most flux through it first.

    Either --time and --dec say where to look, from the site that the telescope's files give; or --input does. With
    --transits it is at one source, and --dec may be left out: then at least the transits before and after T are shown.

    "beam" is the power of the beam at transit, at 1.4 GHz; "through" the flux density that comes through it; "20cm" the
    VLA's quality in configurations A to D; "use" says if convert --calibrator auto would take the source.
    """
    begin(ctx)
    scopes = _scopes(time, dec, input_dir, window, transits is not None)
    from dsa110_contimg.catalogue.calibrators import find_calibrator
    from dsa110_contimg.catalogue.candidates import find_candidates, look_at

    found: list[tuple[_Scope, Candidate]] = []
    if transits is not None:
        source = find_calibrator(transits)
        found = [(scope, look_at(source, *scope[:3])) for scope in scopes]
    else:
        for scope in scopes:
            found += [(scope, candidate) for candidate in find_candidates(*scope[:3])[:limit]]
    if as_json:
        emit_json({"candidates": [_as_dict(scope, candidate) for scope, candidate in found]})
    else:
        _print(found)
    if not any(candidate.transits for _, candidate in found):
        raise typer.Exit(1)


def _scopes(
    time: str | None, dec: float | None, input_dir: Path | None, window_h: float, one_source: bool
) -> list[_Scope]:
    from dsa110_contimg.errors import UsageError

    if input_dir is not None:
        if time is not None or dec is not None:
            raise UsageError("--input says the times and pointings", remedy="Leave out --time and --dec.")
        return _scopes_of_files(input_dir)
    if time is None or (dec is None and not one_source):
        raise UsageError(
            "where to look is not said", remedy="Give --time and --dec, or --input with a directory of subband files."
        )
    from dsa110_contimg.catalogue.candidates import Strip
    from dsa110_contimg.telescope.band import HEADER_SITE
    from dsa110_contimg.telescope.transits import SIDEREAL_DAY, mjd_of

    middle = mjd_of(time_given(time))
    half = window_h * _HOUR / 2
    if one_source:
        half = max(half, SIDEREAL_DAY)
    # A strip at no declination: all that depends on it is then not a number.
    return [_Scope(Strip(float("nan") if dec is None else dec, HEADER_SITE), middle - half, middle + half)]


def _scopes_of_files(directory: Path) -> list[_Scope]:
    from dsa110_contimg.conversion.calibrators import point_groups, transit_range
    from dsa110_contimg.conversion.grouping import find_groups

    listing = find_groups(directory)
    listing.require_groups()
    return [_Scope(strip, *transit_range(groups), tuple(groups)) for strip, groups in point_groups(listing.groups)]


def _rows(scope: _Scope, candidate: "Candidate") -> "Iterator[tuple[Transit, list[str]]]":
    """Each transit, with the groups whose calibrator it makes the source."""
    from dsa110_contimg.conversion.calibrators import crossings

    crossed = crossings(candidate, scope.groups)
    for transit in candidate.transits:
        yield transit, [item.group.id for item in crossed if item.transit == transit]


def _as_dict(scope: _Scope, candidate: "Candidate") -> dict[str, Any]:
    from dsa110_contimg.telescope.transits import utc_of

    source = candidate.calibrator
    return {
        "name": source.name,
        "alt_name": source.alt_name,
        "b1950_name": source.b1950_name,
        "ra_deg": source.ra_deg,
        "dec_deg": source.dec_deg,
        "quality_20cm": source.quality_20cm,
        "position_code": source.position_code,
        "spectrum": None if isnan(source.flux_20cm_jy) else source.spectrum.origin,
        "pointing_dec_deg": scope.strip.dec_deg,
        "site": list(scope.strip.site),
        "apparent_dec_deg": candidate.dec_deg,
        "offset_deg": candidate.offset_deg,
        "beam_power": candidate.beam_power,
        "flux_jy": candidate.flux_jy,
        "apparent_flux_jy": candidate.apparent_flux_jy,
        "suitable": candidate.is_suitable,
        "transits": [
            {"utc": utc_of(transit.mjd), "mjd": transit.mjd, "apparent_dec_deg": transit.dec_deg, "groups": groups}
            for transit, groups in _rows(scope, candidate)
        ],
    }


def _print(found: list[tuple[_Scope, "Candidate"]]) -> None:
    from dsa110_contimg.telescope.transits import utc_of

    typer.echo(_HEADER)
    for scope, candidate in found:
        source = candidate.calibrator
        for transit, groups in _rows(scope, candidate):
            time = utc_of(transit.mjd).replace(tzinfo=None).isoformat(timespec="milliseconds")
            line = (
                f"{source.name:9s} {source.alt_name:8s} {time:23s} {transit.dec_deg:+11.4f} "
                f"{candidate.offset_deg:+7.2f} {candidate.beam_power:5.2f} {candidate.flux_jy:7.2f} "
                f"{candidate.apparent_flux_jy:7.2f} {source.quality_20cm:4s} "
                f"{'yes' if candidate.is_suitable else 'no':3s} {' '.join(groups)}"
            )
            # Without a pointing, what depends on it is left out.
            typer.echo(line.replace("+nan", "   -").replace("nan", "  -").rstrip())
