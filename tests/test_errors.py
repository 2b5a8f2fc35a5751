import inspect
import pickle
import re

import pytest

from dsa110_contimg import errors
from dsa110_contimg.errors import ContimgError, HeaderKeyError, InputError

TREE = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, ContimgError)]


@pytest.mark.parametrize("cls", TREE)
class TestEveryError:
    def test_is_drawn_in_the_docstring_with_its_standard_base_and_its_slug(self, cls):
        line = re.search(rf"^.*\b{cls.__name__}\b.*$", errors.__doc__, re.MULTILINE)
        assert line, "not in the tree"
        drawn = re.search(r"\((\w+)\)", line[0])
        standard = next((base for base in cls.__mro__ if base.__module__ == "builtins"), None)
        inherited = cls.__bases__[0].__mro__
        if drawn:
            assert drawn[1] in {base.__name__ for base in cls.__mro__}
        else:
            assert standard is Exception or standard in inherited
        if cls is not InputError and issubclass(cls, InputError):
            assert cls.outcome in line[0]

    def test_says_what_where_and_what_to_do_in_one_line(self, cls):
        error = cls("went\nwrong", path="/data/x.hdf5", remedy="Copy it again.")
        assert str(error) == "went wrong: /data/x.hdf5. Copy it again."

    def test_survives_the_way_back_from_a_worker_process(self, cls, tmp_path):
        error = pickle.loads(pickle.dumps(cls("went wrong", path=tmp_path, remedy="Wait.")))
        assert type(error) is cls
        assert (error.message, error.path, error.remedy) == ("went wrong", tmp_path, "Wait.")


def test_a_message_alone_is_the_whole_text():
    assert str(ContimgError("went wrong")) == "went wrong"
    assert str(ContimgError("went wrong.", remedy="Wait.")) == "went wrong. Wait."


def test_slugs_differ():
    slugs = [cls.outcome for cls in TREE if issubclass(cls, InputError)]
    assert len(slugs) == len(set(slugs)) == 14
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)


def test_a_missing_key_is_not_shown_as_a_repr():
    with pytest.raises(KeyError) as caught:
        raise HeaderKeyError("no Header/time_array", path="a.hdf5")
    assert str(caught.value) == "no Header/time_array: a.hdf5"
