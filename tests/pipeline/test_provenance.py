"""Any product is followed to the subband files; what is missing on the way is named."""

import json
import shutil

import numpy as np
import pytest
from pyarrow import parquet

from dsa110_contimg.config.settings import MosaicSettings
from dsa110_contimg.errors import UsageError
from dsa110_contimg.images.fits import Card, write_plane
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.ledger.records import Product
from dsa110_contimg.mosaic.inputs import find_inputs
from dsa110_contimg.mosaic.joining import join
from dsa110_contimg.mosaic.products import write_mosaic
from dsa110_contimg.naming import FLAGS_NAME, MEASUREMENTS_NAME, PROVENANCE_NAME
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.pipeline.calibration_records import calibration_of, register_made
from dsa110_contimg.pipeline.origins import Trail, missing_links, walk
from dsa110_contimg.pipeline.provenance import trace
from ledger_groups import AFTER, add_group, gid_of, publish_epoch
from registered_sets import manifest_of
from restored_image import Source, header_of
from strip_images import make_strip
from traced_products import EPOCH, PLACES_DEG, make_chain

N_FILES = 16 + 15


@pytest.fixture
def chain(tmp_path):
    return make_chain(tmp_path)


def files_of(origin):
    """Subband files that a tree ends at, without those that were not used."""
    return {one.name for one in walk(origin) if one.kind == "subband" and "outcome" not in one.facts}


def kinds_of(origin):
    return [one.kind for one in walk(origin)]


def test_an_epoch_ends_at_every_subband_file(chain):
    origin = trace(str(chain.epoch), Trail())
    assert len(files_of(origin)) == N_FILES
    assert missing_links(origin) == []
    assert [one.kind for one in origin.of] == ["images", "images", "reference"]
    assert "weight 0.5000" in origin.of[0].says
    assert "judged usable: it rained" in origin.of[0].says
    assert origin.says[1:3] == ("judged good", "scale of the mosaic, full band: 1.0100 +- 0.0020 by 40 steady sources")
    assert origin.of[2].says == ("2 sources of catalogue:nvss", f"1 sources of epoch:{EPOCH}")
    # The set calibrated both groups and was solved on the first: it stands there once, with all below it.
    sets = [one for one in walk(origin) if one.kind == "calibration"]
    assert [one.again for one in sets] == [False] + [True] * (len(sets) - 1)
    aside = [one for one in walk(origin) if "outcome" in one.facts]
    assert [one.says for one in aside] == [("not used, truncated: it ends early",)]


@pytest.mark.parametrize("part", ["directory", "record", "ms", "in ms", "set", "in set", "flags", "subband"])
def test_whatever_is_named_is_followed(chain, part):
    stem = chain.images[1].name.removesuffix("-images")
    record = chain.products / f"{stem}.flags.json"
    record.write_text(json.dumps({"ms": chain.ms[1].name, "flagged": 0.25}))
    named, kinds, n_files = {
        "directory": (chain.images[1], ["images", "ms"], N_FILES),
        "record": (chain.images[1] / f"{stem}-image.json", ["file", "images", "ms"], N_FILES),
        "ms": (chain.ms[0], ["ms", "subband"], 16),
        "in ms": (chain.ms[1] / FLAGS_NAME, ["file", "ms", "subband"], N_FILES),
        "set": (chain.set, ["calibration", "ms"], 16),
        "in set": (chain.set / "B.tab" / "table.dat", ["file", "calibration", "ms"], 16),
        "flags": (record, ["flags", "ms"], N_FILES),
        "subband": (next(chain.incoming.glob("*sb03*")), ["subband"], 1),
    }[part]
    origin = trace(str(named), Trail())
    assert kinds_of(origin)[: len(kinds)] == kinds
    assert len(files_of(origin)) == n_files
    assert missing_links(origin) == []


@pytest.mark.parametrize("name", [gid_of(1), "20251005T123509", EPOCH, "20251005T123509.ms"])
def test_products_are_found_by_their_names(chain, name):
    assert len(files_of(trace(name, Trail((chain.products,))))) == N_FILES


def test_a_point_is_followed_however_its_source_is_named(chain):
    numbers = source_id(*np.transpose(PLACES_DEG))
    trail = (chain.products,)
    for source in (str(numbers[0]), "129.4001,54.6001", "J083736+543600", "J000000+000000", "7"):
        origin = trace(f"{source}@{EPOCH}", Trail(trail))
        assert origin.facts["source_id"] == numbers[0]
        assert len(origin.facts["rows"]) == 3
        assert origin.says[0].startswith(f"mosaic {EPOCH} full: 250.000 +- 1.000 mJy, corrected 252.500 mJy")
        assert len(files_of(origin)) == N_FILES


