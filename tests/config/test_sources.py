from pathlib import Path

import pytest

from dsa110_contimg import config
from dsa110_contimg.config import sources
from dsa110_contimg.config.sources import find_settings_file, load_settings, load_with_sources, setting_keys
from dsa110_contimg.errors import SettingsError

OVRO = Path(__file__).parents[2] / "deploy" / "ovro.toml"


@pytest.fixture
def write(in_tmp, monkeypatch):
    """Write a settings file; no other is to be found."""
    monkeypatch.setattr(sources, "SYSTEM_FILE", in_tmp / "etc" / "contimg.toml")

    def write_text(text, name="contimg.toml"):
        path = in_tmp / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write_text


def complaint(path=None):
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return str(caught.value)


class TestWhichFile:
    def test_none_means_defaults(self, write):
        loaded = load_with_sources()
        assert loaded.file is None
        assert set(loaded.sources.values()) == {"default"}
        assert list(loaded.sources) == setting_keys()

    def test_the_order_of_the_search(self, write, monkeypatch):
        system = write("", "etc/contimg.toml")
        assert find_settings_file() == system
        write("")
        assert find_settings_file() == Path("contimg.toml")
        monkeypatch.setenv("DSA110_CONTIMG_SETTINGS", "named.toml")
        assert find_settings_file() == Path("named.toml")
        option = write("convert.workers = 5", "option.toml")
        assert load_settings(option).convert.workers == 5

    def test_a_named_file_has_to_be_there(self, write, monkeypatch, tmp_path):
        assert "no such settings file: " in complaint(tmp_path / "nowhere.toml")
        monkeypatch.setenv("DSA110_CONTIMG_SETTINGS", "named.toml")
        assert complaint() == "no such settings file: named.toml"


class TestWhereEachValueCameFrom:
    def test_default_file_or_variable(self, write, monkeypatch):
        write("[paths]\nms = '/ms'\nqa = '/qa'\n")
        monkeypatch.setenv("DSA110_CONTIMG_PATHS__QA", "/other")
        settings, file, where = load_with_sources()
        assert file == Path("contimg.toml")
        assert (settings.paths.ms, where["paths", "ms"]) == (Path("/ms"), "contimg.toml:2")
        assert (settings.paths.qa, where["paths", "qa"]) == (Path("/other"), "$DSA110_CONTIMG_PATHS__QA")
        assert where["paths", "input"] == "default"

    def test_a_variable_may_say_none(self, write, monkeypatch):
        write("convert.workers = 2")
        monkeypatch.setenv("DSA110_CONTIMG_CONVERT__WORKERS", "none")
        assert load_settings().convert.workers is None


class TestComplaints:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[path]\n", "contimg.toml:1: there is no section 'path'. Did you mean 'paths'?"),
            ("\n[paths]\ninputt = '/x'\n", "contimg.toml:3: there is no setting 'paths.inputt'. Did you mean 'input'?"),
            ("_env_file = 'x'\n", "contimg.toml:1: there is no section '_env_file'."),
            ("[zzz]\n", "The sections are paths, convert, flag, "),
            ("paths = 3\n", "contimg.toml:1: paths = 3: it should be a table"),
            ("[paths]\nms = 3\n", "contimg.toml:2: paths.ms = 3: it should be a path, in quotes"),
            ("[paths]\nms = ''\n", "contimg.toml:2: paths.ms = '': it should not be empty"),
            (
                "[convert]\n# few\nmin_subbands = 17\n",
                "contimg.toml:3: convert.min_subbands = 17: it should be less than or equal to 16",
            ),
            ("[convert]\nworkers = true\n", "contimg.toml:2: convert.workers = True: it should be a number"),
            ("[logging]\nlevel = 'loud'\n", "contimg.toml:2: logging.level = 'loud': it should be 'debug', 'info'"),
            ("[convert]\nphase_centre = '1,200'\n", "contimg.toml:2: convert.phase_centre = '1,200': RA is from 0"),
        ],
    )
    def test_name_file_line_key_and_value(self, write, text, said):
        write(text)
        assert said in complaint()

    def test_two_wrong_values_are_both_named(self, write):
        write("[convert]\nmin_subbands = 0\nworkers = 0\n")
        said = complaint()
        assert "contimg.toml:2: convert.min_subbands" in said
        assert "contimg.toml:3: convert.workers" in said

    def test_a_wrong_variable_is_named(self, write, monkeypatch):
        write("[convert]\nworkers = 2\n")
        monkeypatch.setenv("DSA110_CONTIMG_CONVERT__WORKERS", "many")
        assert complaint().startswith("$DSA110_CONTIMG_CONVERT__WORKERS: convert.workers = 'many': ")

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("DSA110_CONTIMG_PATHS__INPTU", "Did you mean 'DSA110_CONTIMG_PATHS__INPUT'?"),
            ("DSA110_CONTIMG_PATHS", "DSA110_CONTIMG_PATHS"),
            ("dsa110_contimg_zzz", "dsa110_contimg_zzz"),
        ],
    )
    def test_an_unknown_variable_is_named(self, write, monkeypatch, name, said):
        monkeypatch.setenv(name, "{}")
        assert "no setting has the environment variable" in complaint()
        assert said in complaint()


class TestTheObservatory:
    def test_its_file_is_valid_and_says_its_paths(self):
        paths = load_settings(OVRO).paths
        assert paths.input == Path("/data/incoming")
        assert paths.ms == Path("/data/dsa110-contimg/data-samples/ms")
        assert paths.qa == Path("/data/dsa110-contimg/state/qa")
        assert paths.scratch == Path("/scratch/dsa110-contimg")
        assert paths.state == Path("/data/dsa110-contimg/state")

    def test_it_leaves_no_path_to_the_working_directory(self):
        assert all(path.is_absolute() for path in load_settings(OVRO).paths.model_dump().values())


def test_the_room_offers_its_names_lazily():
    assert config.load_settings is load_settings
    assert config.Settings is type(load_settings(OVRO))
    with pytest.raises(AttributeError, match="nothing"):
        config.nothing  # noqa: B018
