"""What PostgreSQL needs: a limit to every wait, also for a server that has stopped to answer.

The server's own timeouts are of no use then, and its machine goes on to acknowledge what we send.
"""

from ipaddress import ip_address
from typing import Any

import psycopg
from psycopg import errors

from jay.net import names

HANG_SECONDS = 12.0
"""For an answer: the server itself gives a statement up before."""

BATCH_SECONDS = 60.0
"""For the answers to many statements that were sent at once."""


class WrongEncoding(psycopg.OperationalError):
    """The database can't hold every name: it was made with another encoding than UTF-8."""

    def __init__(self, encoding: str) -> None:
        self.told = f"its encoding is {encoding}: it has to be made with ENCODING 'UTF8'"
        super().__init__(self.told)


class NotAnswered(psycopg.OperationalError):
    """The server has not answered in time, or its host is not found in time."""


class ImpatientConnection(psycopg.Connection[Any]):
    """Is closed when an answer does not come.

    :ivar single: a cursor for statements whose results are read before the next one: to make
        another one for each costs a fifth of it.
    """

    single: "psycopg.Cursor[Any]"

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Do what ``psycopg.Connection`` does, for a limited time.

        :raises NotAnswered: whether it has done what was asked is not known.
        """
        if timeout is None:
            timeout = HANG_SECONDS if self._pipeline is None else BATCH_SECONDS
        try:
            return super().wait(gen, interval, timeout)
        except errors._WaitTimeout:
            # What comes later would be taken for the answer to the next question.
            self.pgconn.finish()
            raise NotAnswered("the server has not answered in time") from None


def connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> ImpatientConnection:
    """Connect within limits, which the system's look-up of a host's name does not know."""
    given: dict[str, Any] = {**options, **_addresses(options)}
    try:
        connection = ImpatientConnection.connect(*arguments, **given)
    except errors.ConnectionTimeout as error:
        raise NotAnswered(str(error)) from error
    except OSError as error:  # of the driver's own: it needs a file to wait for the server
        raise psycopg.OperationalError(f"no connection can be made: {error.strerror}") from error
    # The server has said so by itself: it costs no round trip.
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        connection.close()
        raise WrongEncoding(encoding or "none")
    return connection


def prepare(connection: ImpatientConnection, _record: Any) -> None:
    """Give a new connection its cursor, which knows by then how JSON is read and written."""
    connection.single = connection.cursor()


def _addresses(options: dict[str, Any]) -> dict[str, str]:
    hosts = [host for host in str(options.get("host") or "").split(",") if host]
    if "hostaddr" in options or not any(_is_name(host) for host in hosts):
        return {}
    ports = str(options.get("port") or "").split(",")
    found: list[tuple[str, str, str]] = []
    for number, host in enumerate(hosts):
        port = ports[number] if len(ports) > 1 else ports[0]
        for address in _look_up(host) if _is_name(host) else [host]:
            found.append((host, address, port))
    # Sockets in the file system have no address; a list that holds one is left to the driver.
    if any(address.startswith("/") for _, address, _ in found):
        return {}
    columns = zip(("host", "hostaddr", "port"), zip(*found, strict=True), strict=True)
    return {name: ",".join(column) for name, column in columns if any(column)}


def _is_name(host: str) -> bool:
    if host.startswith(("/", "@")):
        return False
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return False


def _look_up(host: str) -> list[str]:
    try:
        found = names.look_up(host, None)
    except names.LookUpTimeout as error:
        raise NotAnswered(f"the host {host} was not found: {error}") from error
    except names.NoSuchName as error:
        raise psycopg.OperationalError(f"the host {host} was not found: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
