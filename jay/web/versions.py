"""The dated versions of each API, and which one a request gets.

Business code never sees a version: a version is a set of small translations at the edge. What is
publicly known of 2025-07-21 against 2025-09-15 is no difference in shape, so there is none yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jay.errors import VersionUnknown

RESPONSE_HEADER = "X-API-Version"
# Prose and examples of the public text disagree; the first one wins (contract, README table).
REQUEST_HEADERS = ("X-API-Version", "x-jay-api-version")
_ASKED_BY = tuple("HTTP_" + name.upper().replace("-", "_") for name in REQUEST_HEADERS)


@dataclass(frozen=True)
class Api:
    """One published API: its title, its base path and its dated versions, newest first."""

    name: str
    title: str
    prefix: str
    versions: tuple[str, ...]
    max_body: int
    """Bytes of the largest body that it takes."""

    @property
    def newest(self) -> str:
        """The version that a request without a version header gets."""
        return self.versions[0]

    def version_for(self, environ: Mapping[str, Any]) -> str:
        """Return the version that a request asks for, by its WSGI environment.

        :raises VersionUnknown: the asked version is not one of ``versions``.
        """
        for header in _ASKED_BY:
            asked: str | None = environ.get(header)
            if asked is not None:
                if asked in self.versions:
                    return asked
                raise VersionUnknown(details={"supported": list(self.versions)})
        return self.newest


BASKET_API = Api("basket", "Jay Basket API", "/v2", ("2025-09-15", "2025-07-21"), 64 * 1024)
PRODUCT_API = Api("product", "Jay Product Data API", "/v1", ("2025-07-09",), 1024 * 1024)
APIS = (BASKET_API, PRODUCT_API)


def api_of_path(path: str) -> Api | None:
    """Return the API that a request path belongs to, None for pages and files."""
    for api in APIS:
        if path == api.prefix or path.startswith(api.prefix + "/"):
            return api
    return None
