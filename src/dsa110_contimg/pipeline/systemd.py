"""What a daemon tells systemd (sd_notify(3)); silent where there is none."""

import os
import socket


def notify(**fields: object) -> None:
    """Send ``READY=1``, ``WATCHDOG=1``, ``STATUS=...``."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    text = "\n".join(f"{key}={value}" for key, value in fields.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        try:
            out.sendto(text.encode(), address)
        except OSError:
            return  # systemd restarts a daemon that it does not hear from
