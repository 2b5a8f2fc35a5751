"""From files of raw counts to images, catalogues and reports: ``run``, undisturbed and killed at every boundary."""

import json
import signal
import subprocess
import time

import numpy as np
import psutil
import pytest
from astropy.io import fits

from dsa110_contimg.images.fits import read_image
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.naming import LEDGER_NAME, compact, image_name, image_stem, images_name, report_name, sources_stem
from dsa110_contimg.photometry.records import read_catalogue
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.pipeline.origins import Trail, missing_links, walk
from dsa110_contimg.pipeline.provenance import trace
from dsa110_contimg.pipeline.stages import STAGES
from dsa110_contimg.telescope.prediction import REFERENCE_HZ
from imaged_night import command, environment, make_night, run_cli

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    return make_night(tmp_path_factory.mktemp("night"))


@pytest.fixture(scope="module")
def calm(night, tmp_path_factory):
    """Products of a run that nobody disturbed, and its report."""
    seen, settings = night
    output = tmp_path_factory.mktemp("calm") / "out"
    done = run_cli("--settings", settings, "run", seen.files, output, "--json")
    assert done.returncode == 0, done.stderr
    return output, json.loads(done.stdout)["groups"]


def target_of(outcomes):
    """The group before the transit."""
    return outcomes[0]["group"]


def test_the_calibrators_group_is_done_first_and_calibrates_the_one_before_it(calm):
    output, outcomes = calm
    target, transit = (outcome["group"] for outcome in outcomes)
    assert [outcome["state"] for outcome in outcomes] == ["done", "done"]
    with open_ledger(output / "state" / LEDGER_NAME, create=False) as ledger:
        histories = [ledger.group(gid) for gid in (transit, target)]
        (item,) = ledger.calibrations()
        used = {use.calibration for use in ledger.calibrated_by(target)}
        kinds = {product.kind for product in histories[1].products}
    assert histories[0].attempts[0].id < histories[1].attempts[0].id
    assert [stage.name for stage in histories[1].attempts[0].stages] == list(STAGES)
    assert used == {item.name}
    assert kinds == {"ms", "flagversions", "images"}


def test_sources_have_their_true_fluxes_and_places(night, calm):
    output, outcomes = calm
    gid = target_of(outcomes)
    directory = output / images_name(gid)
    found = read_catalogue(directory / f"{sources_stem(image_stem(gid))}.ecsv")
    freq_hz = read_image(directory / image_name(gid, "image")).header.freq_hz
    ra, dec, flux = (values(found, name) for name in ("ra", "dec", "flux"))
    for source in night[0].sources[1:]:
        east = (ra - source["ra"]) * np.cos(np.radians(source["dec"])) * 3600
        north = (dec - source["dec"]) * 3600
        k = int(np.argmin(np.hypot(east, north)))
        assert np.hypot(east[k], north[k]) < 1.5
        assert flux[k] / (source["flux"] * (freq_hz / REFERENCE_HZ) ** source["alpha"]) == pytest.approx(1.0, abs=0.04)


def test_all_that_belongs_to_an_image_is_published_with_it(calm):
    output, outcomes = calm
    gid = target_of(outcomes)
    directory, stem = output / images_name(gid), compact(gid)
    names = {path.name for path in directory.iterdir()}
    whole = {image_name(gid, kind) for kind in ("image", "pbcor", "pb", "residual", "model", "psf", "rms")}
    halves = {image_name(gid, "image", band) for band in ("lower", "upper")}
    others = {f"{stem}-{end}" for end in ("sources.ecsv", "sources.parquet", "sources.reg", "quality.json")}
    others |= {f"{stem}-preview.png", f"{stem}-image.json", report_name(stem)}
    assert whole | halves | others <= names
    low, high = (read_image(directory / image_name(gid, "image", band)).header for band in ("lower", "upper"))
    # Where the weight is, with flags and the whole band's weighting: about half the band apart.
    assert high.freq_hz - low.freq_hz == pytest.approx(93.75e6, rel=0.1)
    cards = fits.getheader(directory / image_name(gid, "pbcor"))
    assert cards["GROUP"] == gid
    assert cards["CALSET1"].startswith(compact(outcomes[1]["group"]) + "_3C48")
    assert any("dsa110-contimg" in line for line in cards["HISTORY"])


