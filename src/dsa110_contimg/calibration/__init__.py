"""Solving for the antennas' gains on a calibrator, judging and keeping what was found, and applying it."""
