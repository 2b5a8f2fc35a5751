"""Options that several verbs have, as types: ``dry_run: DryRun = False``. ``--json`` is in `context`."""

from pathlib import Path
from typing import Annotated

import typer

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for those who come later.")]
Limit = Annotated[int, typer.Option(metavar="N", min=1, help="At most so many, the newest.")]
ReplaceFiles = Annotated[bool, typer.Option("--replace", help="Replace files that are there already.")]
LightcurvesDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the light curves are; lightcurves.directory.")
]