def test_a_row_is_followed_in_the_epoch_and_in_the_store(chain, tmp_path):
    own = chain.epoch / MEASUREMENTS_NAME
    origin = trace(f"{own}#4", Trail())
    assert origin.facts["image"] == gid_of(0)
    assert len(files_of(origin)) == N_FILES
    kept = tmp_path / "store.parquet"
    shutil.copy(own, kept)
    whole = trace(str(kept), Trail((chain.products,)))
    assert whole.says == ("6 measurements of 1 epoch",)
    assert len(files_of(whole)) == N_FILES
    assert missing_links(trace(f"{kept}#0", Trail())) == [
        f"epoch {EPOCH}-epoch: is not in {tmp_path}",
    ]


def test_a_list_of_sources_is_followed_to_the_epochs_that_they_were_found_in(chain, tmp_path):
    kept = tmp_path / "reference-0003.parquet"
    shutil.copy(chain.epoch / "reference.parquet", kept)
    origin = trace(str(kept), Trail((chain.products,)))
    assert origin.says == ("2 sources of catalogue:nvss", f"1 sources of epoch:{EPOCH}")
    assert [one.kind for one in origin.of] == ["epoch"]
    assert len(files_of(origin)) == N_FILES


def test_what_is_missing_is_named(chain):
    gone, short = (min(chain.incoming.glob(f"*{subband}*")) for subband in ("sb03", "sb04"))
    gone.unlink()
    short.write_bytes(b"")
    (chain.ms[1] / PROVENANCE_NAME).unlink()
    shutil.rmtree(chain.set)
    (chain.images[1] / f"{chain.images[1].name.removesuffix('s')}.json").unlink()
    said = "\n".join(missing_links(trace(str(chain.epoch), Trail())))
    for part in (
        "sb03",
        "is not there any more",
        f"{short.name}: has 0 bytes, and had 104",
        "its record contimg.json is not there",
        f"calibration {chain.set.name}: is not in",
        "image.json is not there",
    ):
        assert part in said


def test_products_that_are_gone_are_named(chain):
    shutil.rmtree(chain.images[0])
    shutil.rmtree(chain.ms[0])
    (chain.epoch / "reference.parquet").unlink()
    (chain.images[1] / f"{chain.images[1].name.removesuffix('s')}.json").write_text("[1]")
    said = missing_links(trace(str(chain.epoch), Trail()))
    assert any(
        line.startswith(f"images {chain.images[0].name}: was {chain.images[0]}, and is not there") for line in said
    )
    assert any(line.startswith(f"ms {chain.ms[0].name}: is not in") for line in said)
    assert any("is no record of ours" in line for line in said)
    assert "reference reference.parquet: is not there" in said
    (chain.epoch / f"{chain.epoch.name}.json").write_text("{")
    assert "cannot be read" in missing_links(trace(str(chain.epoch), Trail()))[0]


def test_the_ledger_adds_what_it_knows(chain, tmp_path):
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        register_made(ledger, manifest_of(0, chain.set, chain.ms[0]), chain.products)
        for i in range(2):
            add_group(ledger, i)
            attempt = ledger.begin_attempt(gid_of(i), now=AFTER)
            made = [Product(chain.ms[i], "ms", "aa", 5), Product(chain.images[i], "images", "bb", 5)]
            ledger.commit_products(attempt.id, made, range(16), now=AFTER)
        trail = Trail((), ledger)
        first = trace(str(chain.epoch), trail).of[0]
        assert "it has been made again since" in first.says
        assert any(line.startswith("published 2025-10-05") and "attempt 1" in line for line in first.says)
        ledger.retire_calibration(chain.set.name, "me", "the wind")
        shutil.rmtree(chain.ms[1])
        origin = trace(str(chain.images[1]), Trail((), ledger))
        said = "\n".join(missing_links(origin))
        assert f"was {chain.ms[1]}, and is not there" in said
        assert len([one for one in walk(origin) if one.kind == "subband"]) == N_FILES + 1
        sets = [one for one in walk(origin) if one.kind == "calibration" and not one.again]
        assert sets[0].says[-1].endswith("by me: the wind")
        assert calibration_of(chain.set).name == sets[0].name


def test_the_ledger_knows_where_epochs_are_and_were(chain, tmp_path):
    kept = tmp_path / "store.parquet"
    shutil.copy(chain.epoch / MEASUREMENTS_NAME, kept)
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        for i in range(3):
            add_group(ledger, i)
        publish_epoch(ledger, EPOCH, path=chain.epoch)
        origin = trace(f"{kept}#0", Trail((), ledger))
        assert len(files_of(origin)) == N_FILES
        assert origin.of[0].says[-1].endswith("not yet in the light curves")
        shutil.rmtree(chain.epoch)
        assert "is not there" in trace(f"{kept}#0", Trail((), ledger)).of[0].missing
        ledger.retire_epoch(EPOCH, "its images went")
        assert ", retired 2" in trace(f"{kept}#0", Trail((), ledger)).of[0].missing
        assert trace(str(chain.images[0]), Trail((), ledger)).kind == "images"


