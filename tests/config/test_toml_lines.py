import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.config.toml_lines import key_lines, read_toml
from dsa110_contimg.errors import SettingsError

TEXT = '''\
# a comment
[paths]
input = "/a"

ms = """
qa = "not a key"
"""
[convert]  # another
list = [
    1,
]
inline = { a = 1 }
"quoted key" = 1
dotted.key = 2
'''


def test_every_key_has_its_line():
    assert key_lines(TEXT) == {
        ("paths",): 2,
        ("paths", "input"): 3,
        ("paths", "ms"): 5,
        ("convert",): 8,
        ("convert", "list"): 9,
        ("convert", "inline"): 12,
        ("convert", "inline", "a"): 12,
        ("convert", "quoted key"): 13,
        ("convert", "dotted"): 14,
        ("convert", "dotted", "key"): 14,
    }


names = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
filler = st.sampled_from(["", "# x = 1", "   ", "# [y]"])
statements = st.tuples(filler, names, st.sampled_from(["1", '"b = 2"', "[\n1,\n2]", '"""\nc = 3\n"""', "{ d = 4 }"]))


@given(st.lists(statements, unique_by=lambda statement: statement[1]))
def test_lines_are_those_of_the_statements(written):
    text, expected = "", {}
    for before, name, value in written:
        text += before + "\n"
        expected[(name,)] = text.count("\n") + 1
        text += f"{name} = {value}\n"
    found = key_lines(text)
    assert {key: line for key, line in found.items() if len(key) == 1} == expected
    assert {key[0] for key in found} == set(tomllib.loads(text))


def test_reading(tmp_path):
    path = tmp_path / "contimg.toml"
    path.write_text(TEXT)
    document = read_toml(path)
    assert document.values == tomllib.loads(TEXT)
    assert document.lines[("convert",)] == 8


@pytest.mark.parametrize(
    ("text", "line"), [("[paths]\ninput = /a\n", 2), ("[paths]\n\nx = [1,\n", 3), ("a = 1\na = 2\n", 2), ("x", 1)]
)
def test_a_syntax_error_names_file_and_line(tmp_path, text, line):
    path = tmp_path / "contimg.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=rf"^{re.escape(str(path))}:{line}: not TOML"):
        read_toml(path)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(SettingsError, match="no such settings file"):
        read_toml(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_toml(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'x = "\xe9"')
    with pytest.raises(SettingsError, match="cannot be read"):
        read_toml(latin)
