"""From raw counts to janskys: a calibrator's transit and the groups after it, through the stages and the stream."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from calibrated_groups import calibrator, look, observe, observe_at, targets, transit_of
from dsa110_contimg.calibration.apply import calibrated_blocks
from dsa110_contimg.calibration.keeping import read_tables
from dsa110_contimg.calibration.sets import FIGURES
from dsa110_contimg.config.settings import Settings
from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.errors import NoCalibrationError
from dsa110_contimg.ledger import DecisionKind, GroupState, open_ledger
from dsa110_contimg.pipeline.calibration_inputs import calibration_options
from dsa110_contimg.pipeline.calibration_records import find_improvable, standing
from dsa110_contimg.pipeline.commit import commit
from dsa110_contimg.pipeline.description import JobDescription
from dsa110_contimg.pipeline.inventory import seen_of
from dsa110_contimg.pipeline.job import Reporter, run_job
from dsa110_contimg.pipeline.measurement_set import facts_of
from dsa110_contimg.pipeline.stage_apply import solutions_of
from dsa110_contimg.telescope.band import INTEGRATION_S
from dsa110_contimg.telescope.correlator import CorrelatorState
from stream_daemon import Stream

STAGES = ("convert", "solve", "apply")


class Bench:
    """A ledger over a night's files, and jobs run one by one as the stream would."""

    def __init__(self, base, night, stages=STAGES, **sets):
        self.output = base / "ms"
        self.output.mkdir()
        self.settings = Settings(stream={"stages": stages}, sets={"catalogue": night.catalogue} | sets)
        self.ledger = open_ledger(base / "state" / "ledger.sqlite", decisions=self.output / "decisions.jsonl")
        self.ledger.register(*seen_of(find_groups(night.files), datetime.now(UTC), timedelta(0), 12))
        self.groups = sorted(self.ledger.ready_groups())

    def run(self, gid):
        attempt = self.ledger.begin_attempt(gid)
        start_mjd = self.ledger.group(gid).group.start_mjd
        description = JobDescription(
            group=gid,
            attempt_id=attempt.id,
            start_mjd=start_mjd,
            files={subband: str(path) for subband, path in self.ledger.group_files(gid).items()},
            set_aside=(),
            output=str(self.output),
            scratch=None,
            stages=self.settings.stream.stages,
            timeouts_s={},
            deadline_s=600.0,
            heartbeat_s=120.0,
            memory_cap_bytes=None,
            threads=2,
            log_path="",
            jobs=str(self.output.parent / "jobs"),
            options=calibration_options(self.ledger, self.settings, start_mjd),
        )
        description.write()
        description = JobDescription.read(description.path)
        return commit(self.ledger, attempt, run_job(description, Reporter(None)), self.output)

    def tables(self):
        (item,) = self.ledger.calibrations()
        return read_tables(item.path)

    def ms(self, gid):
        return next(path for path in self.ledger.live_products() if path.suffix == ".ms" and self.of(path) == gid)

    def of(self, path):
        return self.ledger.live_products()[path][0]


@pytest.mark.parametrize(
    ("name", "dec_deg", "day"), [("0834+555", 54.57, 60953.0), ("3C138", 16.27, 60954.0), ("3C309.1", 71.6, 60955.0)]
)
def test_sources_of_the_next_group_have_their_true_flux_and_place(tmp_path, name, dec_deg, day):
    night = observe(tmp_path, name, dec_deg, day=day)
    bench = Bench(tmp_path, night)
    for gid in bench.groups:
        assert bench.run(gid) is GroupState.DONE
    (item,) = bench.ledger.calibrations()
    assert (item.grade, item.calibrator, item.group_id) == ("good", name, bench.groups[0])
    assert item.dec_deg == pytest.approx(dec_deg)
    ms = bench.ms(bench.groups[1])
    for source, found in zip(
        night.sources[1:], look(ms, calibrated_blocks(ms, bench.tables()), night.sources)[1:], strict=True
    ):
        assert found.ratio == pytest.approx(1.0, abs=0.02), source
        assert abs(found.east_arcsec) < 1.0
        assert abs(found.north_arcsec) < 1.0


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """One with noise, a dead and a deaf antenna."""
    return observe(tmp_path_factory.mktemp("night"), "3C147", 50.5, dead=(45,), deaf=(51,))


