"""Retired: importing this, or anything below it, raises an error that names the new place."""

raise ImportError(
    "dsa110_contimg.core.conversion is retired: import dsa110_contimg.conversion instead",
    name=__name__,
    path=__file__,
)
