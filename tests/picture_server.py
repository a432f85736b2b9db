"""A merchant's picture server, on loopback: it serves what a test puts there, and odd things."""

import contextlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from jay.pictures.models import Reason
from tests import photos
from tests.receiver import Receiver, receiving

Answer = Callable[[BaseHTTPRequestHandler], None]


class PictureServer:
    """What is at which path, and what was asked for."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.origin = f"http://127.0.0.1:{receiver.port}"
        self.pictures: dict[str, bytes | Answer] = {}
        receiver.answer = self._answer

    def put(self, path: str, content: bytes | Answer) -> str:
        """Put something at a path; return its address."""
        self.pictures[path] = content
        return self.origin + path

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for."""
        return [request.path for request in self._receiver.requests]

    def forget(self) -> None:
        """Forget what was asked for."""
        self._receiver.requests.clear()

    def header(self, name: str) -> str | None:
        """Return a header of the last request."""
        return self._receiver.requests[-1].headers.get(name)

    def wait(self) -> None:
        """Wait as long as the test goes on."""
        self._receiver.release.wait()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        content = self.pictures.get(urlsplit(handler.path).path)
        if callable(content):
            content(handler)
        elif content is None:
            send(handler, b"nothing here", 404)
        else:
            tag = f'"{hash(content)}"'
            if handler.headers.get("If-None-Match") == tag:
                send(handler, b"", 304)
            else:
                send(handler, content, ETag=tag, Content_Type="text/plain")


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Answer with a body whose length is told."""
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def cut_off(content: bytes) -> Answer:
    """Say that all of it comes, and send half."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Send without an end, as long as anybody listens."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"\xff\xd8\xff" + bytes(1 << 20))


def leading_to(url: str) -> Answer:
    """Redirect to another address."""
    return lambda handler: send(handler, b"", 302, Location=url)


def odd_kinds(server: PictureServer) -> dict[str, tuple[str, Reason | None]]:
    """Put all kinds of odd pictures there; return the address of each, and why it is not shown."""
    whole = photos.jpeg(400, 400)
    kinds: dict[str, tuple[bytes | Answer, Reason | None]] = {
        "huge": (photos.saved(photos.halves((7_000, 5_000)), "JPEG"), None),
        "cmyk": (photos.cmyk(), None),
        "animated": (photos.animated(), None),
        "turned": (photos.turned(), None),
        "broken": (b"\xff\xd8\xff" + bytes(300), Reason.BROKEN),
        "cut-off": (cut_off(whole), Reason.CUT_OFF),
        "lying": (lambda handler: send(handler, whole, Content_Type="text/html"), None),
        "slow": (lambda _handler: server.wait(), Reason.TOO_SLOW),
        "endless": (endless, Reason.TOO_LARGE),
        "redirect": (leading_to("http://192.168.0.1/a.jpg"), Reason.ADDRESS_REFUSED),
        "script": (photos.SVG, Reason.SVG),
        "bomb": (photos.bomb(6_000, 9_000), Reason.TOO_MANY_PIXELS),
        "page": (photos.HTML, Reason.WEB_PAGE),
        "denied": (lambda handler: send(handler, b"", 403), Reason.DENIED),
    }
    there = {name: (server.put(f"/{name}", what), why) for name, (what, why) in kinds.items()}
    nowhere = {
        "gone": (f"{server.origin}/gone", Reason.NOT_FOUND),
        "private": ("http://10.0.0.1/private", Reason.ADDRESS_REFUSED),
    }
    return {**there, **nowhere}


@contextlib.contextmanager
def serving_pictures() -> Iterator[PictureServer]:
    """Run a picture server until the block ends."""
    with receiving() as receiver:
        yield PictureServer(receiver)
