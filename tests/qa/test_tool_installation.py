"""Making environments of external tools, with pip and no network: the packages lie in a directory."""

import base64
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import zipfile

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.errors import MissingToolError, ToolError
from dsa110_contimg.naming import TOOL_MARK
from dsa110_contimg.qa import tool_installation, tools
from dsa110_contimg.qa.tool_installation import explained, install, plan_installation, uninstall
from dsa110_contimg.qa.tools import TOOLS, Tool, environment_of, find_program, is_installed, python_of

HERE = sys.version_info[:2]
_NOWHERE = "http://127.0.0.1:9/simple"


def wheel(directory, name, version, source):
    """Write a wheel of one module, with a program that calls its ``main``."""
    directory.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = ""
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in members.items():
            archive.writestr(path, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(content.encode())}\n"
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")


def tool_of(directory, name, version, pythons=(HERE,)):
    """Give a tool whose one package is pinned in a file."""
    pins = directory / f"{name}-{version}.txt"
    pins.write_text(f"{name}=={version}\n")
    return Tool(name, name.capitalize(), (name,), pythons, pins)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Wheels of a tool in two versions, and of one that does not run."""
    directory = tmp_path_factory.mktemp("packages")
    for version in ("1.0", "2.0"):
        wheel(directory, "toy", version, f"def main():\n    print('toy {version}')\n")
    wheel(directory, "broken", "1.0", "def main():\n    raise SystemExit('it lacks something')\n")
    return directory


@pytest.fixture(autouse=True)
def _offline(packages, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages))
    monkeypatch.setenv("PYTHONPATH", "/nowhere")  # must not reach the tool's Python


def test_the_life_of_an_environment(in_tmp, monkeypatch):
    """Installed, there, replaced by one with other pins, removed; through the verb."""
    old, new = tool_of(in_tmp, "toy", "1.0"), tool_of(in_tmp, "toy", "2.0")

    def run(tool, *arguments):
        monkeypatch.setitem(tools.TOOLS, "toy", tool)
        result = CliRunner().invoke(app, ["tools", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    base = in_tmp / "contimg-data" / "state" / "tools"
    first, second = environment_of(old, base), environment_of(new, base)
    assert run(old, "install", "toy", "--dry-run").startswith("Toy 1.0 would be installed with")
    assert not base.exists()
    (facts,) = json.loads(run(old, "install", "toy", "toy", "--json"))
    assert (facts["environment"], facts["was_there"]) == (str(first), False)
    program = find_program(old, base)
    assert program == first / "bin" / "toy"
    assert subprocess.run([program], capture_output=True, text=True).stdout == "toy 1.0\n"
    version = python_of(old, base)
    assert version == ".".join(map(str, sys.version_info[:3]))
    listed = run(old, "list")
    assert f"Toy 1.0: installed (Python {version})\n  toy           {program}\n" in listed
    assert "shadeMS 0.5.5: not installed: dsa110-contimg tools install shadems\n" in listed
    mark = json.loads((first / TOOL_MARK).read_text())
    assert (mark["tool"], mark["version"]) == ("toy", "1.0")

    assert run(old, "install", "toy") == f"Toy 1.0 is there: {first}\n"
    assert json.loads((first / TOOL_MARK).read_text()) == mark

    (second / "bin").mkdir(parents=True)
    (second / "litter").write_text("of one that was killed")
    assert not is_installed(new, base)
    assert run(new, "install", "toy").startswith("Toy 2.0 installed with")
    assert is_installed(new, base)
    assert not (second / "litter").exists()
    assert not first.exists()

    assert run(new, "remove", "toy", "--dry-run") == f"would remove {second}\n"
    assert is_installed(new, base)
    assert json.loads(run(new, "remove", "toy", "--json")) == {"removed": [str(second)], "dry_run": False}
    assert not second.exists()
    assert run(new, "remove", "toy") == "none of them is installed\n"
    told = {each["tool"]: each["installed"] for each in json.loads(run(new, "list", "--json"))["tools"]}
    assert told == {"shadems": False, "ragavi": False, "toy": False}


def test_the_progress_ends_at_1(tmp_path):
    """Also where there is nothing to do."""
    tool, told = tool_of(tmp_path, "toy", "1.0"), []
    environment = environment_of(tool, tmp_path)
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    (environment / TOOL_MARK).write_text("{}")
    assert install(tool, tmp_path, told.append).python is None
    assert told == [1.0]


def test_no_network_is_said_as_that():
    """What pip says is pip's own; it is not waited for here."""
    said = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--retries", "1", "--index-url", _NOWHERE, "toy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
    ).stdout
    assert "no network, or no registry of packages there" in str(explained(TOOLS["shadems"], said))


def test_one_that_does_not_run_leaves_nothing(tmp_path):
    tool = tool_of(tmp_path, "broken", "1.0")
    with pytest.raises(ToolError, match=r"broken was installed, but does not run \(it lacks something\)"):
        install(tool, tmp_path / "tools")
    assert not environment_of(tool, tmp_path / "tools").exists()


def test_pip_that_fails_is_explained_in_a_line(tmp_path):
    tool = tool_of(tmp_path, "toy", "9.9")
    with pytest.raises(ToolError, match=r"Toy cannot be installed \(ERROR: .*toy==9.9"):
        install(tool, tmp_path / "tools")
    assert not environment_of(tool, tmp_path / "tools").exists()


def test_a_python_is_looked_for_on_path(tmp_path, monkeypatch):
    """One that fails (a shim of a version that is not there) is passed over."""
    (tmp_path / "bin").mkdir()
    for name, source in {"python3.5": "exit 127", "python3.6": "echo 3 6 /opt/python3.6"}.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{source}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    tool = tool_of(tmp_path, "toy", "1.0", ((3, 4), (3, 5), (3, 6)))
    assert plan_installation(tool, tmp_path).python == "/opt/python3.6"
    with pytest.raises(MissingToolError, match=r"runs under Python 3.4, and none .* Install python3.4 and its venv"):
        plan_installation(tool_of(tmp_path, "toy", "1.0", ((3, 4),)), tmp_path)


def test_a_full_disk_is_said_before(tmp_path, monkeypatch):
    monkeypatch.setattr(tool_installation, "NEEDED_BYTES", 1 << 62)
    with pytest.raises(ToolError, match="are free"):
        plan_installation(tool_of(tmp_path, "toy", "1.0"), tmp_path)


def test_two_at_once_take_turns(tmp_path):
    """The lock is of the tool: while another process holds it, nothing is removed."""
    tool = tool_of(tmp_path, "toy", "1.0")
    environment_of(tool, tmp_path).mkdir()
    with (tmp_path / ".lock-toy").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        source = (
            "import sys\nfrom pathlib import Path\n"
            "from dsa110_contimg.qa.tool_installation import uninstall\nfrom dsa110_contimg.qa.tools import Tool\n"
            "pins = Path(sys.argv[1])\n"
            "uninstall(Tool('toy', 'Toy', ('toy',), (), pins), pins.parent)\n"
        )
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = subprocess.Popen([sys.executable, "-c", source, tool.requirements], env=environment)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2.0)
        assert environment_of(tool, tmp_path).exists()
    assert process.wait() == 0
    assert not environment_of(tool, tmp_path).exists()


def test_an_unknown_tool_is_wrong_usage(in_tmp):
    assert CliRunner().invoke(app, ["tools", "install", "casaviewer"]).exit_code == 2


def test_nothing_to_remove_where_nothing_is(tmp_path):
    assert uninstall(tool_of(tmp_path, "toy", "1.0"), tmp_path / "none") == []
