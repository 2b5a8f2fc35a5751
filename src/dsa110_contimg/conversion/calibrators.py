"""Measurement Sets of calibrators: which groups a source crosses, and writing them turned to it, with its model.

A source is *in* a group if the window around its transit overlaps the group. The window is, unless told otherwise, as
long as half a group: the source then crosses the middle of the beam inside the group, or less than a quarter of its
length away from it. A transit in the middle half of a group gives that group alone, one near the boundary of two gives
both.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.catalogue.candidates import SUITABLE_POWER, Candidate, Strip, find_candidates, look_at
from dsa110_contimg.conversion.batch import FailedGroup, convert_groups
from dsa110_contimg.conversion.checks import read_group
from dsa110_contimg.conversion.model import CalibratorModel
from dsa110_contimg.conversion.provenance import read_provenance
from dsa110_contimg.errors import IncompleteGroupError, InputError, NoGroupsError, OutputExistsError, UsageError
from dsa110_contimg.naming import ms_name
from dsa110_contimg.telescope.transits import nearest_transit, utc_of
from dsa110_contimg.uvh5.header import read_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from dsa110_contimg.catalogue.calibrators import Calibrator
    from dsa110_contimg.conversion.batch import Watcher
    from dsa110_contimg.conversion.group import ConversionOptions, ConvertedMs
    from dsa110_contimg.conversion.grouping import SubbandGroup
    from dsa110_contimg.conversion.model import ModelKind
    from dsa110_contimg.telescope.transits import Transit
    from dsa110_contimg.uvh5.header import SubbandHeader

log = logging.getLogger(__name__)

AUTO = "auto"
#: Power of the beam at 1.4 GHz under which a source is refused even if it is asked for by name.
LEAST_POWER = 0.1

_DAY_S = 86400.0
# Pointings this close are one strip [deg].
_SAME_STRIP_DEG = 0.1
_LIST = "List what transits with dsa110-contimg calibrators --input DIR"


class CalibratorGroup(NamedTuple):
    """A group that a calibrator crosses.

    Attributes
    ----------
    group : SubbandGroup
        The group.
    candidate : Candidate
        The source, and how the group's strip sees it.
    transit : Transit
        Its transit, whose window overlaps the group.
    """

    group: SubbandGroup
    candidate: Candidate
    transit: Transit

    def as_dict(self) -> dict[str, object]:
        """Return the same for JSON."""
        return {
            "group": self.group.id,
            "calibrator": self.candidate.calibrator.label,
            "transit": utc_of(self.transit.mjd),
            "offset_deg": self.candidate.offset_deg,
            "beam_power": self.candidate.beam_power,
            "apparent_flux_jy": self.candidate.apparent_flux_jy,
        }


def find_calibrator_groups(
    groups: Iterable[SubbandGroup], name: str, window_s: float | None = None
) -> list[CalibratorGroup]:
    """Find the groups that a calibrator crosses.

    Parameters
    ----------
    groups : iterable of SubbandGroup
        Where to look. They may be of several strips and days.
    name : str
        Any name of the calibrator, or ``"auto"``: in each strip the source with the most flux through the beam among
        those that come within half the beam's width and are good points (see `Calibrator.is_good_point`).
    window_s : float, optional
        Length of the window around a transit [s]; by default half a group.

    Returns
    -------
    list of CalibratorGroup
        In order of time.

    Raises
    ------
    UsageError
        The name is unknown or ambiguous, or the source never comes into the beam.
    NoGroupsError
        It does, but not during these groups; or nothing suitable does.
    """
    listed = sorted(groups, key=lambda group: group.start_mjd)
    strips = point_groups(listed)
    if name.strip().lower() == AUTO:
        found = _brightest(strips, window_s)
    else:
        found = _asked_for(find_calibrator(name), strips, window_s)
    for item in found:
        _report(item)
    return sorted(found, key=lambda item: item.group.id)


def convert_calibrator_groups(
    found: Iterable[CalibratorGroup],
    output_dir: Path,
    options: ConversionOptions,
    kind: ModelKind = "apparent",
    watcher: Watcher | None = None,
) -> Iterator[ConvertedMs | FailedGroup]:
    """Convert groups into ``<group>_<calibrator>.ms``, turned to the calibrator, with MODEL_DATA.

    Parameters
    ----------
    found : iterable of CalibratorGroup
        What `find_calibrator_groups` found.
    output_dir : Path
        Directory of Measurement Sets.
    options : ConversionOptions
        How; its phase centre is replaced by the calibrator's place.
    kind : {"apparent", "intrinsic"}
        Whether MODEL_DATA has the beam in it; see `CalibratorModel`.
    watcher : Watcher, optional
        Is told how it goes.

    Yields
    ------
    ConvertedMs or FailedGroup
        As `convert_groups`, whose errors are raised here too. A Measurement Set that is there already with another
        kind of model is a failure, unless it is to be overwritten.
    """
    by_source: dict[Calibrator, list[SubbandGroup]] = defaultdict(list)
    for item in found:
        by_source[item.candidate.calibrator].append(item.group)
    for source, groups in by_source.items():
        model = CalibratorModel(source, source.spectrum, kind)
        chosen = replace(options, calibrator=model, phase_centre=model.phase_centre)
        for group in groups:
            ms = output_dir / ms_name(group.id, source.label)
            if not options.overwrite and _kind_of(ms) not in {kind, None}:
                error = OutputExistsError(
                    f"is there already, with the {_kind_of(ms)} model",
                    path=ms,
                    remedy="Give --overwrite to replace it.",
                )
                log.error("convert %s: %s", group.id, error, extra={"stage": "convert", "group": group.id})
                yield FailedGroup(group.id, error)
            else:
                yield from convert_groups([group], output_dir, chosen, watcher)


def _kind_of(ms: Path) -> str | None:
    """Kind of model in a Measurement Set; None where there is none, or it does not say."""
    try:
        facts = read_provenance(ms)["calibrator"]
    except (OSError, ValueError, KeyError):
        return None
    return str(facts["model"]) if facts else None


def point_groups(groups: Sequence[SubbandGroup]) -> list[tuple[Strip, list[SubbandGroup]]]:
    """Read where the groups point, and sort them into strips.

    A group whose headers cannot be read goes with the group before it (or after, for the first): should a calibrator
    cross it, then its conversion says what is wrong with it.

    Raises
    ------
    NoGroupsError
        None of them can be read, or there are none.
    """
    pointings = [_pointing(group) for group in groups]
    known = next((pointing for pointing in pointings if pointing), None)
    if known is None:
        raise NoGroupsError(f"none of {len(pointings)} groups has headers that can be read")
    strips: list[tuple[Strip, list[SubbandGroup]]] = []
    for group, pointing in zip(groups, pointings, strict=True):
        known = pointing or known
        for strip, members in strips:
            if strip.site == known.site and abs(strip.dec_deg - known.dec_deg) <= _SAME_STRIP_DEG:
                members.append(group)
                break
        else:
            strips.append((known, [group]))
    return strips


def _pointing(group: SubbandGroup) -> Strip | None:
    """Where most of a group's files say that it points; None if they cannot be read."""
    paths = dict(sorted(group.files.items()))
    try:
        # Where two agree they are believed: all sixteen take half a second to read.
        said = {_strip(read_header(path)) for path in list(paths.values())[:: max(len(paths) - 1, 1)]}
    except InputError:
        said = set()
    if len(said) == 1:
        return said.pop()
    try:
        return _strip(next(iter(read_group(paths).headers.values())))
    except IncompleteGroupError as error:
        log.warning("%s: its pointing is not known: %s", group.id, error)
        return None


