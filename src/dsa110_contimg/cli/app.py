"""The root of the command line: the options before the verb, and the table of verbs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg import __version__
from dsa110_contimg.cli.context import Session
from dsa110_contimg.cli.lazy import LazyGroup, Verb
from dsa110_contimg.config.logs import configure_logging

VERBS = {
    # One line a verb, in the order of the help text: name, module, function (or Typer), what it does.
    "simulate": Verb("dsa110_contimg.cli.simulate", "simulate", "Write subband files as the telescope would."),
    "convert": Verb("dsa110_contimg.cli.convert", "app", "Turn subband files into Measurement Sets."),
    "flag": Verb("dsa110_contimg.cli.flag", "flag", "Flag what is not sky; keep and restore flags."),
    "calibrators": Verb("dsa110_contimg.cli.calibrators", "calibrators", "Which calibrators transit, and when."),
    "calibrate": Verb("dsa110_contimg.cli.calibrate", "calibrate", "Solve for the antennas' gains on a calibrator."),
    "apply": Verb("dsa110_contimg.cli.apply", "apply", "Write calibrated data into a Measurement Set."),
    "image": Verb("dsa110_contimg.cli.image", "image", "Make images, a catalogue and a report of calibrated data."),
    "catalogue": Verb(
        "dsa110_contimg.cli.catalogue", "app", "Fetch surveys of the sky to compare images with; list them."
    ),
    "qa": Verb("dsa110_contimg.cli.qa", "app", "Pictures of a Measurement Set: fast plots, quicklooks."),
    "tools": Verb("dsa110_contimg.cli.tools", "app", "Install the external programs that draw: shadeMS, ragavi."),
    "mosaic": Verb("dsa110_contimg.cli.mosaic", "mosaic", "Join the images of many groups to one."),
    "beam": Verb("dsa110_contimg.cli.beam", "app", "Fit the primary beam to sources that cross it; its versions."),
    "photometry": Verb(
        "dsa110_contimg.cli.photometry", "app", "Measure the sources of a strip in its images; what is known of it."
    ),
    "provenance": Verb(
        "dsa110_contimg.cli.provenance", "provenance", "What a product was made of, back to the subband files."
    ),
    "lightcurve": Verb(
        "dsa110_contimg.cli.lightcurve", "lightcurve", "What was measured of a source; draw, export it."
    ),
    "variables": Verb("dsa110_contimg.cli.variables", "app", "Which sources vary, and which events stand out."),
    "run": Verb("dsa110_contimg.cli.run", "run", "Take a directory of subband files through all stages, once."),
    "status": Verb("dsa110_contimg.cli.status", "status", "Does it keep up, and what failed?"),
    "stream": Verb("dsa110_contimg.cli.stream", "stream", "Take every group through the stages, as files come."),
    "drain": Verb("dsa110_contimg.cli.stream", "drain", "Have the stream finish what it is doing, and stop."),
    "cal": Verb("dsa110_contimg.cli.cal", "app", "Calibration sets: which there are, which serves when; retire one."),
    "recalibrate": Verb("dsa110_contimg.cli.recalibrate", "recalibrate", "Do groups again that have a better set now."),
    "groups": Verb("dsa110_contimg.cli.groups", "app", "What became of each group; retry, ignore, quarantine, retire."),
    "epochs": Verb("dsa110_contimg.cli.epochs", "app", "What became of each hour of a strip; have one made again."),
    "ledger": Verb("dsa110_contimg.cli.ledger", "app", "Check, rebuild or upgrade what the stream remembers."),
    "scratch": Verb("dsa110_contimg.cli.scratch", "app", "Copies on a fast disk: stage, archive, clean, status, list."),
    "retention": Verb("dsa110_contimg.cli.retention", "app", "What may go by the rules, and its removal."),
    "doctor": Verb("dsa110_contimg.cli.doctor", "doctor", "Can this machine and installation do the work?"),
    "housekeeping": Verb(
        "dsa110_contimg.cli.housekeeping", "app", "What FUSE and killed processes left: find, remove."
    ),
    "settings": Verb("dsa110_contimg.cli.settings", "app", "The effective settings, and where each came from."),
}


class Verbs(LazyGroup):
    """All verbs of ``dsa110-contimg``."""

    verbs = VERBS


class LogLevel(StrEnum):
    """How much to log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


# Plain help and errors: rich, for its boxes, would take half of the time that a help text may take.
app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dsa110-contimg {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Settings (TOML); else $DSA110_CONTIMG_SETTINGS, ./contimg.toml, /etc/dsa110-contimg/contimg.toml.",
        ),
    ] = None,
    log_level: Annotated[LogLevel | None, typer.Option(help="The least to log, to stderr.")] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON lines, for machines.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback is all it does
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Continuum imaging for the DSA-110: subband files in, a calibrated sky out.

    Exit status: 0 done, 1 failed (or nothing to do), 2 wrong usage or settings.
    """
    ctx.obj = Session(settings, log_level, log_json)
    configure_logging(log_level or "info", json=log_json)  # until a verb has read the settings


def main() -> None:
    """Run the command line."""
    app()
