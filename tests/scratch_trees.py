"""Trees to stage, as hypothesis draws them or as a test wants them, and what there is to compare of them."""

import os
import stat
from pathlib import Path

from hypothesis import strategies as st

from dsa110_contimg.storage.mirroring import Limits
from dsa110_contimg.storage.scratch_roots import Roots

LIMITS = Limits(workers=2, reserve_bytes=0)

_LETTERS = st.sampled_from("aZ9 .-_'\"\\\n*é×☉🛰\udcff")
NAMES = st.text(_LETTERS, min_size=1, max_size=12).filter(lambda name: name not in {".", ".."})
FILES = st.tuples(st.binary(max_size=300), st.sampled_from([0o644, 0o600, 0o444, 0o755, 0o640]))
LINKS = st.sampled_from([".", "a", "no such thing"])
TREES = st.recursive(
    FILES, lambda inner: st.dictionaries(NAMES, st.one_of(inner, LINKS), max_size=4), max_leaves=8
).filter(lambda tree: isinstance(tree, dict))


def build(path, tree):
    """Make a directory (dict), file ((contents, mode)) or link (text), with a time of its own."""
    if isinstance(tree, str):
        path.symlink_to(tree)
        return path
    if isinstance(tree, dict):
        path.mkdir(parents=True)
        for name, inner in tree.items():
            build(path / name, inner)
        path.chmod(0o750)
    else:
        contents, mode = tree
        path.write_bytes(contents)
        path.chmod(mode)
    os.utime(path, ns=(1_700_000_000_123_456_789 + len(path.name),) * 2)
    return path


def facts(root):
    """Everything that a copy keeps, by name."""
    found = {}
    for path in [root, *sorted(Path(root).rglob("*"))]:
        status = path.lstat()
        what = (
            str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None  # a directory
        )
        found[str(path.relative_to(root))] = (what, stat.S_IFMT(status.st_mode), _mode(path), status.st_mtime_ns)
    return found


def _mode(path):
    return None if path.is_symlink() else stat.S_IMODE(path.lstat().st_mode)


def names(directory):
    return sorted(entry.name for entry in directory.iterdir())


def left_over(roots):
    """List hidden entries and records, but for the file of locks."""
    hidden = [str(path) for root in roots for path in root.rglob(".scratch-*") if path.name != ".scratch-records"]
    records = roots.records.iterdir() if roots.records.exists() else ()
    return sorted(hidden + [path.name for path in records if path.suffix != ".json" and path.name != "locks"])


def make_roots(base):
    roots = Roots(base / "data", base / "scratch")
    for root in roots:
        root.mkdir()
    return roots
