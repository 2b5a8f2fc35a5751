"""``python -m dsa110_contimg.cli``: the command line where the package is not installed."""

from dsa110_contimg.cli.app import main

main()
