"""The paths of the settings: whether they can be used, what they are on, and how much room there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.config.mounts import mount_of
from dsa110_contimg.doctor import trials
from dsa110_contimg.doctor.findings import Finding, fail, ok, warn
from dsa110_contimg.storage.free_space import FreeSpace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_TRIAL_S = 10.0
_GB = 1e9

# Makes what is missing of a directory only to say whether that could be done: nothing stays.
_WRITE = """
import os, sys, tempfile
place = sys.argv[1]
while not os.path.exists(place):
    place = os.path.dirname(place)
with tempfile.TemporaryFile(dir=place) as file:
    file.write(b"x" * 4096)
    file.flush()
    os.fsync(file.fileno())
print(place)
"""
_READ = """
import os, sys
os.listdir(sys.argv[1])
print(sys.argv[1])
"""
# As uvh5 reads, and as a correlator, a simulation or pyuvdata writes.
_HDF5 = """
import os, sys, tempfile
import h5py
place = sys.argv[1]
while not os.path.exists(place):
    place = os.path.dirname(place)
with tempfile.TemporaryDirectory(dir=place) as made:
    with h5py.File(made + "/a.hdf5", "w") as file:
        file["x"] = [1, 2, 3]
    with h5py.File(made + "/a.hdf5", "r") as file:
        assert list(file["x"]) == [1, 2, 3]
print("a file written, locked and read")
"""


class Place(NamedTuple):
    """A path of the settings.

    Attributes
    ----------
    name : str
        Its key.
    path : Path
        Where it is.
    written : bool
        Whether we write there.
    """

    name: str
    path: Path
    written: bool


def look_at_places(places: Sequence[Place], reserve_gb: float, wait_s: float = _TRIAL_S) -> Iterator[Finding]:
    """Look at every path.

    Parameters
    ----------
    places : sequence of Place
        The paths.
    reserve_gb : float
        The free space that the stream keeps [GB].
    wait_s : float
        So long a path may take to answer [s]; one on a dead mount never does.
    """
    for place in places:
        if not place.written and not _is_there(place, wait_s):
            remedy = f"Make it, mount what belongs there, or set paths.{place.name} to another."
            yield warn(place.name, f"{place.path} is not there", remedy)
            continue
        trial = trials.python(_WRITE if place.written else _READ, str(place.path.absolute()), timeout_s=wait_s)
        if not trial.works:
            # Not looked at any further: whoever asks a dead mount waits for it.
            what = "written to" if place.written else "read"
            remedy = f"Mount it, make it, mend its permissions, or set paths.{place.name} to another."
            yield fail(place.name, f"{place.path} cannot be {what}: {trial.said}", remedy)
            continue
        yield from _look_at_mount(place)
        yield from _look_at_room(place, reserve_gb)
        if place.name in {"input", "scratch", "ms"} and place.written:
            yield from _look_at_locking(place)


def _is_there(place: Place, wait_s: float) -> bool:
    """Whether the path exists, or does not say."""
    code = "import os, sys; sys.exit(3 * (not os.path.lexists(sys.argv[1])))"
    return trials.python(code, str(place.path.absolute()), timeout_s=wait_s).said != "exit status 3"


def _look_at_mount(place: Place) -> Iterator[Finding]:
    mount = mount_of(place.path)
    said = f"{place.path} is on {mount.fstype} at {mount.point}"
    if not (mount.is_fuse or mount.is_network):
        yield ok(place.name, said)
    elif place.name == "state":
        yield fail(place.name, f"{said}: {mount.kind}", "The ledger needs a local disk: set paths.state to one.")
    elif place.written:
        harm = (
            "what is deleted while it is open stays as .fuse_hidden*"
            if mount.is_fuse
            else "locks are slow and may fail"
        )
        remedy = "Work on a local disk (paths.scratch, or convert --scratch) and archive to this one."
        yield warn(place.name, f"{said}: {mount.kind}, where {harm}", remedy)
    else:
        remedy = "New files are found by looking again and again: no event tells of them. Nothing need be done."
        yield warn(place.name, f"{said}: {mount.kind}", remedy)


def _look_at_room(place: Place, reserve_gb: float) -> Iterator[Finding]:
    if not place.written:
        return
    (space,) = FreeSpace().ask([place.path], _TRIAL_S)
    subject = f"{place.name} space"
    if space.free_bytes is None or space.total_bytes is None:
        yield fail(subject, space.problem, "Look at the disk (dmesg), or set another path.")
        return
    said = f"{space.free_bytes / _GB:.0f} GB free of {space.total_bytes / _GB:.0f} GB"
    if space.free_bytes < reserve_gb * _GB:
        remedy = "Make room (dsa110-contimg retention plan), or set a smaller stream.reserve_gb."
        yield fail(subject, f"{said}: the stream keeps {reserve_gb:g} GB free, and pauses", remedy)
    elif space.free_bytes < 2 * reserve_gb * _GB:
        yield warn(
            subject, f"{said}; the stream pauses at {reserve_gb:g} GB", "Make room: dsa110-contimg retention plan."
        )
    else:
        yield ok(subject, said)


def _look_at_locking(place: Place) -> Iterator[Finding]:
    subject, path = f"HDF5 in {place.name}", str(place.path.absolute())
    trial = trials.python(_HDF5, path, timeout_s=6 * _TRIAL_S)
    if trial.works:
        yield ok(subject, trial.said)
    elif trials.python(_HDF5, path, timeout_s=6 * _TRIAL_S, environment={"HDF5_USE_FILE_LOCKING": "FALSE"}).works:
        yield warn(subject, f"locks do not work: {trial.said}", "export HDF5_USE_FILE_LOCKING=FALSE")
    else:
        yield fail(subject, trial.said, "pip install --force-reinstall h5py with the constraints file.")
