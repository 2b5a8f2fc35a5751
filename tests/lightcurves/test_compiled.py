"""Whether kernels can be compiled at set-up."""

import pytest

from dsa110_contimg.lightcurves.compiled import compile_kernels


@pytest.mark.kernel
def test_all_kernels_are_compiled_without_an_error():
    compile_kernels()
