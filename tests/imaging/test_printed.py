import ctypes
import logging
import os
import sys
import threading

from dsa110_contimg.imaging.printed import printed_lines

log = logging.getLogger("dsa110_contimg.test")


def test_what_is_printed_is_logged_instead(capfd, caplog):
    sys.stdout.write("before\n")
    with caplog.at_level(logging.DEBUG), printed_lines(log):
        sys.stdout.write("from Python\n")
        os.write(1, b"from the system\n")
        ctypes.CDLL(None).puts(b"from C")
        thread = threading.Thread(target=os.write, args=(1, "aus einem Fäden\n".encode("latin-1")))
        thread.start()
        thread.join()
    sys.stdout.write("after\n")
    assert capfd.readouterr().out == "before\nafter\n"
    assert {"from Python", "from the system", "from C"} <= set(caplog.messages)
    assert any(line.startswith("aus einem F") for line in caplog.messages)


def test_an_error_passes_and_the_output_is_back(capfd, caplog):
    class OwnError(Exception):
        pass

    try:
        with caplog.at_level(logging.INFO), printed_lines(log, logging.INFO):
            sys.stdout.write("said\n")
            raise OwnError
    except OwnError:
        sys.stdout.write("caught\n")
    assert capfd.readouterr().out == "caught\n"
    assert caplog.messages == ["said"]
