"""``dsa110-contimg photometry``: the table of its verbs, each in a module of its own."""

import typer

from dsa110_contimg.cli.lazy import LazyGroup, Verb

VERBS = {
    "reference": Verb(
        "dsa110_contimg.cli.photometry_reference", "app", "The sources of a strip that are measured: build, add, list."
    ),
    "measure": Verb("dsa110_contimg.cli.photometry_measure", "measure", "Measure images where a list has sources."),
    "epoch": Verb(
        "dsa110_contimg.cli.photometry_epoch", "epoch", "Join an hour's images, find, measure, judge: all in one."
    ),
    "collect": Verb("dsa110_contimg.cli.photometry_store", "collect", "Take epochs' measurements into light curves."),
    "compact": Verb("dsa110_contimg.cli.photometry_store", "compact", "Put the rows of past months together."),
}


class PhotometryVerbs(LazyGroup):
    """All verbs of ``dsa110-contimg photometry``."""

    verbs = VERBS


app = typer.Typer(cls=PhotometryVerbs, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def photometry() -> None:
    """Measure the sources of a strip in every image of it, and keep their light curves."""