def test_the_report_tells_of_every_stage_and_has_the_log(calm):
    output, outcomes = calm
    gid = target_of(outcomes)
    page = (output / images_name(gid) / report_name(image_stem(gid))).read_text()
    for stage in list(STAGES)[:-1]:
        assert stage in page
    assert "3C48" in page
    assert "major cycle" in page
    quality = json.loads((output / images_name(gid) / f"{compact(gid)}-quality.json").read_text())
    assert quality["verdict"] in {"good", "usable"}
    assert quality["verdict"] in page


def test_images_are_followed_back_to_every_file(calm):
    output, outcomes = calm
    gid = target_of(outcomes)
    with open_ledger(output / "state" / LEDGER_NAME, create=False) as ledger:
        origin = trace(str(output / images_name(gid) / image_name(gid, "pbcor")), Trail((), ledger))
    assert missing_links(origin) == []
    kinds = [one.kind for one in walk(origin)]
    # The target's own files, and those of the transit that calibrated it.
    assert (kinds.count("subband"), kinds.count("ms"), kinds[:3]) == (32, 2, ["file", "images", "ms"])
    assert any("by attempt 1" in line for line in origin.of[0].says)


def test_the_same_line_again_does_nothing_more(night, calm):
    output, outcomes = calm
    before = {path: path.stat().st_mtime_ns for path in output.glob("*/*")}
    done = run_cli("--settings", night[1], "run", night[0].files, output, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["groups"] == outcomes
    after = {path: path.stat().st_mtime_ns for path in before if "state" not in path.parts and "qa" not in path.parts}
    assert after.items() <= before.items()


def test_killed_at_every_boundary_it_goes_on_and_ends_the_same(night, calm, tmp_path):
    seen, settings = night
    output = tmp_path / "out"
    gid = target_of(calm[1])
    words = ("--settings", settings, "run", seen.files, output)
    for stage in STAGES:
        _run_until(words, output, gid, stage)
        assert not (output / images_name(gid)).exists()
    done = run_cli(*words)
    assert done.returncode == 0, done.stderr
    with open_ledger(output / "state" / LEDGER_NAME, create=False) as ledger:
        attempts = ledger.group(gid).attempts
    assert [attempt.committed for attempt in attempts] == [False] * (len(attempts) - 1) + [True]
    assert list(output.glob(".partial*")) == []
    assert list((output / "state" / "jobs").iterdir()) == []
    for kind in ("image", "pbcor"):
        ours, theirs = (
            read_image(base / images_name(gid) / image_name(gid, kind)).pixels for base in (output, calm[0])
        )
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.nanmax(theirs))
    tables = [base / images_name(gid) / f"{sources_stem(image_stem(gid))}.ecsv" for base in (output, calm[0])]
    np.testing.assert_allclose(*(values(read_catalogue(path), "flux") for path in tables), rtol=1e-3)


def _run_until(words, output, gid, stage):
    """Run until a stage of the group has ended, and kill everything then."""
    ended = f"{gid}: no calibrator transits" if stage == "solve" else f"{stage} {gid}:"
    process = subprocess.Popen(command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    before = set(output.glob(f"state/logs/*/{compact(gid)}-*.log"))
    end = time.monotonic() + 120
    try:
        while not any(ended in log.read_text() for log in _logs(output, gid) - before):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        jobs = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    psutil.wait_procs(jobs, timeout=10)


def _logs(output, gid):
    return set(output.glob(f"state/logs/*/{compact(gid)}-*.log"))
