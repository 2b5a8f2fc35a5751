"""After the kernels are compiled, flagging compiles nothing more."""

import pytest

from dsa110_contimg.config.settings import FlagSettings
from dsa110_contimg.flagging import baselines, interference, marks, survey, tables
from dsa110_contimg.flagging.compiled import compile_kernels
from dsa110_contimg.flagging.flags import find_flags

KERNELS = (
    survey.classify,
    survey.add_missing,
    survey.sample_powers,
    survey.medians,
    survey.add_to_band,
    baselines.correlate,
    baselines.amplitude,
    baselines.take_change_away,
    interference.sort_out,
    interference.flatten,
    marks.mark_band,
    marks.mark_rows,
    marks.mark_bits,
    tables.count,
)


def compiled():
    return [len(kernel.signatures) for kernel in KERNELS]


@pytest.mark.kernel
def test_all_kernels_are_compiled_without_an_error():
    compile_kernels()


def test_flagging_finds_all_its_kernels_compiled(group):
    compile_kernels()
    before = compiled()
    assert all(before)
    tables.tabulate(find_flags(group.ms, FlagSettings(workers=1)))
    assert compiled() == before
