"""Addresses of buckets, as settings have them: ``s3://NAME/PREFIX?endpoint=...&region=...``."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?!\.)[A-Za-z0-9._-]+(/(?!\.)[A-Za-z0-9._-]+)*")
_REGION = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True)
class Bucket:
    """A bucket of a store that speaks S3.

    :ivar prefix: stands before the names of all files, without a slash at its end.
    :ivar endpoint: of a store that is not Amazon's, which is asked with the bucket in the path.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"


def bucket_of(address: str) -> Bucket:
    """Read the address of a bucket.

    :raises ValueError: it is not one; the message says why.
    """
    parts = urlsplit(address)
    told = dict(parse_qsl(parts.query, keep_blank_values=True))
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not _NAME.fullmatch(parts.netloc):
        raise ValueError("must name a bucket: s3://bucket/prefix?endpoint=https://...&region=...")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ValueError("the prefix may have letters, digits, and . _ - within its parts")
    if unknown := set(told) - {"endpoint", "region"}:
        raise ValueError(f"knows no {', '.join(sorted(unknown))}, only endpoint and region")
    endpoint, region = told.get("endpoint"), told.get("region", "us-east-1")
    if not _REGION.fullmatch(region):
        raise ValueError("region is a word such as eu-central-1")
    if endpoint is not None:
        host = urlsplit(endpoint)
        if host.scheme not in {"http", "https"} or not host.hostname or host.username or host.query:
            raise ValueError("endpoint is an http or https address without user name and query")
        endpoint = endpoint.rstrip("/")
    return Bucket(parts.netloc, prefix, endpoint, region)
