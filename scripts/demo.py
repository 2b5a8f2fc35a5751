#!/usr/bin/env python3
"""The whole main job on a simulated sky: raw counts dropped in while the daemon runs, calibrated images at the end.

    python scripts/demo.py [--output DIR] [--antennas N] [--pixels N] [--groups N] [--picture FILE]

A calibrator transits, and then come groups of other sources; their files have the gains of the antennas, the noise of
the receivers, and interference in them. What the catalogues of the images say is compared with what was simulated.
Exit status: 0 when every source is where it should be and as bright as it should be, 1 when not.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from demo_sky import CALIBRATOR, DEC_DEG, GROUP_S, SURVEY_ARCSEC, SURVEY_FLUX, Night, make_night
from demo_table import LIMITS, Compared, compare, print_table
from rich.console import Console

from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.ledger.states import GroupState
from dsa110_contimg.naming import LEDGER_NAME, group_id, image_stem, images_name, report_name
from dsa110_contimg.qa.directories import read_facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MARKER = ".made-by-the-demo"
CELL_ARCSEC = 6.0
LONGEST_S = 1500.0
out = Console(width=None if sys.stdout.isatty() else 118, highlight=False)


class Places(NamedTuple):
    """Where everything is."""

    home: Path
    telescope: Path
    incoming: Path
    products: Path
    state: Path
    settings: Path


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("contimg-data/demo"), help="default: %(default)s")
    parser.add_argument("--antennas", type=int, default=30, help="default: %(default)s")
    parser.add_argument("--pixels", type=int, default=1280, help="on a side; default: %(default)s")
    parser.add_argument("--groups", type=int, default=2, choices=(1, 2), help="targets; default: %(default)s")
    parser.add_argument("--picture", type=Path, help="write the picture of the first target here too")
    options = parser.parse_args()
    begun = time.monotonic()
    places = prepare(options.output)

    step(f"1  The sky, and the files that the correlator will write: {CALIBRATOR} transits, then {options.groups} more")
    night = make_night(places.home, options.groups)
    for number, start in enumerate(night.starts):
        simulate(places.telescope / str(number), start, night, options.antennas)
    out.print(f"  a survey of that sky, off by {SURVEY_ARCSEC} arcsec and {SURVEY_FLUX:.0%}: {night.survey}")

    step("2  The daemon: flags, solves on the calibrator, applies, images, makes catalogues and reports")
    write_settings(places, night, options.pixels)
    with Daemon(places) as daemon:
        for number in range(len(night.starts)):
            drop_in(places.telescope / str(number), places.incoming)
            out.print(f"  {clock(begun)}  group {group_id(night.starts[number])} has come in")
        finished = daemon.wait_for(len(night.starts), begun)
        run("--settings", places.settings, "status")
        run("--settings", places.settings, "drain")

    if not finished:
        return fail(places)
    step("3  The images against the sky")
    compared = [result for start in night.starts[1:] for result in look_at(places, night, start)]
    faultless = all(item.good for item in compared) and bool(compared)
    result = "[green]all within the limits[/]" if faultless else "[red]NOT within the limits[/]"
    out.print(f"{LIMITS}", style="dim")
    out.print(f"\n{result}, in {time.monotonic() - begun:.0f} s. Look at")
    for start in night.starts[1:]:
        out.print(f"  {report_of(places, start)}", soft_wrap=True)
    if options.picture:
        first = report_of(places, night.starts[1])
        shutil.copyfile(first.with_name(first.name.replace("-report.html", "-preview.png")), options.picture)
    out.print("and try next")
    out.print(
        f"  .venv/bin/dsa110-contimg groups show {group_id(night.starts[1])} --state {places.state}", soft_wrap=True
    )
    out.print(f"  .venv/bin/dsa110-contimg cal list --state {places.state}", soft_wrap=True)
    return 0 if faultless else 1


def prepare(home: Path) -> Places:
    """Make the directories, or empty them if an earlier demo made them."""
    if home.exists() and any(home.iterdir()):
        if not (home / MARKER).exists():
            sys.exit(f"{home} is not empty and not the demo's: give another --output")
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / MARKER).touch()
    names = ("telescope", "incoming", "products", "state")
    places = Places(home, *(home / name for name in names), home / "contimg.toml")
    places.incoming.mkdir()
    return places


def simulate(directory: Path, start: datetime, night: Night, antennas: int) -> None:
    """Write the files of one group, as raw counts."""
    run(
        "simulate", directory, "--start", start.isoformat(), "--dec", DEC_DEG, "--antennas", antennas,
        "--sky", night.sky, "--gains", 5, "--rfi", quiet=True,
    )  # fmt: skip


def write_settings(places: Places, night: Night, pixels: int) -> None:
    """Write the settings that the daemon runs with; all else is as it is by default."""
    places.settings.write_text(
        f"""# The settings of the demo. Stages are the default: convert, flag, solve, apply, image, catalogue, report.
