"""Which quicklooks there are, and by which command lines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.naming import Plotted, parse_gains_page_name, parse_quicklook_name
from dsa110_contimg.qa.quicklook_plan import GainsPage, gains_runs, plan_quicklooks, runs_of

MS = Path("/data/20251005T123000.ms")
COLUMNS = ["DATA", "CORRECTED_DATA", "MODEL_DATA", "FLAG"]
TOOLS = ["shadems", "ragavi"]


def option(arguments, name):
    return arguments[arguments.index(name) + 1]


def test_amplitude_and_phase_against_uv_frequency_and_time():
    drawn = {(each.y, each.x) for each in plan_quicklooks(["DATA"], ["shadems"])}
    assert drawn == {(y, x) for y in ("amplitude", "phase") for x in ("uv", "frequency", "time")}


@pytest.mark.parametrize(
    ("columns", "drawn"),
    [
        (["DATA"], {("data", "DATA")}),
        (["DATA", "CORRECTED_DATA"], {("corrected", "CORRECTED_DATA")}),
        (["DATA", "MODEL_DATA"], {("data", "DATA"), ("residual", "DATA-MODEL_DATA")}),
        (COLUMNS, {("corrected", "CORRECTED_DATA"), ("residual", "CORRECTED_DATA-MODEL_DATA")}),
    ],
)
def test_calibrated_data_where_they_are_and_the_residual_where_there_is_a_model(columns, drawn):
    assert {(each.visibilities, each.column) for each in plan_quicklooks(columns, ["shadems"])} == drawn


@given(
    most=st.integers(1, 30),
    tools=st.lists(st.sampled_from(TOOLS), unique=True),
    columns=st.sets(st.sampled_from(COLUMNS)),
)
def test_a_limit_takes_the_first_ones_and_leaves_something_of_each(most, tools, columns):
    every, some = plan_quicklooks(columns, tools), plan_quicklooks(columns, tools, most)
    assert some == every[:most]
    assert len({each.tool for each in some}) == min(len(tools), most)
    assert len({each.name for each in every}) == len(every)


@given(most=st.integers(1, 30), columns=st.sets(st.sampled_from(COLUMNS)))
def test_every_quicklook_is_drawn_by_one_run(most, columns):
    quicklooks = plan_quicklooks(columns, TOOLS, most)
    runs = runs_of(quicklooks, MS, 2)
    assert sorted(q.name for run in runs for q in run.quicklooks) == sorted(q.name for q in quicklooks)
    assert len({run.name for run in runs}) == len(runs)
    assert all(len(run.drawn) == len(run.quicklooks) for run in runs)


def test_shadems_draws_what_belongs_together_at_once():
    one, two = runs_of(plan_quicklooks(["DATA"], ["shadems"]), MS, 2)
    assert (one.name, two.name) == ("shadems-data", "shadems-data-time")
    assert option(one.arguments, "--xaxis") == "uv,FREQ,FREQ,uv"
    assert option(one.arguments, "--yaxis") == "amp,amp,phase,phase"
    assert one.drawn == ("*-amp-uv.png", "*-amp-FREQ.png", "*-phase-FREQ.png", "*-phase-uv.png")
    assert option(two.arguments, "--xaxis") == "TIME,TIME"
    assert "--spread-pix" in two.arguments
    assert "--spread-pix" not in one.arguments


def test_ragavi_leaves_out_autocorrelations():
    run = runs_of(plan_quicklooks(COLUMNS, ["ragavi"], 1), MS, 3)[0]
    assert run.program == "ragavi-vis"
    assert option(run.arguments, "--data-column") == "CORRECTED_DATA"
    assert option(run.arguments, "--taql") == "ANTENNA1 != ANTENNA2"
    assert option(run.arguments, "--num-cores") == "3"


def test_names_are_read_back():
    for each in plan_quicklooks(COLUMNS, TOOLS):
        assert parse_quicklook_name(each.name) == (each.tool, each.visibilities, each.y, each.x)
        assert each.visibilities in Plotted
        assert each.column in each.caption


def test_pages_of_tables():
    bandpass = GainsPage(Path("/cal/one.cal/B.tab"), 1, False, (0, 3))
    delays = GainsPage(Path("/cal/two.cal/K.tab"), 2, True, (3,))
    one, two = gains_runs([bandpass, delays])
    assert option(one.arguments, "--ant") == "0,3"
    assert "--xaxis" not in one.arguments
    assert option(two.arguments, "--xaxis") == "antenna"
    assert parse_gains_page_name(bandpass.name) == ("B", 1)
    assert bandpass.caption == "Amplitude and phase of 2 antennas, one.cal/B.tab"
    assert delays.what == "delays of K.tab"
