"""What gunicorn itself would believe of a proxy, even of one that nobody trusts."""

from tests.e2e.actors import Caller
from tests.e2e.service import Service

LIES = [
    {"SCRIPT_NAME": "/code"},
    {"PATH_INFO": "/nowhere"},
    {"SCRIPT-NAME": "/code"},
    {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on", "X-Forwarded-Protocol": "ssl"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil", "Host": "evil.example"},
]


def test_headers_of_proxies_change_nothing(service: Service) -> None:
    anybody = Caller(service, "")

    def answers(headers: dict[str, str]) -> list[tuple[int, str | None]]:
        asked = [anybody.call("GET", path, headers=headers) for path in ("/code", "/v2", "/Code/")]
        return [(answer.status, answer.headers.get("Location")) for answer in asked]

    plain = answers({})

    assert plain == [(200, None), (308, f"{service.url}/v2/"), (302, "/code")]
    for headers in LIES:
        assert answers(headers) == plain, headers
