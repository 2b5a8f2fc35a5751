"""``dsa110-contimg doctor``: whether this machine and this installation can do the work."""

import typer

from dsa110_contimg.cli.context import Json, session_of
from dsa110_contimg.cli.doctor_report import report


def doctor(ctx: typer.Context, as_json: Json = False) -> None:
    """Look at Python, packages, libraries, the machine, its clock, paths and tools; say what to do where it fails.

    Each line is ok, warn or fail, with its remedy. It takes some seconds, and runs where a library is missing, too.
    Exit status: 0 unless something fails.
    """
    raise typer.Exit(report(session_of(ctx).settings_file, as_json=as_json))