def _strip(header: SubbandHeader) -> Strip:
    return Strip(float(np.degrees(header.dec_rad)), header.site)


def _brightest(strips: list[tuple[Strip, list[SubbandGroup]]], window_s: float | None) -> list[CalibratorGroup]:
    """In each strip, the first of the good candidates whose transit is in a group, with all its groups."""
    found: list[CalibratorGroup] = []
    for strip, groups in strips:
        good = (c for c in find_candidates(strip, *transit_range(groups, window_s)) if c.is_suitable)
        passes = (crossings(candidate, groups, window_s) for candidate in good)
        found += next((crossed for crossed in passes if crossed), [])
    if not found:
        decs = ", ".join(f"{strip.dec_deg:.2f}" for strip, _ in strips)
        raise NoGroupsError(
            f"no suitable calibrator transits in these groups, at declination {decs}",
            remedy=f"{_LIST}, or give a longer range.",
        )
    return found


def _asked_for(
    source: Calibrator, strips: list[tuple[Strip, list[SubbandGroup]]], window_s: float | None
) -> list[CalibratorGroup]:
    """All groups that one source crosses."""
    _ = source.spectrum  # one without is refused here, and not once for each group
    found: list[CalibratorGroup] = []
    seen = [(look_at(source, strip, *transit_range(groups, window_s)), groups) for strip, groups in strips]
    closest = min((candidate for candidate, _ in seen), key=lambda candidate: abs(candidate.offset_deg))
    if closest.beam_power < LEAST_POWER:
        raise UsageError(
            f"{source.label} never comes into the beam: its closest approach to the pointing is "
            f"{abs(closest.offset_deg):.2f} deg, where the beam has {closest.beam_power:.2g} of its power",
            remedy=f"{_LIST}, or take --calibrator auto.",
        )
    for candidate, groups in seen:
        if candidate.beam_power >= LEAST_POWER:
            found += crossings(candidate, groups, window_s)
    if not found:
        start, end = transit_range([group for _, groups in seen for group in groups], window_s)
        transit = nearest_transit(source.ra_deg, source.dec_deg, (start + end) / 2, strips[0][0].site)
        raise NoGroupsError(
            f"{source.label} does not transit in any of these groups; a transit is at {_text(transit)}",
            remedy=f"{_LIST}, or take --calibrator auto.",
        )
    return found


