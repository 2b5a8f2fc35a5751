"""Scratch staging, atomic publishing, free space, and housekeeping."""
