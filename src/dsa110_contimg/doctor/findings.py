"""What the doctor says: one finding a line, each with its remedy."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes
    ----------
    subject : str
        What.
    level : Level
        Whether it serves, serves with care, or does not serve.
    said : str
        What was found.
    remedy : str
        What to do about it; empty if nothing.
    """

    subject: str
    level: Level
    said: str
    remedy: str = ""


def ok(subject: str, said: str) -> Finding:
    """Say that it serves."""
    return Finding(subject, Level.OK, said)


def warn(subject: str, said: str, remedy: str) -> Finding:
    """Say that it serves, with care."""
    return Finding(subject, Level.WARN, said, remedy)


def fail(subject: str, said: str, remedy: str) -> Finding:
    """Say that it does not serve."""
    return Finding(subject, Level.FAIL, said, remedy)
