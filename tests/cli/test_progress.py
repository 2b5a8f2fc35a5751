"""The bar is for people at a terminal alone."""

import io

import pytest
from rich.console import Console

from dsa110_contimg.cli.context import Session
from dsa110_contimg.cli.progress import progress_bar


def shown(title="joining", *, terminal=True, log_json=False):
    """What is written while a bar is half way."""
    session, out = Session(log_json=log_json), io.StringIO()
    session.__dict__["console"] = Console(file=out, force_terminal=terminal, width=80)  # in place of stderr's
    with progress_bar(session, title) as tell:
        tell(0.5)
    return out.getvalue()


def test_a_terminal_sees_title_and_share():
    text = shown("a [b] c.ms")
    assert "a [b] c.ms" in text
    assert "50%" in text


@pytest.mark.parametrize("where", [{"terminal": False}, {"log_json": True}])
def test_files_and_machines_see_nothing(where):
    assert shown(**where).strip() == ""
