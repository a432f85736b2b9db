"""Partners' public keys: which ones are usable, and those at a JWKS URL of a tiny local server."""

import contextlib
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from jay.auth import jwks
from jay.auth.guest_keys import GuestKeys
from jay.auth.jwks import REFRESH_AFTER, RemoteKeySets
from jay.auth.tokens import CACHED_SECONDS, Tokens
from jay.errors import KeySetUnavailable, TokenSignatureInvalid
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.partners import keys as partner_keys
from jay.partners.keys import UnusableKey, algorithms_for, pem_key, public_keys
from tests.clock import NOON, PATIENCE_SECONDS, MovedClock
from tests.unit.makers import a_partner

RSA = rsa.generate_private_key(65537, 2048)
WEAK_RSA = rsa.generate_private_key(65537, 1024)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()


def public_pem(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: Any) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def ec_jwk(kid: str | None = None, *, private: bool = False, **more: Any) -> dict[str, Any]:
    return (
        ECKey.generate_key("P-256", {"kid": kid} if kid else None).as_dict(private=private) | more
    )


# --- PEM files


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [(RSA, ["RS256", "PS256"]), (P256, ["ES256"]), (ED25519, ["EdDSA"])],
    ids=["rsa", "p-256", "ed25519"],
)
def test_a_public_key_in_pem_is_read_and_names_its_algorithms(
    key: Any, algorithms: list[str]
) -> None:
    assert algorithms_for([pem_key(public_pem(key))]) == algorithms


@pytest.mark.parametrize("key", [RSA, P256, ED25519], ids=["rsa", "p-256", "ed25519"])
def test_a_private_key_in_pem_is_refused(key: Any) -> None:
    with pytest.raises(UnusableKey, match="private"):
        pem_key(private_pem(key))


@pytest.mark.filterwarnings("ignore:Key size should be")
@pytest.mark.parametrize("key", [WEAK_RSA, P384], ids=["rsa-1024", "p-384"])
def test_a_weak_or_unfitting_key_in_pem_is_refused(key: Any) -> None:
    with pytest.raises(UnusableKey, match="2048"):
        pem_key(public_pem(key))


@pytest.mark.parametrize(
    "pem", [b"", b"nonsense", b"\xff\x00", b"-----BEGIN PUBLIC KEY-----\nAAAA\n"]
)
def test_nonsense_is_no_pem(pem: bytes) -> None:
    with pytest.raises(UnusableKey):
        pem_key(pem)


# --- JWK sets


def test_a_set_and_a_single_key_are_read() -> None:
    one, other = ec_jwk("one"), ec_jwk("other")

    assert [key.kid for key in public_keys({"keys": [one, other]})] == ["one", "other"]
    assert [key.kid for key in public_keys(one)] == ["one"]


def test_keys_of_other_kinds_are_passed_over() -> None:
    found = public_keys(
        {
            "keys": [
                ec_jwk("for-encryption", use="enc"),
                {"kty": "future", "kid": "x"},
                {"kty": "EC"},
                "nonsense",
                None,
                ec_jwk("usable", use="sig"),
            ]
        }
    )

    assert [key.kid for key in found] == ["usable"]


@pytest.mark.parametrize(
    "document",
    [
        ec_jwk("a", private=True),
        {"keys": [ec_jwk("a"), ec_jwk("b", private=True)]},
        {"keys": [ec_jwk("a"), {"kty": "oct", "k": "c2VjcmV0"}]},
    ],
)
def test_a_private_or_symmetric_key_in_a_set_is_refused(document: Any) -> None:
    with pytest.raises(UnusableKey, match="private"):
        public_keys(document)


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_a_weak_rsa_key_in_a_set_is_refused() -> None:
    with pytest.raises(UnusableKey):
        public_keys({"keys": [RSAKey.import_key(public_pem(WEAK_RSA)).as_dict()]})


@pytest.mark.parametrize(
    "document", [None, [], "x", 1, {}, {"keys": {}}, {"keys": []}, {"keys": 1}]
)
def test_nonsense_is_no_key_set(document: Any) -> None:
    with pytest.raises(UnusableKey):
        public_keys(document)


def test_a_key_fits_the_algorithms_of_its_kind_only() -> None:
    keys = [pem_key(public_pem(RSA)), pem_key(public_pem(P256))]

    assert partner_keys.keys_for(keys, "RS256", None) == [keys[0]]
    assert partner_keys.keys_for(keys, "ES256", None) == [keys[1]]
    assert partner_keys.keys_for(keys, "EdDSA", None) == []


def test_a_key_that_names_its_algorithm_fits_no_other() -> None:
    keys = public_keys(RSAKey.import_key(public_pem(RSA)).as_dict() | {"alg": "RS256"})

    assert partner_keys.keys_for(keys, "RS256", None) == keys
    assert partner_keys.keys_for(keys, "PS256", None) == []


