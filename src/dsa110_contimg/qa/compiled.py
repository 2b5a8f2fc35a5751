"""All kernels of the room, compiled at set-up, so that the first plots do not wait for it."""

from dsa110_contimg.qa import fast_plots_kernels


def compile_kernels() -> None:
    """Compile what counts samples."""
    fast_plots_kernels.compile_kernels()
