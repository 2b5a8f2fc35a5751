"""The console script: the command line, or what can be said where its libraries are missing."""

import sys


def main() -> None:
    """Run the command line.

    Where a library that it is made with is missing or broken, ``doctor`` still runs, and all else says so in a line.
    """
    try:
        from dsa110_contimg.cli.app import main as run
    except ImportError as error:
        sys.exit(_without_libraries(sys.argv[1:], error))
    run()


def _without_libraries(arguments: list[str], error: ImportError) -> int:
    if "doctor" in arguments:
        from dsa110_contimg.cli.doctor_report import report

        return report(None, as_json="--json" in arguments)
    sys.stderr.write(f"error: dsa110-contimg cannot start: {error}. Type: dsa110-contimg doctor\n")
    return 1


if __name__ == "__main__":
    main()
