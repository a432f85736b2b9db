"""What the threads of a worker do with a request that has arrived whole.

Plain requests are read by a few patterns, see ``jay.web.plain_http``; gunicorn's parser reads the
others. The application answers both alike.
"""

import io
import os
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers.base import Worker

from jay.web import body_files
from jay.web.connections import BUSY, LARGE_HEAD, MALFORMED, Connection, Outbox
from jay.web.plain_http import Answer, PlainHttp, PlainRequest, breaks_off
from jay.web.responses import EXPIRED, MAX_BODY_BYTES

EXPIRES_SECONDS = 5.0
"""A request that has waited that long for a thread is told to come again: nobody waits any more."""


class _NoRoom(Exception):
    """There is no file for a larger body, or no room for it on the disk."""


class Answering:
    """Runs the application of a worker on requests.

    :param forget_file: lets go of the file of a larger request.
    """

    def __init__(self, worker: Worker, forget_file: Callable[[Connection], None]) -> None:
        self._worker = worker
        self._cfg = worker.cfg
        self._plain = PlainHttp(worker.cfg)
        self._forget_file = forget_file

    def answer(self, connection: Connection, outbox: Outbox) -> bool:
        """Answer a request, and tell whether another one may follow."""
        if connection.file is None and isinstance(connection.client, tuple):
            plain = self._plain.read(connection.data, connection.framing)
            if plain is not None:
                return self._answer_plain(plain, connection, outbox)
        whole = connection.framing.whole
        pieces = body_files.in_pieces(connection.file, bytes(connection.data))
        unreader = IterUnreader(pieces)
        request = None
        try:
            request = Request(self._cfg, unreader, connection.client, connection.served + 1)
            body = self._body_of(request, connection)
            if body is None:  # before anything is done: nobody knows what the client meant
                outbox.pieces[:] = [MALFORMED]
                return False
            # Nothing can follow what is not whole.
            rest = unreader.take_buffered() + b"".join(pieces) if whole else b""
            connection.data = bytearray(rest)
            self._forget_file(connection)
            return self._run(request, body, connection, outbox) and whole
        except _NoRoom:
            outbox.pieces[:] = [BUSY]
            return False
        except (NoMoreData, StopIteration):
            # The parser wants more than there will be.
            if not whole:
                outbox.pieces[:] = [LARGE_HEAD]
            return False
        except Exception as error:  # noqa: BLE001 - it is answered and logged
            outbox.pieces.clear()
            self._worker.handle_error(request, outbox, connection.client, error)
            return False
        finally:
            self._forget_file(connection)

    def _answer_plain(self, request: PlainRequest, connection: Connection, outbox: Outbox) -> bool:
        try:
            del connection.data[: request.end]
            environ = self._plain.environ(request, outbox, connection.client, connection.server)
            answer = Answer(self._plain, request, outbox, close=self._count(environ, connection))
            pieces = self._worker.wsgi(environ, answer.start_response)
            try:
                return answer.send(pieces)
            finally:
                _close(pieces)
        except Exception as error:  # noqa: BLE001 - it is answered and logged
            outbox.pieces.clear()
            self._worker.handle_error(request, outbox, connection.client, error)
            return False

    def _count(self, environ: dict[str, Any], connection: Connection) -> bool:
        """Count a request, and tell whether it is the last one of its connection."""
        if time.monotonic() - connection.queued > EXPIRES_SECONDS:
            environ[EXPIRED] = True
        self._worker.nr += 1
        if self._worker.nr >= self._worker.max_requests:
            self._worker.alive = False
        return not self._worker.alive or not connection.framing.whole

    def _body_of(self, request: Any, connection: Connection) -> BinaryIO | None:
        """Read the body of a request; the app refuses one that is too large by its beginning.

        :return: ``None`` if it is malformed, or not all here.
        :raises _NoRoom: it needs a file.
        """
        whole = connection.framing.whole
        larger = whole and connection.file is not None
        body: BinaryIO = io.BytesIO()
        try:
            body = body_files.nameless(self._cfg.tmp_upload_dir) if larger else body
            while piece := request.body.read(MAX_BODY_BYTES):
                if larger:
                    body_files.write(body, piece)
                else:
                    body.write(piece)
                if not whole:
                    break
            lengths = [int(value) for name, value in request.headers if name == "CONTENT-LENGTH"]
            if all(body.tell() == length or length > MAX_BODY_BYTES for length in lengths):
                return body
        except (ParseException, NoMoreData):
            pass
        except OSError as error:
            body_files.throw_away(body)
            raise _NoRoom from error
        body_files.throw_away(body)
        return None

    def _run(self, request: Any, body: BinaryIO, connection: Connection, outbox: Outbox) -> bool:
        request._expected_100_continue = False  # the loop has said it
        answer, environ = wsgi.create(
            request, outbox, connection.client, connection.server, self._cfg
        )
        environ["wsgi.multithread"] = True
        environ["wsgi.input"] = body
        if not connection.framing.whole and body.seek(0, os.SEEK_END) >= MAX_BODY_BYTES:
            # In chunks it tells no length, and its beginning must not be taken for all of it.
            environ.pop("HTTP_TRANSFER_ENCODING", None)
            environ["CONTENT_LENGTH"] = str(2 * connection.framing.most_body)
        body.seek(0)
        if self._count(environ, connection):
            answer.force_close()
        pieces = self._worker.wsgi(environ, answer.start_response)
        try:
            for piece in pieces:
                answer.write(piece)
            answer.close()
        finally:
            body_files.throw_away(body)
            _close(pieces)
        return not answer.should_close() and not breaks_off(answer)


def _close(pieces: Any) -> None:
    """Tell an application that its answer was read, see PEP 3333."""
    close: Callable[[], None] | None = getattr(pieces, "close", None)
    if close is not None:
        close()
