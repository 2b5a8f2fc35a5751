"""The record of an epoch: what it was made of, how, by what, and what it is worth."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dsa110_contimg.config.plain import plain
from dsa110_contimg.imaging.products import versions
from dsa110_contimg.storage.checksums import tree_checksum
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.mosaic.inputs import Input

FORMAT = 1

# What epochs are made with besides what images are.
_PACKAGES = ("bdsf", "pyarrow", "radio-beam")
_SECTIONS = ("mosaic", "catalogue", "photometry", "epochs", "quality")


def write_record(
    path: Path,
    facts: Mapping[str, Any],
    inputs: Sequence[Input],
    used: Sequence[Mapping[str, Any]],
    settings: Settings,
    fingerprints: Mapping[str, str] | None,
) -> None:
    """Write the record of an epoch, into a directory that is published as a whole.

    Parameters
    ----------
    path : Path
        The file.
    facts : mapping
        What it says first: the epoch, its verdict, its figures.
    inputs : sequence of Input
        All images of it.
    used : sequence of mapping
        What is known of those that were joined: ``group``, ``image``, ``noise_jy``, ``share``, ``beam``.
    settings : Settings
        How it was made.
    fingerprints : mapping or None
        Checksums of the groups' products. None: those of the image files are taken.

    Raises
    ------
    OutputError
        It cannot be written, or an image not be read.
    """
    verdicts = {one.group: one.verdict for one in inputs}
    joined = {one["group"] for one in used}
    with output_errors(path):
        if fingerprints is None:
            checksums = {one.group: tree_checksum(one.image).checksum for one in inputs}
        else:
            checksums = dict(fingerprints)
        record = {
            "format": FORMAT,
            **facts,
            "inputs": [
                {**one, "verdict": verdicts[one["group"]], "fingerprint": checksums.get(one["group"])} for one in used
            ],
            "left_out": [
                {
                    "group": one.group,
                    "image": one.image,
                    "why": "its image is bad",
                    "fingerprint": checksums.get(one.group),
                }
                for one in inputs
                if one.group not in joined
            ],
            "fingerprint_of": "image" if fingerprints is None else "product",
            "settings": {name: getattr(settings, name).model_dump(mode="json") for name in _SECTIONS},
            "versions": versions() | {name: version(name) for name in _PACKAGES},
        }
        path.write_text(json.dumps(plain(record), indent=1) + "\n")
