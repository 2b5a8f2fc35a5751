"""Checksums of products: what they are of, and what they are not."""

import numpy as np
import pytest
import xxhash

from dsa110_contimg.storage.checksums import tree_bytes, tree_checksum

LONG = np.random.default_rng(1).bytes(2_500_000)


def test_a_tree_is_its_names_sizes_and_contents(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "long").write_bytes(LONG)
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "table.lock").write_bytes(b"a reader was here")
    found = tree_checksum(tmp_path)
    assert found.checksum == xxhash.xxh3_128(b"a\x000\x00" + b"b/long\x002500000\x00" + LONG).hexdigest()
    assert found.size_bytes == tree_bytes(tmp_path) == len(LONG)


def test_a_file_alone(tmp_path):
    (tmp_path / "file").write_bytes(LONG)
    assert tree_checksum(tmp_path / "file").checksum == xxhash.xxh3_128(b".\x002500000\x00" + LONG).hexdigest()
    with pytest.raises(FileNotFoundError):
        tree_checksum(tmp_path / "none")
