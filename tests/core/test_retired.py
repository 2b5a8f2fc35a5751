import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    ["dsa110_contimg.core.conversion", "dsa110_contimg.core.conversion.helpers", "dsa110_contimg.core.conversion.a.b"],
)
def test_the_retired_place_names_the_new_one(name):
    with pytest.raises(ImportError, match=r"import dsa110_contimg\.conversion instead"):
        importlib.import_module(name)
