"""Visibilities in, images out."""