def test_a_set_says_why_what_ails_whom_and_is_told_of_in_both_places(tmp_path, night):
    bench = Bench(tmp_path, night, corrected_data=True)
    for gid in bench.groups:
        bench.run(gid)
    (item,) = bench.ledger.calibrations()
    assert item.facts["choice"].startswith("3C147: 19.")
    assert item.facts["flux_scale"]["kind"] == "standard"
    assert {"45", "51"} <= set(item.facts["grade"]["antennas"])
    assert {path.suffix for path in (item.path / FIGURES).iterdir()} == {".png"}
    assert len(list((item.path / FIGURES).iterdir())) == 6
    for gid in bench.groups:
        (use,) = bench.ledger.calibrated_by(gid)
        assert (use.calibration, use.stale) == (item.name, False)
        said = facts_of(use.product)["calibration"]
        assert said["sets"] == [item.name]
        assert said["scale_error"] == pytest.approx(item.facts["flux_scale"]["error"])
    assert facts_of(bench.ms(bench.groups[0]))["solved"]["verdict"] == "good"
    assert "solved" not in facts_of(bench.ms(bench.groups[1]))


def test_without_any_set_a_group_fails_and_says_why(tmp_path, night):
    bench = Bench(tmp_path, night, stages=("convert", "apply"))
    with pytest.raises(NoCalibrationError, match="none is registered"):
        bench.run(bench.groups[0])
    assert not list(bench.output.glob("*.ms"))
    assert not list(bench.output.glob(".partial*"))


def test_a_transit_that_is_too_faint_is_not_solved_on(tmp_path, night, caplog):
    bench = Bench(tmp_path, night, stages=("convert", "solve"), least_flux_jy=50.0)
    with caplog.at_level(logging.INFO, "dsa110_contimg"):
        assert bench.run(bench.groups[0]) is GroupState.DONE
    assert "no calibrator transits" in caplog.text
    assert bench.ledger.calibrations() == []


def test_bad_solutions_are_not_kept_and_the_last_good_ones_serve(tmp_path, night):
    """The model of the second solution is of a sky that is not there."""
    bench = Bench(tmp_path, night)
    bench.run(bench.groups[0])
    (good,) = bench.ledger.calibrations()
    wrong = tmp_path / "wrong.json"
    ra, dec = night.sources[0]["ra"], night.sources[0]["dec"]
    far = [{"ra": ra + 0.01 * k, "dec": dec + 0.3 - 0.05 * k, "flux": 60.0 + 9 * k, "alpha": 0.5} for k in range(6)]
    wrong.write_text(json.dumps(far))
    bench.settings = Settings(stream={"stages": STAGES}, sets={"catalogue": wrong})
    bench.ledger.decide(bench.groups[0], DecisionKind.RETRY, "me", "again")
    bench.run(bench.groups[0])
    assert bench.ledger.calibrations() == [good]
    said = facts_of(bench.ms(bench.groups[0]))
    assert said["solved"]["verdict"] == "bad"
    assert said["solved"]["reasons"]
    assert said["calibration"]["sets"] == [good.name]


@pytest.mark.slow
def test_the_stream_takes_groups_from_files_to_calibrated_data(tmp_path):
    night = observe(tmp_path, "3C48", 33.0, n_groups=3)

    class Calibrating(Stream):
        def environment(self):
            return super().environment() | {"DSA110_CONTIMG_SETS__CATALOGUE": str(night.catalogue)}

    stream = Calibrating(tmp_path, workers=1, stages=json.dumps(["convert", "flag", "solve", "apply"]))
    with stream:
        stream.wait(lambda: list(stream.states().values()).count("done") == 3, 240)
    with stream.ledger() as ledger:
        (item,) = ledger.calibrations()
        assert item.grade == "good"
        groups = sorted(stream.states())
        assert [use.calibration for gid in groups for use in ledger.calibrated_by(gid)] == [item.name] * 3
        stages = [stage.name for stage in ledger.group(groups[1]).attempts[-1].stages]
        assert stages == ["convert", "flag", "solve", "apply"]
        ms = next(use.product for use in ledger.calibrated_by(groups[2]))
        flagging = ledger.flagging(groups[2])
    assert 0 < flagging.flagged < 0.05
    assert flagging.record["by_reason"]["good"] == pytest.approx(1 - flagging.flagged)
    assert len(flagging.record["antennas"]) == 12
    assert len(flagging.record["occupancy"]) == 768
    assert ms.with_name(ms.name + ".flagversions").is_dir()
    assert stream.strays() == []
    for found in look(ms, calibrated_blocks(ms, read_tables(item.path)), night.sources)[1:]:
        assert found.ratio == pytest.approx(1.0, abs=0.02)