def crossings(
    candidate: Candidate, groups: Sequence[SubbandGroup], window_s: float | None = None
) -> list[CalibratorGroup]:
    """Pair the transits of a source with the groups that their windows overlap."""
    return [
        CalibratorGroup(group, candidate, transit)
        for transit in candidate.transits
        for group in groups
        for half in [_window_d(group, window_s) / 2]
        if group.start_mjd - half < transit.mjd < group.end_mjd + half
    ]


def _window_d(group: SubbandGroup, window_s: float | None) -> float:
    """Length of the window around a transit [days]."""
    return (group.end_mjd - group.start_mjd) / 2 if window_s is None else window_s / _DAY_S


def transit_range(groups: Sequence[SubbandGroup], window_s: float | None = None) -> tuple[float, float]:
    """Return the range [MJD, UTC] outside which no transit has a window that overlaps any of the groups."""
    return (
        min(group.start_mjd - _window_d(group, window_s) / 2 for group in groups),
        max(group.end_mjd + _window_d(group, window_s) / 2 for group in groups),
    )


def _report(item: CalibratorGroup) -> None:
    source, candidate = item.candidate.calibrator, item.candidate
    log.info(
        "%s: calibrator %s transits at %s, %+.2f deg from the pointing: %.2f of %.2f Jy come through the beam",
        item.group.id,
        source.label,
        _text(item.transit),
        candidate.offset_deg,
        candidate.apparent_flux_jy,
        candidate.flux_jy,
    )
    if candidate.beam_power < SUITABLE_POWER:
        log.warning(
            "%s: %s is beyond half the beam's width (power %.2f), where the beam is known to a fifth at best",
            item.group.id,
            source.label,
            candidate.beam_power,
        )
    if not source.is_good_point:
        log.warning(
            "%s: %s is no point, or has company, on some of our baselines (VLA quality %s in configurations A to D)",
            item.group.id,
            source.label,
            source.quality_20cm,
        )


def _text(transit: Transit) -> str:
    return f"{utc_of(transit.mjd):%Y-%m-%dT%H:%M:%S} UTC"
