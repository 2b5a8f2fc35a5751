"""Stages as a list, the job that runs them, executors, and the daemon."""
