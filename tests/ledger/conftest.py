"""A ledger in an empty directory, and groups to put into it."""

import pytest

from dsa110_contimg.ledger import open_ledger


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "state" / "ledger.sqlite", decisions=tmp_path / "ms" / "decisions.jsonl") as opened:
        yield opened
