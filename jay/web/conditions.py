"""Entity tags in conditions, also as proxies change them (RFC 9110 section 8.8.3).

A proxy that compresses an answer makes its tag weak, or hangs the coding on it: it is another body
then. What a client sends back names the same state of the basket, and that is what is asked for.
"""

import re
from typing import Any

from flask import request
from werkzeug.datastructures import ETags

# nginx: W/"x". Apache: "x-gzip", "x-br"; Jetty and others: "x--gzip", "x;gzip".
_CODED = re.compile(r"(?P<tag>.*?)(?:--?|;)(?:gzip|x-gzip|deflate|br|brotli|zstd|compress)")


def named(tags: ETags) -> frozenset[str]:
    """Return the states that tags name, ``*`` alone for any.

    Weak tags count: of one state there is one body, but for its coding.
    """
    if tags.star_tag:
        return frozenset({"*"})
    # Werkzeug reads the empty tag as None; no state has it, nor a star in quotes.
    found = {_plain(tag) for tag in tags.as_set(include_weak=True) if tag}
    return frozenset(found - {"", "*"})


def without_codings() -> dict[str, Any]:
    """Return the request's environment with the tags of ``If-None-Match`` as they were sent out."""
    tags = named(request.if_none_match)
    if "*" in tags:
        return request.environ
    written = ", ".join(f'"{tag}"' for tag in sorted(tags))
    return {**request.environ, "HTTP_IF_NONE_MATCH": written}


def _plain(tag: str) -> str:
    coded = _CODED.fullmatch(tag)
    return tag if coded is None else coded["tag"]
