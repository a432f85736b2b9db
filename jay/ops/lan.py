"""The address of this machine in its network, at which a phone on the same Wi-Fi reaches it."""

import socket
import sys

# TEST-NET-1 (RFC 5737): nobody has it, so the way there is the way to any network.
_ELSEWHERE = ("192.0.2.1", 9)


def lan_address() -> str | None:
    """Return the IPv4 address from which this machine would go to another one; None without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)  # chooses an interface, and sends nothing
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith(("127.", "0.")) else address


def main() -> None:
    """Print the address for ``make run LAN=1``."""
    address = lan_address()
    if address is None:
        sys.exit("This machine is in no network, so no phone can reach it: leave LAN=1 out.")
    sys.stdout.write(address + "\n")


if __name__ == "__main__":
    main()
