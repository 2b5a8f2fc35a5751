"""What holds for every test: no settings but the test's own."""

import logging
import os

import hypothesis
import pytest

for _name in [name for name in os.environ if name.upper().startswith("DSA110_CONTIMG_")]:
    del os.environ[_name]  # those of the shell: a test sets what it needs, and subprocesses inherit that alone
os.environ["MPLBACKEND"] = "Agg"

hypothesis.settings.register_profile("contimg", deadline=None)  # no test asserts a time
# A run of CI tells of the change, not of the dice: its examples are the same each time. By hand they are new ones.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "contimg")


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """Work in an empty directory, where no ``contimg.toml`` is found."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _restore_logging():
    """Leave logging as it was: a verb configures it."""
    root, package = logging.getLogger(), logging.getLogger("dsa110_contimg")
    handlers, levels = root.handlers[:], (root.level, package.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    package.setLevel(levels[1])
    logging.captureWarnings(capture=False)