[paths]
input = "{places.incoming}"
ms = "{places.products}"
qa = "{places.home / "qa"}"
state = "{places.state}"

[stream]
settle_s = 0.5
reserve_gb = 0.0
http_port = 0

[sets]
catalogue = "{night.survey}"     # for the models that are solved on

[image]
size = {pixels}
cell_arcsec = {CELL_ARCSEC}

[catalogue]
reference = "{night.survey}"     # what images are compared with
"""
    )
    out.print(places.settings.read_text(), style="dim", end="", markup=False)


def drop_in(source: Path, incoming: Path) -> None:
    """Give the files of a group their names in the incoming directory, one after the other, as the correlator does."""
    for path in sorted(source.glob("*.hdf5")):
        path.rename(incoming / path.name)
        time.sleep(0.02)


class Daemon:
    """``dsa110-contimg stream``, while it is entered."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._log = places.home / "stream.log"

    def __enter__(self) -> Daemon:
        command = command_of("--settings", self._places.settings, "stream")
        out.print(f"$ dsa110-contimg --settings {self._places.settings} stream &", style="cyan", soft_wrap=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()

    def wait_for(self, n_groups: int, begun: float) -> bool:
        """Wait until all groups have come to their end, saying how it goes; give whether all are done."""
        said: dict[str, str] = {}
        end = time.monotonic() + LONGEST_S
        while time.monotonic() < end and self._process.poll() is None:
            states = dict(self._states())
            for group, state in states.items():
                if said.get(group) != state:
                    out.print(f"  {clock(begun)}  group {group} is {state}")
            said = states
            ended = [state for state in states.values() if state in {"done", "partial", "failed", "quarantined"}]
            if len(ended) == n_groups:
                return all(state == "done" for state in ended)
            time.sleep(0.5)
        return False

    def _states(self) -> Iterator[tuple[str, str]]:
        if (self._places.state / LEDGER_NAME).exists():
            with open_ledger(self._places.state / LEDGER_NAME, create=False) as ledger:
                shown = ledger.groups()
            for group in sorted(shown, key=lambda group: group.start_mjd):
                if group.state is not GroupState.COLLECTING:
                    yield group.id, group.state.value


def look_at(places: Places, night: Night, start: datetime) -> list[Compared]:
    """Compare the catalogue of a group's image with the sky, and print that."""
    directory, stem = places.products / images_name(group_id(start)), image_stem(group_id(start))
    quality, record = (read_facts(directory / f"{stem}-{name}.json") for name in ("quality", "image"))
    beam = record["beam"]
    out.print(
        f"\n[bold]{group_id(start)}[/]: {quality['verdict']}, beam {beam['major_arcsec']:.0f} x "
        f"{beam['minor_arcsec']:.0f} arcsec, noise {record['rms_jy'] * 1e3:.2f} mJy/beam "
        f"(thermal {record['thermal_jy'] * 1e3:.2f}), {int(GROUP_S)} s of sky"
    )
    compared, n_false = compare(directory, stem, night.sky)
    print_table(out, compared, n_false)
    return compared


def report_of(places: Places, start: datetime) -> Path:
    """Name the report on a group."""
    return places.products / images_name(group_id(start)) / report_name(image_stem(group_id(start)))


def fail(places: Places) -> int:
    """Say what the daemon said last."""
    out.print("\n[red]the groups did not come to their end[/]; the daemon's last words:")
    out.print("\n".join((places.home / "stream.log").read_text().splitlines()[-20:]), markup=False)
    out.print(f"the logs of the jobs are in {places.state / 'logs'}", soft_wrap=True)
    return 1


def step(title: str) -> None:
    """Say what comes now."""
    out.print(f"\n[bold]{title}[/]")


def clock(begun: float) -> str:
    """Say how long it has been running."""
    return f"{time.monotonic() - begun:4.0f} s"


def command_of(*words: object) -> list[str]:
    """Give the command line of a verb, in this environment."""
    return [sys.executable, "-m", "dsa110_contimg.cli", *map(str, words)]


def run(*words: object, quiet: bool = False) -> None:
    """Run dsa110-contimg as a user would."""
    out.print("$ dsa110-contimg " + " ".join(map(str, words)), style="cyan", soft_wrap=True)
    done = subprocess.run(command_of(*words), check=False, stderr=subprocess.PIPE if quiet else None, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr or "")
        sys.exit(done.returncode)


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    sys.exit(main())
