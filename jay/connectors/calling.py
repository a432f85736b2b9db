"""One call of a shop's API: JSON in, JSON out, and what its answers mean in words."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from jay.clock import system_clock
from jay.connectors.interface import UNSURE_FOR, Problem
from jay.net.addresses import Unreachable
from jay.net.client import Client, Limits
from jay.net.waits import retry_after

LIMITS = Limits(connect=3.0, read=10.0, total=12.0, most=5_000_000)

SECONDS = 45.0
"""What a hand-over may take as a whole: less than the lease of its message, a minute. Else another
process would look for the order, not find it yet, and make it a second time."""


class Calls:
    """The calls of one piece of work, which together last no longer than they may.

    :param seconds: from now on.
    """

    def __init__(self, client: Client, seconds: float = SECONDS) -> None:
        self._client = client
        self._end = time.monotonic() + seconds

    def call(
        self, method: str, url: str, *, headers: Mapping[str, str], body: Any = None
    ) -> tuple[Any, Mapping[str, str]]:
        """Call an API, and return what it answers, with its headers.

        :raises Problem: anything but success.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise Problem("the shop is too slow", hold=True)
        given = {"Accept": "application/json", **headers}
        if body is not None:
            given["Content-Type"] = "application/json"
        try:
            with self._client.exchange(
                method,
                url,
                headers=given,
                body=None if body is None else orjson.dumps(body),
                limits=replace(LIMITS, total=min(LIMITS.total, left)),
            ) as answer:
                text = answer.read()
                status, told = answer.status, answer.headers
        except Unreachable as error:
            # It may have been done all the same.
            raise Problem(str(error), hold=True, wait=UNSURE_FOR) from error
        return _meaning(status, told, text), told


def _meaning(status: int, told: Mapping[str, str], text: bytes) -> Any:
    if status in {429, 503}:
        wait = retry_after(told.get("Retry-After"), system_clock())
        if status == 503:
            wait = max(wait or UNSURE_FOR, UNSURE_FOR)
        raise Problem(f"the shop answered {status}", hold=True, wait=wait)
    if status in {401, 403}:
        raise Problem(f"the shop refuses the credentials ({status})", hold=True)
    read = _read(text)
    if not 200 <= status < 300:
        code = read.get("code") if isinstance(read, dict) else None
        told_code = f": {code}" if isinstance(code, str) and code.isidentifier() else ""
        unsure = UNSURE_FOR if status >= 500 else None
        raise Problem(f"the shop answered {status}{told_code}", wait=unsure)
    if read is None:
        raise Problem("the shop answered with something else than JSON", wait=UNSURE_FOR)
    return read


def _read(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
