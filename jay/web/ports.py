"""Waiting for a port that another process has to let go of."""

import errno
import socket
import time
from collections.abc import Callable

from jay.config import ConfigError

PORT_SECONDS, PORT_PAUSE_SECONDS = 30.0, 0.1


def wait_until_free(address: tuple[str, int], tell: Callable[[str], None]) -> None:
    """Wait until nobody listens at an address any more, for half a minute at most.

    When a master was killed, its workers need a moment to notice and to let go of the port.

    :raises ConfigError: another program goes on to listen there.
    """
    end = time.monotonic() + PORT_SECONDS
    told = False
    while _is_taken(address):
        if time.monotonic() >= end:
            raise ConfigError(
                f"Cannot start: another program listens at {address[0]} port {address[1]};"
                f" end it, or choose another port, such as PORT={address[1] + 1}"
            )
        if not told:
            tell(f"{address[0]} port {address[1]} is in use: waiting for it")
            told = True
        time.sleep(PORT_PAUSE_SECONDS)


def _is_taken(address: tuple[str, int]) -> bool:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:  # what else is wrong with it gunicorn says itself
            return error.errno == errno.EADDRINUSE
    return False
