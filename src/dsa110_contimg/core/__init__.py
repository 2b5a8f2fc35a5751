"""Retired. What was ``dsa110_contimg.core.conversion`` is `dsa110_contimg.conversion`."""
