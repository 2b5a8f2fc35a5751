"""Everything that this package raises on purpose.

Every error is a `ContimgError`, and most are also the error of the standard library that says the same, so that
``except FileNotFoundError`` works for those who know nothing of us. The tree::

    ContimgError
    ├── SettingsError            (ValueError)         a wrong key or value in the settings       exit 2
    ├── UsageError               (ValueError)         a wrong argument                           exit 2
    ├── NamingError              (ValueError)         a name that `naming` does not know
    ├── InputError                                    one bad input file; its slug is `outcome`
    │   ├── NotHDF5Error         (OSError)            not-hdf5
    │   ├── TruncatedFileError   (OSError)            truncated
    │   ├── UnreadableFileError  (OSError)            unreadable: permissions, I/O error, vanished
    │   ├── FileChangedError     (OSError)            changed-while-read
    │   ├── HeaderKeyError       (KeyError)           missing-header-key
    │   ├── HeaderValueError     (ValueError)         bad-header-value: polarizations, channels, shapes
    │   ├── BogusTimeError       (ValueError)         bogus-time: the time server failed
    │   ├── OffGridError         (ValueError)         off-grid: not on the frequency grid
    │   ├── AxesMismatchError    (ValueError)         mismatched-axes: unlike the majority of its group
    │   ├── DuplicateSubbandError (ValueError)        duplicate: two different files for one subband
    │   ├── ShortFileError       (ValueError)         short: fewer integrations than the majority
    │   ├── ZeroFilledError      (ValueError)         zero-filled: no data, lost packets only
    │   └── UnknownAntennaError  (LookupError)        unknown-antenna: a number without a station
    ├── NoGroupsError            (FileNotFoundError)  nothing to do where there should be
    ├── IncompleteGroupError     (ValueError)         fewer subbands than the minimum, or no majority
    ├── OutputError              (OSError)            a product cannot be written
    │   ├── OutputExistsError    (FileExistsError)    it is there already
    │   └── DiskFullError
    ├── MeasurementSetError      (OSError)            not a whole, valid Measurement Set
    ├── LedgerError                                   the ledger cannot be used, or says no
    │   ├── LedgerPlaceError     (OSError)            a file system on which SQLite is not safe
    │   │   └── LedgerFullError                       its disk is full
    │   ├── LedgerLockedError    (BlockingIOError)    another daemon owns it
    │   ├── UnknownGroupError    (LookupError)        no such group in it
    │   ├── GroupStateError      (ValueError)         the group's state does not allow this
    │   │   └── AttemptRunningError                   another attempt at it is running
    │   ├── StaleAttemptError    (ValueError)         the attempt is not, or no longer, the current one
    │   ├── UnknownCalibrationError (LookupError)     no such calibration set in it
    │   └── UnknownEpochError    (LookupError)        no such epoch in it
    ├── MissingToolError         (ImportError)        an optional tool is not installed
    ├── ToolError                (RuntimeError)       an optional tool cannot be installed, or failed
    ├── CalibrationError         (ValueError)         nothing can be solved, or gains do not fit the data
    │   └── NoCalibrationError   (LookupError)        no calibration set may be used for these data
    ├── ImagingError             (ValueError)         visibilities of which no image can be made
    ├── MosaicError              (ValueError)         images that cannot be joined
    ├── LightcurveError          (OSError)            the store of light curves, or an epoch's rows, cannot be used
    ├── ReferenceListError       (ValueError)         a strip's list of sources that cannot be used so
    │   └── NoReferenceListError (LookupError)        the strip has none
    ├── BeamFitError             (ValueError)         measurements to which no primary beam can be fitted
    ├── FlagVersionError         (LookupError)        no such version of the flags, or none that may be kept
    ├── SourceFindingError       (RuntimeError)       the sources of an image cannot be found
    ├── StagingError             (OSError)            a copy between data and scratch disk is refused, or fails
    │   ├── NotStagedError       (FileNotFoundError)  nothing is there to be copied or cleaned
    │   ├── TableLockedError     (BlockingIOError)    another process has a table of it locked, or open
    │   └── CopiesDifferError                         the two copies are not what they should be; says in what
    ├── RetentionError           (OSError)            something may not go, or cannot be removed
    └── FetchError               (ConnectionError)    a catalogue cannot be fetched from the network

A message is one line: what happened, to which file, and what to do about it.
"""

import os
from typing import ClassVar


