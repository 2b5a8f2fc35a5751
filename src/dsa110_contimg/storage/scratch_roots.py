"""The data root, the scratch root, and the paths that are the same below both."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import xxhash

from dsa110_contimg.errors import NamingError, StagingError, UsageError
from dsa110_contimg.naming import SCRATCH_RECORDS_NAME, StagingStep, parse_staging_name, staging_name
from dsa110_contimg.storage.trees import is_within

DEFAULT_SCRATCH_ROOT = Path("/scratch/dsa110-contimg")


class Roots(NamedTuple):
    """Where data are kept, and the fast disk on which they are worked on."""

    data: Path
    scratch: Path

    @property
    def records(self) -> Path:
        """The directory that says what is staged."""
        return self.scratch / SCRATCH_RECORDS_NAME

    def place(self, given: str | os.PathLike[str]) -> Place:
        """Find what an operator names: a path below the roots, or below one of them in full.

        Raises
        ------
        UsageError
            It leads out of the roots, is a root itself, or is one of our own records.
        """
        text = os.fspath(given)
        if text.startswith("/"):
            text = self._relative(text)
        parts = [part for part in text.split("/") if part not in {"", "."}]
        if ".." in parts or "\0" in text:
            raise UsageError("leads out of the root with '..'", path=text, remedy="give a path below the root")
        if not parts:
            raise UsageError("names a root itself", path=os.fspath(given), remedy="name what is below it")
        if any(_is_ours(part) for part in parts):
            raise UsageError("is a record of ours", path=text, remedy="name a product")
        place = Place(self, "/".join(parts))
        for root, path in ((self.data, place.data), (self.scratch, place.scratch)):
            _require_inside(root, path)
        return place

    def _relative(self, text: str) -> str:
        if ".." not in text.split("/"):
            text = os.path.normpath(text)
        for root in self:
            for form in (os.path.abspath(root), os.path.realpath(root)):
                if is_within(text, form):
                    return text.removeprefix(form)
        raise UsageError(
            f"is outside of the roots {self.data} and {self.scratch}", path=text, remedy="give a path below a root"
        )


class Place(NamedTuple):
    """A product, by its path below both roots."""

    roots: Roots
    path: str

    @property
    def data(self) -> Path:
        """Where it is archived."""
        return self.roots.data / self.path

    @property
    def scratch(self) -> Path:
        """Where its staged copy is."""
        return self.roots.scratch / self.path

    @property
    def key(self) -> str:
        """A short name for it, as records and hidden entries have: 16 hexadecimal digits."""
        return xxhash.xxh3_64(os.fsencode(self.path)).hexdigest()

    @property
    def ancestors(self) -> list[str]:
        """The directories that it is in below the roots, outermost first."""
        parts = self.path.split("/")
        return ["/".join(parts[:n]) for n in range(1, len(parts))]

    def hidden(self, final: Path, step: StagingStep) -> Path:
        """Name a hidden entry beside one of its two places."""
        return final.with_name(staging_name(step, self.key))


def require_roots(roots: Roots) -> None:
    """Refuse roots of no use: the data root is missing, or one is inside the other.

    Raises
    ------
    StagingError
        The data root is not there.
    UsageError
        They are not apart.
    """
    if not roots.data.is_dir():
        raise StagingError(
            "the data root is not there", path=roots.data, remedy="mount or make it, or set scratch.data_root"
        )
    data, scratch = os.path.realpath(roots.data), os.path.realpath(roots.scratch)
    if is_within(data, scratch) or is_within(scratch, data):
        raise UsageError(
            f"the scratch root {scratch} and the data root {data} are not apart",
            remedy="set paths.scratch and scratch.data_root to directories of which neither is in the other",
        )


def make_scratch_root(roots: Roots) -> None:
    """Make the scratch root if only that is missing: its directory may be where a disk is to be mounted.

    Raises
    ------
    StagingError
        It is not there, nor can it be made.
    """
    if not roots.scratch.is_dir():
        try:
            roots.scratch.mkdir(exist_ok=True)
        except OSError as error:
            raise StagingError(
                f"the scratch root is not there, nor can it be made ({error.strerror})",
                path=roots.scratch,
                remedy="mount or make it, or set paths.scratch",
            ) from error


def _is_ours(part: str) -> bool:
    if part == SCRATCH_RECORDS_NAME:
        return True
    try:
        parse_staging_name(part)
    except NamingError:
        return False
    return True


def _require_inside(root: Path, path: Path) -> None:
    """Refuse a path that links lead out of its root, and one that is itself a link."""
    if path.is_symlink():
        raise UsageError(
            f"is a symbolic link to {path.readlink()}", path=path, remedy="name what it leads to, below the root"
        )
    parent = os.path.realpath(path.parent)
    if not is_within(parent, os.path.realpath(root)):
        raise UsageError(f"leads out of the root, to {parent}", path=path, remedy="give a path below the root")
