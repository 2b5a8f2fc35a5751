"""``python -m dsa110_contimg.cli``: the command line where the package is not installed."""

from dsa110_contimg.cli.entry import main

main()