def test_a_key_without_an_id_fits_every_kid_and_one_with_an_id_only_its_own() -> None:
    named, nameless = public_keys({"keys": [ec_jwk("a"), ec_jwk()]})

    assert partner_keys.keys_for([named, nameless], "ES256", "a") == [named, nameless]
    assert partner_keys.keys_for([named, nameless], "ES256", "b") == [nameless]
    assert partner_keys.keys_for([named, nameless], "ES256", None) == [named, nameless]


# --- a JWKS URL


class KeyServer:
    """An identity provider's key set, on loopback; ``answer`` says how it behaves."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.asked = threading.Event()
        self.release = threading.Event()
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda _handler: None

    def serve(self, *keys: dict[str, Any]) -> None:
        """Answer with this key set from now on."""
        self.send(json.dumps({"keys": keys}).encode())

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer with this from now on."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.answer = answer

    def wait_first(self) -> None:
        """Let the present answer wait until ``release`` is set."""
        answer = self.answer

        def late(handler: BaseHTTPRequestHandler) -> None:
            self.release.wait(PATIENCE_SECONDS)
            answer(handler)

        self.answer = late


@pytest.fixture
def server() -> Iterator[KeyServer]:
    """A key server that runs as long as the test."""
    about = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            about.paths.append(self.path)
            about.asked.set()
            with contextlib.suppress(OSError):  # the client had enough
                about.answer(self)

        def log_message(self, *_args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    about.url = f"http://127.0.0.1:{httpd.server_port}/jwks.json"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield about
    about.release.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join()


class Remote:
    """The key sets as a process knows them, with a clock to move."""

    def __init__(self, server: KeyServer, **options: Any) -> None:
        self.url = server.url
        self.clock = MovedClock(NOON)
        self.sets = RemoteKeySets(Client(LOOPBACK), **{"insecure": True, **options})

    def keys(self, kid: str | None = None) -> list[Key]:
        return self.sets.keys(self.url, "ES256", kid, now=self.clock.now)

    def newer(self, tried: list[Key], kid: str | None = None) -> list[Key]:
        return self.sets.newer(self.url, "ES256", kid, tried=tried, now=self.clock.now)

    def kids(self, kid: str | None = None) -> list[str]:
        return [key.kid for key in self.keys(kid)]


@pytest.fixture
def remote(server: KeyServer) -> Remote:
    return Remote(server)


def test_a_key_set_is_loaded_once_and_then_known(server: KeyServer, remote: Remote) -> None:
    server.serve(ec_jwk("a"), ec_jwk("b"))

    assert [remote.kids("a"), remote.kids("b"), remote.kids("a")] == [["a"], ["b"], ["a"]]
    assert server.paths == ["/jwks.json"]


def test_an_unknown_kid_asks_again_but_at_most_once_a_minute(
    server: KeyServer, remote: Remote
) -> None:
    server.serve(ec_jwk("a"))
    remote.kids("a")
    server.serve(ec_jwk("a"), ec_jwk("b"))

    remote.clock.move(59.9)
    assert remote.kids("b") == []
    assert len(server.paths) == 1

    remote.clock.move(0.1)
    assert remote.kids("b") == ["b"]
    assert len(server.paths) == 2


def test_a_flood_of_unknown_kids_costs_one_request_a_minute(
    server: KeyServer, remote: Remote
) -> None:
    server.serve(ec_jwk("a"))
    remote.kids("a")
    remote.clock.move(60)

    for number in range(100):
        assert remote.kids(f"flood-{number}") == []

    assert len(server.paths) == 2


def test_a_withdrawn_key_is_noticed_within_five_minutes(server: KeyServer, remote: Remote) -> None:
    server.serve(ec_jwk("a"), ec_jwk("b"))
    remote.kids("a")
    server.serve(ec_jwk("b"))

    remote.clock.move(REFRESH_AFTER.total_seconds() - 1)
    assert remote.kids("a") == ["a"]

    remote.clock.move(1)
    assert remote.kids("a") == []


def test_a_verified_token_and_a_withdrawn_key_live_five_minutes_together() -> None:
    assert REFRESH_AFTER.total_seconds() + CACHED_SECONDS <= 300


def test_a_key_that_was_exchanged_under_its_name_is_found_once_a_minute(
    server: KeyServer, remote: Remote
) -> None:
    server.serve(ec_jwk("a"))
    (before,) = remote.keys("a")
    server.serve(ec_jwk("a"))

    remote.clock.move(59)
    assert remote.newer([before], "a") == []
    remote.clock.move(1)
    (after,) = remote.newer([before], "a")

    assert after.thumbprint() != before.thumbprint()
    # Who comes a moment later with the old one gets the new one, too.
    assert remote.newer([before], "a") == [after]
    assert remote.newer([after], "a") == []
    assert len(server.paths) == 2


@pytest.mark.parametrize("outage", ["500", "garbage", "no keys", "closed"])
def test_an_outage_keeps_the_known_keys(server: KeyServer, remote: Remote, outage: str) -> None:
    server.serve(ec_jwk("a"))
    remote.kids("a")
    if outage == "500":
        server.send(b"oops", status=500)
    elif outage == "garbage":
        server.send(b"{")
    elif outage == "no keys":
        server.serve()
    else:
        server.answer = lambda handler: handler.connection.close()

    remote.clock.move(7200)

    assert remote.kids("a") == ["a"]
    assert len(server.paths) == 2


def test_after_an_outage_new_keys_are_found_again(server: KeyServer, remote: Remote) -> None:
    server.serve(ec_jwk("a"))
    remote.kids("a")
    server.send(b"oops", status=503)
    remote.clock.move(60)
    assert remote.kids("b") == []
    server.serve(ec_jwk("b"))

    remote.clock.move(60)

    assert remote.kids("b") == ["b"]


def test_a_key_set_that_never_answered_is_unavailable_and_asked_once_a_minute(
    server: KeyServer, remote: Remote
) -> None:
    server.send(b"oops", status=500)

    for _ in range(3):
        with pytest.raises(KeySetUnavailable):
            remote.keys("a")
    assert len(server.paths) == 1

    server.serve(ec_jwk("a"))
    remote.clock.move(60)
    assert remote.kids("a") == ["a"]


def test_nobody_listening_is_unavailable(server: KeyServer, remote: Remote) -> None:
    remote.url = "http://127.0.0.1:1/jwks.json"

    with pytest.raises(KeySetUnavailable):
        remote.keys("a")


def in_parallel(count: int, work: Callable[[], Any]) -> tuple[list[threading.Thread], list[Any]]:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except KeySetUnavailable as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody give up who has to wait until the test goes on."""
    monkeypatch.setattr(jwks, "TOTAL_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(jwks, "CONNECT_SECONDS", PATIENCE_SECONDS)


class WatchedLock:
    """A lock that tells of everyone who comes to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._came = threading.Semaphore(0)

    def acquire(self, *, blocking: bool) -> bool:
        self._came.release()
        return self._lock.acquire(blocking=blocking)

    def release(self) -> None:
        self._lock.release()

    def wait_until_came(self, many: int) -> None:
        for _ in range(many):
            assert self._came.acquire(timeout=PATIENCE_SECONDS)


def test_who_comes_while_the_first_load_is_under_way_waits_for_it(
    patient: None, server: KeyServer
) -> None:
    server.serve(ec_jwk("a"))
    server.wait_first()
    remote, door = Remote(server), WatchedLock()
    remote.sets._sets[remote.url] = jwks._Cached(lock=door)  # type: ignore[arg-type]
    first, results = in_parallel(1, lambda: remote.kids("a"))
    assert server.asked.wait(PATIENCE_SECONDS)

    late, late_results = in_parallel(4, lambda: remote.kids("a"))
    door.wait_until_came(5)
    server.release.set()
    for thread in [*first, *late]:
        thread.join()

    assert results == [["a"]]
    assert late_results == [["a"]] * 4
    assert len(server.paths) == 1


def test_who_has_a_known_key_does_not_wait_for_a_refresh(patient: None, server: KeyServer) -> None:
    remote = Remote(server)
    server.serve(ec_jwk("a"))
    remote.kids("a")
    server.wait_first()
    server.asked.clear()
    remote.clock.move(3600)
    (waiting,), refreshed = in_parallel(1, lambda: remote.kids("unknown"))
    assert server.asked.wait(PATIENCE_SECONDS)

    assert remote.kids("a") == ["a"]
    assert refreshed == []  # the server has not answered yet

    server.release.set()
    waiting.join()
    assert refreshed == [[]]


def test_a_server_that_is_silent_times_out(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "TOTAL_SECONDS", 0.2)
    server.serve(ec_jwk("a"))
    server.wait_first()
    remote = Remote(server)

    # Its answer would be good, but it waits until the test is over.
    with pytest.raises(KeySetUnavailable):
        remote.keys("a")


def test_a_server_that_drips_times_out(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "TOTAL_SECONDS", 0.2)
    body = json.dumps({"keys": [ec_jwk("a")]}).encode().ljust(2000)
    whole = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for start in range(0, len(body), 50):
            handler.wfile.write(body[start : start + 50])
            if server.release.wait(0.05):
                return
        whole.set()

    server.answer = drip
    remote = Remote(server)

    with pytest.raises(KeySetUnavailable):
        remote.keys("a")

    assert not whole.is_set()


def test_the_real_patience_is_a_few_seconds(real_patience: None) -> None:
    assert jwks.CONNECT_SECONDS <= jwks.TOTAL_SECONDS <= 5


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: KeyServer, remote: Remote, status: int) -> None:
    body = json.dumps({"keys": [ec_jwk("a")]}).encode()
    server.send(body, status=status, Location="/elsewhere.json")

    with pytest.raises(KeySetUnavailable):
        remote.keys("a")

    assert server.paths == ["/jwks.json"]


@pytest.mark.parametrize("status", [201, 204, 206, 404])
def test_only_a_plain_success_counts(server: KeyServer, remote: Remote, status: int) -> None:
    server.send(json.dumps({"keys": [ec_jwk("a")]}).encode(), status=status)

    with pytest.raises(KeySetUnavailable):
        remote.keys("a")


def test_an_oversized_answer_is_refused(server: KeyServer, remote: Remote) -> None:
    server.send(json.dumps({"keys": [ec_jwk("a")]}).encode().ljust(jwks.MAX_BYTES + 1))

    with pytest.raises(KeySetUnavailable):
        remote.keys("a")


def test_the_largest_answer_is_taken(server: KeyServer, remote: Remote) -> None:
    server.send(json.dumps({"keys": [ec_jwk("a")]}).encode().ljust(jwks.MAX_BYTES))

    assert remote.kids("a") == ["a"]


def test_an_answer_that_unpacks_to_more_is_refused(server: KeyServer, remote: Remote) -> None:
    packed = gzip.compress(json.dumps({"keys": [ec_jwk("a")]}).encode().ljust(20 * 1024 * 1024))
    assert len(packed) < jwks.MAX_BYTES
    server.send(packed, Content_Encoding="gzip")

    with pytest.raises(KeySetUnavailable):
        remote.keys("a")


def test_a_packed_and_a_chunked_answer_are_understood(server: KeyServer, remote: Remote) -> None:
    packed = gzip.compress(json.dumps({"keys": [ec_jwk("a")]}).encode())

    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(packed), 40):
            part = packed[start : start + 40]
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    server.answer = chunked

    assert remote.kids("a") == ["a"]


def test_plain_http_is_refused_unless_allowed(server: KeyServer) -> None:
    server.serve(ec_jwk("a"))

    with pytest.raises(KeySetUnavailable):
        Remote(server, insecure=False).keys("a")

    assert server.paths == []


@pytest.mark.parametrize("kind", ["private", "symmetric"])
def test_a_served_private_key_makes_the_set_unusable(
    server: KeyServer, remote: Remote, kind: str
) -> None:
    secret = ec_jwk("b", private=True) if kind == "private" else {"kty": "oct", "k": "c2VjcmV0"}
    server.serve(ec_jwk("a"), secret)

    with pytest.raises(KeySetUnavailable):
        remote.keys("a")


def test_key_sets_of_two_urls_are_kept_apart(server: KeyServer, remote: Remote) -> None:
    server.serve(ec_jwk("a"))
    remote.kids("a")
    server.serve(ec_jwk("b"))
    remote.url += "?of=another"

    assert remote.kids("a") == []
    assert remote.kids("b") == ["b"]


def test_a_key_set_on_a_private_address_is_not_asked_for(server: KeyServer) -> None:
    remote = Remote(server)
    remote.sets = RemoteKeySets(Client(()), insecure=True)
    server.serve(ec_jwk("a"))

    with pytest.raises(KeySetUnavailable):
        remote.keys("a")
    assert server.paths == []


def signed(key: ECKey, remote: Remote) -> str:
    """Make a partner's token for a user."""
    claims = {"sub": "alice", "exp": int(remote.clock.now.timestamp()) + 600}
    return jwt.encode({"alg": "ES256", "kid": "a"}, claims, key)


@pytest.mark.parametrize("kid", ["a", None])
def test_a_provider_that_exchanges_its_key_locks_nobody_out(
    server: KeyServer, remote: Remote, kid: str | None
) -> None:
    old, new, strange = (ECKey.generate_key("P-256", {"kid": kid} if kid else None) for _ in "ons")
    tokens = Tokens(cast("GuestKeys", None), remote.sets, remote.clock, "secret")
    partner = a_partner(jwks_url=remote.url, algorithms=("ES256",))
    server.serve(old.as_dict(private=False))
    assert tokens.verify(signed(old, remote), partner, now=remote.clock.now).user_id == "alice"

    server.serve(new.as_dict(private=False))
    remote.clock.move(60)

    assert tokens.verify(signed(new, remote), partner, now=remote.clock.now).user_id == "alice"
    for key in (old, strange):
        with pytest.raises(TokenSignatureInvalid):
            tokens.verify(signed(key, remote), partner, now=remote.clock.now)
    assert len(server.paths) == 2
