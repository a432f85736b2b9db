"""JSON objects that say a name twice: parsers differ in which one counts (RFC 8259 section 4)."""

import json
from typing import Any


class SaidTwice(ValueError):
    """An object has the same name twice, so whoever wrote it may mean the other one."""


def check_names(document: bytes) -> None:
    """Check that no object of a valid JSON document says the same name twice.

    :raises SaidTwice: one does.
    :raises RecursionError: it is nested too deeply to tell.
    """
    _NAMES.decode(document.decode())


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        raise SaidTwice


# Numbers stay texts: nothing is told of them here.
_NAMES = json.JSONDecoder(object_pairs_hook=_refuse_repeated, parse_int=str, parse_float=str)
