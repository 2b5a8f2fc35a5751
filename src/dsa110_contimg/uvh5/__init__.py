"""Subband files: their header, their visibilities, their checks."""
