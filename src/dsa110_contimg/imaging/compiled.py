"""All kernels of the room, compiled at set-up, so that the first image does not wait for it."""

from dsa110_contimg.imaging import averaging_kernels, outlier_kernels, prediction_kernels, weighting_kernels


def compile_kernels() -> None:
    """Compile what adds up integrations, weighs them, and takes outliers and models out of them."""
    for module in (averaging_kernels, weighting_kernels, outlier_kernels, prediction_kernels):
        module.compile_kernels()
