"""Continuum imaging for the DSA-110: subband files in, a calibrated sky out."""

__version__ = "0.1.0"
