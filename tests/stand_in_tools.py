"""Programs that stand in for shadeMS and ragavi: they draw, fail, hang or print garbage, as a test wants."""

import os
import sys
from pathlib import Path

import pytest

from dsa110_contimg.qa.tools import TOOLS, is_installed

_SHADEMS = """
import sys
from pathlib import Path
from PIL import Image
arguments = dict(zip(sys.argv[1:], sys.argv[2:]))
if "--version" in sys.argv:
    print("shadems version 9.8.7")
    raise SystemExit
for x, y in zip(arguments["--xaxis"].split(","), arguments["--yaxis"].split(",")):
    label = f"{arguments['--col'].replace('-', 'min')}-XX-YY-{y}-{x}"
    Image.new("RGB", (8, 8), "white").save(arguments["--png"].format(label=label))
    print("wrote", label)
Path("log-shadems.txt").write_text("litter")
"""
_RAGAVI = """
import sys
from pathlib import Path
if "--version" in sys.argv:
    print("ragavi 7.6.5")
else:
    Path("page.html").write_text("<html><body>drawn</body></html>\\n")
    Path("ragavi.log").write_text("litter")
"""


def program(directory, name, source):
    """Write a program in Python."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!{sys.executable}\n{source}")
    path.chmod(0o755)
    return path


def stand_ins(directory, **others):
    """Write programs that draw; of those that are named, the source is given, or None for none at all."""
    sources = {"shadems": _SHADEMS, "ragavi-vis": _RAGAVI, "ragavi-gains": _RAGAVI}
    sources |= {name.replace("_", "-"): source for name, source in others.items()}
    directory.mkdir(exist_ok=True)
    for name, source in sources.items():
        if source is not None:
            program(directory, name, source)
    return directory


def only_path(monkeypatch, directory):
    """Have programs be found in a directory, and those of the system."""
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")


def real_tools(name):
    """Give the directory of the real tools; skip where that of this name is not installed."""
    directory = Path(__file__).parents[1] / "contimg-data" / "state" / "tools"
    tool = TOOLS[name]
    if not is_installed(tool, directory):
        pytest.skip(f"{tool.title} is not installed ({tool.remedy})")
    return directory