def test_a_mosaic_of_images_that_say_little_is_followed_by_its_cards(tmp_path):
    made = make_strip(tmp_path / "ms", [Source(129.4, 54.6, 0.3)], 2)
    inputs = find_inputs(made)
    settings = MosaicSettings()
    left_out = {"left_out": [{"group": "2025-10-05T12:00:00", "why": "its image is bad"}]}
    written = write_mosaic(join(inputs, settings), inputs, tmp_path, settings, left_out)
    (plane,) = written.directory.glob("*-rms.fits")
    origin = trace(str(plane), Trail())
    assert kinds_of(origin)[:4] == ["file", "mosaic", "images", "ms"]
    assert "NIMAGES 2" in origin.says
    assert "left out: 2025-10-05T12:00:00 (its image is bad)" in origin.of[0].says
    assert len(missing_links(origin)) == 4
    alone = tmp_path / "sky.fits"
    shutil.copy(next(made[0].glob("*-image.fits")), alone)
    assert kinds_of(trace(str(alone), Trail((tmp_path,))))[0] == "file"
    alone.write_bytes(b"SIMPLE")
    assert "cannot be read as FITS" in trace(str(alone), Trail()).missing


def test_an_image_without_its_record_is_followed_by_its_cards(chain):
    header = header_of(32, 129.4, 54.6)
    cards = (Card("GROUP", gid_of(1)), Card("CALSET1", chain.set.name), Card("CONTIMGV", "9.9"))
    stem = chain.images[1].name.removesuffix("-images")
    lines = (f"imaged {chain.ms[1].name}", f"calibration set {chain.set.name}")
    inside = chain.images[1] / f"{stem}-image.fits"
    write_plane(inside, np.zeros((32, 32), np.float32), header._replace(cards=cards), lines)
    (chain.images[1] / f"{stem}-image.json").unlink()
    origin = trace(str(inside), Trail())
    assert f"GROUP {gid_of(1)}" in origin.says
    assert [one.kind for one in origin.of[0].of] == ["ms", "calibration"]
    assert len(files_of(origin)) == N_FILES
    # The same one, taken out of its directory.
    alone = chain.products.parent / "sky.fits"
    shutil.copy(inside, alone)
    assert len(files_of(trace(str(alone), Trail((chain.products,))))) == N_FILES


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("nothing", "there is no nothing, nor is there one of that name in"),
        ("1@20251005T003000+54.6", "there is no epoch"),
        ("1@yesterday", "does not name an epoch"),
        (f"1@{EPOCH}", "source 1 was not measured in it"),
        (f"Cyg A@{EPOCH}", "there is no source 'Cyg A' in its list"),
        (f"here,there@{EPOCH}", "is no place"),
        (f"10,54@{EPOCH}", "no source within 30 arcsec of 10,54"),
        ("{epoch}/measurements.parquet#600", "there is no row 600: there are 6"),
        ("{epoch}/measurements.parquet#x", "'x' is no number of a row"),
        ("{epoch}/reference.parquet#1", "has no measurements: it lacks"),
        ("{epoch}/none.parquet#1", "cannot be read as measurements"),
        ("{incoming}", "is no product of ours"),
    ],
)
def test_what_is_no_product_is_said(chain, named, said):
    with pytest.raises(UsageError, match=said.replace("(", "\\(")):
        trace(named.format(epoch=chain.epoch, incoming=chain.incoming), Trail((chain.products,)))


def test_a_broken_set_list_or_name_is_named(chain):
    (chain.set / "set.json").write_text("{}")
    (chain.epoch / "reference.parquet").write_bytes(b"no")
    said = "\n".join(missing_links(trace(str(chain.epoch), Trail())))
    assert "is not a calibration set" in said
    assert "reference reference.parquet: cannot be read" in said
    odd = chain.products / "some-epoch"
    odd.mkdir()
    assert "does not name an epoch" in trace(str(odd), Trail()).missing
    table = parquet.read_table(chain.epoch / MEASUREMENTS_NAME)
    index = table.column_names.index("epoch")
    path = chain.products / "rows.parquet"
    parquet.write_table(table.set_column(index, "epoch", [["x"] * 6]), path)
    assert missing_links(trace(f"{path}#0", Trail()))[0].startswith("epoch x: 'x' does not name")
