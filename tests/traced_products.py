"""A short chain of products as they are left on the disk: subband files, a set, Measurement Sets, images, an epoch."""

import json
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dsa110_contimg.naming import (
    FLAGS_NAME,
    MEASUREMENTS_NAME,
    PROVENANCE_NAME,
    epoch_directory_name,
    epoch_record_name,
    group_start,
    image_record_name,
    images_name,
    subband_name,
)
from dsa110_contimg.photometry.measurements import SCHEMA, source_id
from ledger_groups import gid_of
from registered_sets import make_ms, make_set

EPOCH = "20251005T123000+54.6"
N_GROUPS = 2
PLACES_DEG = ((129.4, 54.6), (130.0, 54.5))
VERSIONS = {"dsa110-contimg": "9.9"}


class Chain(NamedTuple):
    """Where its parts are."""

    incoming: object
    products: object
    set: object
    ms: list
    images: list
    epoch: object


def make_chain(base):
    """Leave it on the disk: the second group lacks a subband, the first one was calibrated by a set of its own."""
    incoming, products = base / "in", base / "ms"
    incoming.mkdir(parents=True)
    made_set = make_set(products, 0)
    calibration = {"sets": [made_set.name], "tie": None, "rung": "between", "stale": False, "why": "the only one"}
    sets, images = [], []
    for i in range(N_GROUPS):
        ms = make_ms(products, i, calibration)
        facts = json.loads((ms / PROVENANCE_NAME).read_text())
        files = []
        for subband in range(16 - i):
            path = incoming / subband_name(group_start(gid_of(i)), subband)
            path.write_bytes(b"x" * (100 + subband))
            files.append({"subband": subband, "path": str(path), "bytes": 100 + subband, "zeros": 0.0})
        bad = {"path": str(incoming / "bad.hdf5"), "outcome": "truncated", "reason": "it ends early"}
        facts |= {"files": files, "missing": [15] * i, "set_aside": [bad] * i, "versions": VERSIONS}
        (ms / PROVENANCE_NAME).write_text(json.dumps(facts))
        (ms / FLAGS_NAME).write_text(json.dumps({"flagged": 0.1, "by_reason": {"good": 0.9, "array": 0.1}}))
        sets.append(ms)
        directory = products / images_name(gid_of(i))
        directory.mkdir()
        stem = directory.name.removesuffix("-images")
        origin = {"group": gid_of(i), "ms": ms.name, "calibration": calibration, "command": "dsa110-contimg stream"}
        (directory / image_record_name(stem)).write_text(json.dumps({"provenance": origin, "versions": VERSIONS}))
        (directory / f"{stem}-quality.json").write_text(json.dumps({"verdict": "usable", "reasons": ["it rained"]}))
        images.append(directory)
    return Chain(incoming, products, made_set, sets, images, make_epoch_directory(products, images))


def make_epoch_directory(products, images):
    """Leave what an epoch says of itself, and the measurements of two sources in its images."""
    directory = products / epoch_directory_name(EPOCH)
    directory.mkdir()
    inputs = [
        {"group": gid_of(i), "image": str(one / f"{one.name.removesuffix('images')}image.fits"), "share": 0.5}
        | {"fingerprint": "0123"}
        for i, one in enumerate(images)
    ]
    record = {"epoch": EPOCH, "inputs": inputs, "verdict": "good", "reasons": [], "versions": VERSIONS}
    scale = {"kind": "mosaic", "band": "full", "scale": 1.01, "e_scale": 0.002, "n": 40}
    record |= {"reference": {"version": 3}, "scales": [scale, scale | {"kind": "group"}]}
    (directory / epoch_record_name(EPOCH)).write_text(json.dumps(record))
    numbers = source_id(*np.transpose(PLACES_DEG))
    listed = {"source_id": [*numbers, 7], "name": ["J083736+543600", "J084000+543000", "J000000+000000"]}
    listed |= {"same_as": [0, 0, int(numbers[0])], "origin": ["catalogue:nvss", "catalogue:nvss", f"epoch:{EPOCH}"]}
    parquet.write_table(pa.table(listed), directory / "reference.parquet")
    rows = [
        dict.fromkeys(SCHEMA.names, 0)
        | {"source_id": int(number), "epoch": EPOCH, "image": image, "kind": kind, "band": "full"}
        | {"flux": 0.25, "e_flux": 0.001, "corrected": 0.2525, "beam_version": "airy"}
        for number in numbers
        for image, kind in [(EPOCH, "mosaic"), *((gid_of(i), "group") for i in range(N_GROUPS))]
    ]
    parquet.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), directory / MEASUREMENTS_NAME)
    return directory
