"""From images that were really made to a beam, and back to images: the pointing is found, and fluxes are put right."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from crossing_images import N_GROUPS, make_images, sky, write_catalogue
from dsa110_contimg.cli.app import app
from dsa110_contimg.config.settings import Settings
from dsa110_contimg.errors import ContimgError, UsageError
from dsa110_contimg.naming import (
    MEASUREMENTS_NAME,
    epoch_directory_name,
    epoch_record_name,
    image_name,
    parse_images_name,
)
from dsa110_contimg.photometry.forced_images import measure_group, together, write_measurements
from dsa110_contimg.photometry.reference import make_reference
from dsa110_contimg.pipeline.beam import fit_from, keep
from dsa110_contimg.telescope.beams import AiryBeam, beam_model
from dsa110_contimg.telescope.fitted_beams import shaped_power

NORTH_DEG, EAST_DEG, WIDER = 0.40, -0.10, 0.05


class TrueBeam:
    """Wider than the images think, and to the north."""

    description = "true"

    def power(self, x, y, freq_hz):
        return shaped_power(AiryBeam(), np.array([WIDER, 0.0, 0.0, EAST_DEG, NORTH_DEG]), x, y, freq_hz)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Images made as if the beam were the Airy disc on its axis; their directories, and a catalogue."""
    base = tmp_path_factory.mktemp("night")
    catalogue = write_catalogue(base / "sky.csv")
    return make_images(base, TrueBeam(), catalogue), catalogue


@pytest.fixture(scope="module")
def settings(night):
    return Settings(paths={"ms": night[1].parent}, photometry={"workers": 1})


@pytest.fixture(scope="module")
def fitted(night, settings):
    seen = []
    made = fit_from(night[0], settings, night[1], progress=seen.append)
    assert seen == pytest.approx([(k + 1) / N_GROUPS for k in range(N_GROUPS)])
    return made


def test_the_axis_and_the_width_are_found_in_images(fitted):
    assert [one.band for one in fitted.fit.bands] == ["lower", "upper"]
    shape, errors = fitted.fit.mean
    for name, true in (("north_deg", NORTH_DEG), ("east_deg", EAST_DEG), ("width", WIDER)):
        assert abs(getattr(shape, name) - true) < 4.0 * getattr(errors, name)
    assert errors.north_deg < 0.06
    assert errors.east_deg < 0.04
    assert fitted.warnings[0].endswith("north of where it should be")
    assert fitted.facts["model"] == "airy"
    assert fitted.facts["known"] == fitted.facts["sources"] > 10
    assert json.loads(json.dumps(fitted.facts)) == fitted.facts


def fluxes(directory, settings):
    """Measured over true flux of the sources of a group's image, and how far north they are."""
    ra, dec, flux = sky()
    table = measure_group(directory, make_reference("+54.6", {"ra_deg": ra, "dec_deg": dec, "flux_jy": flux}), settings)
    table = table.filter(np.asarray(table["band"].to_pylist()) == "full")
    ids = make_reference("+54.6", {"ra_deg": ra, "dec_deg": dec, "flux_jy": flux})
    order = np.searchsorted(ids.source_id, table["source_id"].to_numpy())
    measured, e_beam = table["flux"].to_numpy() / ids.flux_jy[order], table["e_beam"].to_numpy() / ids.flux_jy[order]
    return measured, e_beam, table["beam_version"].to_pylist()[0]


def test_with_the_fitted_beam_the_imager_gives_true_fluxes(night, fitted, settings, tmp_path):
    path = keep(fitted, tmp_path / "beams")
    assert sorted(one.name for one in path.parent.iterdir()) == ["beam-0001.json", "beam-0001.png"]
    again = make_images(tmp_path, TrueBeam(), night[1], groups=[1], beam=str(path))[0]
    before, _, airy = fluxes(night[0][1], settings.photometry)
    after, e_beam, version = fluxes(again, settings.photometry)
    assert airy.startswith("Airy")
    assert version == beam_model(str(path)).description
    # What is common to all is of the scale.
    off_before, off_after = (np.abs(ratio / np.median(ratio) - 1.0) for ratio in (before, after))
    assert np.median(off_before) > 0.1
    assert np.median(off_after) < 0.04
    # The error says how wrong they may still be, and more at the edge.
    assert 0.005 < np.median(e_beam) < 0.1


def test_without_images_or_a_list(settings, tmp_path, night):
    nothing = settings.model_copy(update={"paths": settings.paths.model_copy(update={"ms": tmp_path})})
    with pytest.raises(UsageError, match="no images"):
        fit_from([tmp_path], nothing, night[1])
    with pytest.raises(ContimgError, match="reference build"):
        fit_from(night[0], nothing)
    away = tmp_path / "away.csv"
    away.write_text("ra,dec,flux\n10.0,-20.0,1.0\n")
    with pytest.raises(UsageError, match="no source there"):
        fit_from(night[0], settings, away)


@pytest.fixture(scope="module")
def epoch(night, settings, tmp_path_factory):
    """The directory of an epoch, as far as it matters: measurements, and a record that names the images."""
    name = "20251005T121500+54.6"
    directory = tmp_path_factory.mktemp("epochs") / epoch_directory_name(name)
    directory.mkdir()
    reference = make_reference("+54.6", dict(zip(("ra_deg", "dec_deg", "flux_jy"), sky(), strict=True)))
    tables = [measure_group(one, reference, settings.photometry, name) for one in night[0]]
    write_measurements(directory / MEASUREMENTS_NAME, together(tables))
    inputs = [
        {"image": str(one / image_name(parse_images_name(one.name), "image")), "noise_jy": 0.01} for one in night[0]
    ]
    (directory / epoch_record_name(name)).write_text(json.dumps({"inputs": inputs}))
    return directory


def test_as_a_user_an_epoch_s_measurements_are_taken_as_they_are(night, epoch, tmp_path):
    runner = CliRunner()
    words = ["--log-level", "error", "beam"]
    where = ["--directory", str(tmp_path / "beams")]
    fit = [*words, "fit", str(epoch), "--catalogue", str(night[1]), *where]
    picture = tmp_path / "trial.png"
    dry = runner.invoke(app, [*fit, "--dry-run", "--json", "--plot", str(picture)])
    assert dry.exit_code == 0, dry.output
    told = json.loads(dry.stdout)
    assert told["path"] is None
    assert told["facts"]["warnings"]
    assert told["facts"]["known"] == told["facts"]["sources"]
    assert told["facts"]["mean"]["north_deg"] == pytest.approx(
        NORTH_DEG, abs=4 * told["facts"]["mean_errors"]["north_deg"]
    )
    assert picture.stat().st_size > 10_000
    assert not (tmp_path / "beams").exists()

    done = runner.invoke(app, fit)
    assert done.exit_code == 0, done.output
    assert "axis north of the pointing [deg]" in done.stdout
    assert "warning: the beam's axis is 0." in done.stdout
    assert "beam-0001.json: to use it, set image.beam" in done.stdout
    listed = runner.invoke(app, [*words, "list", *where])
    assert listed.stdout.startswith("beam-0001 ")
    assert json.loads(runner.invoke(app, [*words, "list", "--json", *where]).stdout)[0]["version"] == "beam-0001"
    shown = runner.invoke(app, [*words, "show", *where])
    assert "figure: " in shown.stdout
    path = tmp_path / "beams" / "beam-0001.json"
    by_file = json.loads(runner.invoke(app, [*words, "show", str(path), "--json"]).stdout)
    assert by_file["bands"] == json.loads(path.read_text())["bands"]
