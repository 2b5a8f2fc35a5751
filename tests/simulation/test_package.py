"""The package's own names, imported when first used."""

import subprocess
import sys

import pytest

import dsa110_contimg.simulation as package


def test_every_name_is_there():
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="stimulate"):
        _ = package.stimulate


def test_importing_it_imports_nothing_heavy():
    code = (
        "import sys, dsa110_contimg.simulation; print(sorted({'numpy', 'h5py', 'numba', 'astropy'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