def test_a_group_is_tied_to_its_sky_where_that_is_wanted(tmp_path, night):
    bench = Bench(tmp_path, night, tie="phase")
    for gid in bench.groups:
        bench.run(gid)
    ties = [item for item in bench.ledger.calibrations() if item.kind == "tie"]
    (transit,) = [item for item in bench.ledger.calibrations() if item.kind == "transit"]
    assert {item.group_id for item in ties} <= set(bench.groups)
    for gid in bench.groups:
        said = facts_of(bench.ms(gid))
        assert said["calibration"]["sets"] == [transit.name]
        if said["calibration"]["tie"] is None:
            assert said["tie_refused"]
        else:
            assert [use.rung for use in bench.ledger.calibrated_by(gid)] == ["good-of-the-day", "tie"]
            assert said["calibration"]["tie"] in {item.name for item in ties}
    last = next(item for item in ties if item.group_id == bench.groups[1])
    ms = bench.ms(bench.groups[1])
    for found in look(ms, calibrated_blocks(ms, read_tables(last.path)), night.sources)[1:]:
        assert found.ratio == pytest.approx(1.0, abs=0.03)


def test_a_group_between_two_calibrators_is_interpolated_between_them_when_both_are_there(tmp_path):
    """3C48 transits 18 minutes after 0119+321."""
    integration_d, dec_deg = INTEGRATION_S / 86400, 32.7
    first = transit_of("0119+321", 60953.0) - 4 * integration_d
    # On one count of the correlator: it was not restarted.
    last = first + round((transit_of("3C48", 60953.0) - 4 * integration_d - first) / integration_d) * integration_d
    middle = first + round((last - first) / 2 / integration_d) * integration_d
    sources = [calibrator("0119+321"), calibrator("3C48"), *targets(dec_deg, middle + 4 * integration_d)]
    for start_mjd in (first, middle, last):
        night = observe_at(tmp_path, start_mjd, dec_deg, sources, noise=0.5)
    bench = Bench(tmp_path, night)
    before, between, after = bench.groups
    for gid in (before, between, after):
        bench.run(gid)
    assert [use.rung for use in bench.ledger.calibrated_by(between)] == ["good-of-the-day"]
    ((improvable, why),) = find_improvable(bench.ledger, middle - 0.1, middle + 0.1)
    assert improvable == between
    assert "3C48" in why
    bench.ledger.decide(between, DecisionKind.RETRY, "me", "recalibrate")
    bench.run(between)
    used = {use.calibration for use in bench.ledger.calibrated_by(between)}
    assert used == {item.name for item in bench.ledger.calibrations()}
    ms = bench.ms(between)
    state = CorrelatorState.from_json(facts_of(ms)["correlator"])
    chosen = standing(bench.ledger, middle, middle).choose(middle, state)
    for found in look(ms, calibrated_blocks(ms, solutions_of(chosen)), night.sources)[2:]:
        assert found.ratio == pytest.approx(1.0, abs=0.02)
        assert abs(found.east_arcsec) < 1.0
        assert abs(found.north_arcsec) < 1.0


def test_the_scale_of_a_blazar_is_carried_from_the_days_standard_where_there_is_no_catalogue(tmp_path):
    """3C138 is steady; 3C454.3, 17 hours later, is 1.35 times as bright as the list says."""
    integration_d, dec_deg = INTEGRATION_S / 86400, 16.3
    first = transit_of("3C138", 60953.0) - 4 * integration_d
    count = round((transit_of("3C454.3", 60953.5) - 4 * integration_d - first) / integration_d)
    blazar = calibrator("3C454.3")
    sources = [calibrator("3C138"), blazar | {"flux": 1.35 * blazar["flux"]}]
    for start_mjd in (first, first + count * integration_d):
        night = observe_at(tmp_path, start_mjd, dec_deg, sources, noise=0.5)
    bench = Bench(tmp_path, night)
    bench.settings = Settings(stream={"stages": STAGES})
    for gid in bench.groups:
        bench.run(gid)
    standard, carried = sorted(bench.ledger.calibrations(), key=lambda item: item.mid_mjd)
    assert standard.facts["flux_scale"]["kind"] == "standard"
    scale = carried.facts["flux_scale"]
    assert scale["kind"] == "carried"
    assert standard.name in scale["text"]
    assert carried.grade == "good"
    assert scale["factor"] == pytest.approx(1 / 1.35, rel=scale["error"])