def _sentence(text: str) -> str:
    """Begin with a capital letter, and end as a sentence does."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


class ContimgError(Exception):
    """The root of the tree.

    Parameters
    ----------
    message
        What happened, in a few words, without a full stop.
    path
        The file that it happened to, if there is one.
    remedy
        What to do about it, as a sentence.
    """

    def __init__(self, message: str, *, path: str | os.PathLike[str] | None = None, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.remedy = remedy

    def __str__(self) -> str:
        text = self.message if self.path is None else f"{self.message}: {os.fspath(self.path)}"
        if self.remedy is not None:
            text = f"{text.rstrip('.')}. {_sentence(self.remedy)}"
        return text.replace("\r", " ").replace("\n", " ")


class SettingsError(ContimgError, ValueError):
    """A wrong key or value in the settings."""


class UsageError(ContimgError, ValueError):
    """A wrong argument, from the command line or to a function."""


class NamingError(ContimgError, ValueError):
    """A name that `dsa110_contimg.naming` does not know."""


class InputError(ContimgError):
    """One bad input file. `outcome` is the short slug that logs, JSON and the ledger carry."""

    outcome: ClassVar[str] = "bad-input"


class NotHDF5Error(InputError, OSError):
    """The file is not HDF5."""

    outcome = "not-hdf5"


class TruncatedFileError(InputError, OSError):
    """The file ends before its data do."""

    outcome = "truncated"


class UnreadableFileError(InputError, OSError):
    """The file cannot be read: permissions, an I/O error, or it vanished."""

    outcome = "unreadable"


class FileChangedError(InputError, OSError):
    """The file changed while it was read."""

    outcome = "changed-while-read"


class HeaderKeyError(InputError, KeyError):
    """The header lacks a key."""

    outcome = "missing-header-key"


class HeaderValueError(InputError, ValueError):
    """The header has a value that cannot be: polarizations, number of channels, shapes."""

    outcome = "bad-header-value"


class BogusTimeError(InputError, ValueError):
    """The times cannot be right: the time server failed."""

    outcome = "bogus-time"


class OffGridError(InputError, ValueError):
    """The channels are not on the telescope's frequency grid."""

    outcome = "off-grid"


class AxesMismatchError(InputError, ValueError):
    """The (time, ant_1, ant_2) axes, the pointing or the delays differ from the majority of the group."""

    outcome = "mismatched-axes"


class DuplicateSubbandError(InputError, ValueError):
    """Two files with different data claim the same subband."""

    outcome = "duplicate"


class ShortFileError(InputError, ValueError):
    """The file has fewer integrations than the majority of its group."""

    outcome = "short"


class ZeroFilledError(InputError, ValueError):
    """The file has no data, only the zeros of lost packets."""

    outcome = "zero-filled"


class UnknownAntennaError(InputError, LookupError):
    """An antenna number without a station."""

    outcome = "unknown-antenna"


class NoGroupsError(ContimgError, FileNotFoundError):
    """There is nothing to do where there should be."""


class IncompleteGroupError(ContimgError, ValueError):
    """A group with fewer usable subbands than the minimum, or without a majority."""


class OutputError(ContimgError, OSError):
    """A product cannot be written."""


class OutputExistsError(OutputError, FileExistsError):
    """The product is there already."""


class DiskFullError(OutputError):
    """The disk is full."""


class MeasurementSetError(ContimgError, OSError):
    """Not a whole, valid Measurement Set."""


class LedgerError(ContimgError):
    """The ledger cannot be used, or says no."""


class LedgerPlaceError(LedgerError, OSError):
    """The ledger is where SQLite is not safe, or cannot be opened."""


class LedgerFullError(LedgerPlaceError):
    """The disk of the ledger is full; that may pass."""


class LedgerLockedError(LedgerError, BlockingIOError):
    """Another daemon owns the ledger."""


class UnknownGroupError(LedgerError, LookupError):
    """The ledger has no such group."""


class UnknownEpochError(LedgerError, LookupError):
    """The ledger has no such epoch."""


class GroupStateError(LedgerError, ValueError):
    """The state of the group does not allow this."""


class AttemptRunningError(GroupStateError):
    """Another attempt at the group is running."""


class StaleAttemptError(LedgerError, ValueError):
    """The attempt is not, or no longer, the group's current one: what it made must not be published."""


class UnknownCalibrationError(LedgerError, LookupError):
    """The ledger has no such calibration set."""


class MissingToolError(ContimgError, ImportError):  # type: ignore[misc]  # ImportError.path is a str
    """An optional library or program is not installed."""


class ToolError(ContimgError, RuntimeError):
    """An optional tool cannot be installed, or failed."""


class CalibrationError(ContimgError, ValueError):
    """Nothing can be solved, or the gains do not fit the data."""


class NoCalibrationError(CalibrationError, LookupError):
    """No calibration set may be used for these data: each was refused, and for what."""


class ImagingError(ContimgError, ValueError):
    """Visibilities of which no image can be made."""


class MosaicError(ContimgError, ValueError):
    """Images that cannot be joined."""


class LightcurveError(ContimgError, OSError):
    """The store of light curves cannot be used, or the measurements of an epoch cannot be taken into it."""


class ReferenceListError(ContimgError, ValueError):
    """The list of sources of a strip cannot be read, or not be used so."""


class NoReferenceListError(ReferenceListError, LookupError):
    """A strip has no list of sources that its images are measured with."""


class BeamFitError(ContimgError, ValueError):
    """Measurements to which no primary beam can be fitted."""


class FlagVersionError(ContimgError, LookupError):
    """There is no such version of a Measurement Set's flags, or one cannot be kept under such a name."""


class SourceFindingError(ContimgError, RuntimeError):
    """The sources of an image cannot be found."""


class RetentionError(ContimgError, OSError):
    """Something may not go, or cannot be removed."""


class FetchError(ContimgError, ConnectionError):
    """A catalogue cannot be fetched from the network."""


class StagingError(ContimgError, OSError):
    """A copy between data and scratch disk is refused, or fails."""


class NotStagedError(StagingError, FileNotFoundError):
    """Nothing is there to be copied or cleaned."""


class TableLockedError(StagingError, BlockingIOError):
    """Another process has a table of it locked, or open."""


class CopiesDifferError(StagingError):
    """The two copies are not what they should be for this; `differences` says in what, a line each."""

    differences: tuple[str, ...] = ()
