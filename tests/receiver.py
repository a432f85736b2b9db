"""A merchant's server that takes webhooks, on loopback; a test says how it behaves."""

import base64
import contextlib
import hashlib
import hmac
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.clock import PATIENCE_SECONDS

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
"""The secret of merchants who verify what arrives."""


@dataclass
class Request:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Receiver:
    """What has arrived, and what is answered; both may change while it runs.

    ``statuses`` are answered one after the other, the last one again and again.
    """

    def __init__(self) -> None:
        self.url = ""
        self.port = 0
        self.requests: list[Request] = []
        self.asked_names: list[str | None] = []
        self.arrived = threading.Event()
        self.release = threading.Event()
        self.statuses = [200]
        self.headers: dict[str, str] = {}
        self.answer: Callable[[BaseHTTPRequestHandler], None] = self._plain_answer

    def answer_with(self, *statuses: int, **headers: str) -> None:
        """Answer with these statuses from now on."""
        self.statuses = list(statuses)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = self._plain_answer

    def answer_when_released(self) -> None:
        """Let each request wait until ``release`` is set."""

        def late(handler: BaseHTTPRequestHandler) -> None:
            self.release.wait(PATIENCE_SECONDS)
            self._plain_answer(handler)

        self.answer = late

    def _plain_answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    @property
    def bodies(self) -> list[Any]:
        """What the requests have said."""
        return [request.json for request in self.requests]


@contextlib.contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a merchant's server until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def _receive(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = dict(self.headers.items())
            receiver.requests.append(Request(self.command, self.path, headers, body))
            receiver.arrived.set()
            with contextlib.suppress(OSError):  # the client had enough
                receiver.answer(self)

        do_POST = do_PUT = do_GET = _receive  # noqa: N815 - http.server wants it so

        def log_message(self, *_args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> Any:
            connection, address = super().get_request()
            connection.settimeout(PATIENCE_SECONDS)
            return connection, address

        def finish_request(self, request: Any, client_address: Any) -> None:
            # In the thread of the connection, where a handshake holds nobody up.
            if tls is not None:
                request = tls.wrap_socket(request, server_side=True)
            try:
                super().finish_request(request, client_address)
            finally:
                request.close()

        def handle_error(self, *_args: Any) -> None:
            pass  # a client that hangs up in the middle is what many tests are about

    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: receiver.asked_names.append(name)
    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{receiver.port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Authority:
    """A certificate authority of a test: what clients trust, and certificates for servers."""

    folder: Path

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        self._certificate = self._signed(self._name, self._key, authority=True)

    def trusted(self) -> ssl.SSLContext:
        """Make what a client uses that trusts this authority, and no other."""
        pem = self._certificate.public_bytes(Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def server(self, *names: str) -> ssl.SSLContext:
        """Make what a server uses that has a certificate for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        certificate = self._signed(subject, key, names=names)
        pem = self.folder / f"{names[0]}.pem"
        pem.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context

    def _signed(
        self, subject: x509.Name, key: Any, *, names: tuple[str, ...] = (), authority: bool = False
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            # Python 3.13 verifies strictly by RFC 5280, which asks for these three.
            .add_extension(_key_usage(authority=authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
            )
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def verified(request: Request, key: str = KEY) -> Any:
    """Verify a webhook by the words of the specification, and return its content."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    identifier, at = headers["webhook-id"], headers["webhook-timestamp"]
    secret = base64.b64decode(key.removeprefix("whsec_"))
    content = f"{identifier}.{at}.".encode() + request.body
    digest = hmac.new(secret, content, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    assert expected in headers["webhook-signature"].split(" ")
    return json.loads(request.body)
