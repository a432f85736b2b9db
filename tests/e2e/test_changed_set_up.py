"""What an operator changes in one process, another one goes by."""

from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

from jay.auth.guards import KEYS_CACHED_SECONDS
from jay.clock import system_clock
from tests.demo import flask_commands
from tests.e2e.actors import http_client
from tests.e2e.service import Service

TRIES = 8
"""Enough to meet each of the two workers, most likely; in any case none may answer otherwise."""


def test_a_running_service_follows_within_seconds(moved_service: Service, tmp_path: Path) -> None:
    signing_key = ECKey.generate_key("P-256")
    pem = tmp_path / "key.pem"
    pem.write_bytes(signing_key.as_pem(private=False))
    api_key = moved_service.add_partner("changed", "--public-key", str(pem), "--kiosk")
    claims = {"sub": "alice", "exp": int(system_clock().timestamp()) + 3600}
    token = jwt.encode({"alg": "ES256"}, claims, signing_key)
    http = http_client()
    headers = {"X-API-Key": api_key, "Authorization": f"Bearer {token}", "Connection": "close"}

    def answers(path: str = "/v2/baskets/users/alice") -> set[int]:
        return {
            http.request("GET", moved_service.url + path, headers=headers).status
            for _ in range(TRIES)
        }

    def operator(*words: str) -> None:
        flask_commands(moved_service.environ, words)

    assert answers() == {200}

    operator("partner", "change", "changed", "--issuer", "https://other.example")
    moved_service.move_clock(KEYS_CACHED_SECONDS)
    assert answers() == {401}

    operator("partner", "change", "changed", "--no-issuer")
    moved_service.move_clock(2 * KEYS_CACHED_SECONDS)
    assert answers() == {200}

    operator("partner", "remove", "changed", "--yes")
    moved_service.move_clock(3 * KEYS_CACHED_SECONDS)
    assert answers() == {401}
    assert answers("/kiosk/changed") == {404}
