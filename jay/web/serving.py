"""The worker of gunicorn that runs the service, with nothing in front.

Gunicorn's own threads wait for their clients, so a handful of slow ones holds all of them. Here
one thread reads from and writes to all clients and waits for none; the others get requests that
have arrived whole, and leave their answers behind. Everything has a deadline, and a bound.
"""

import contextlib
import errno
import os
import re
import resource
import selectors
import signal
import socket
import struct
import threading
import time
from queue import SimpleQueue
from typing import Any

from gunicorn.workers.base import Worker

from jay.web import body_files, logs
from jay.web.answering import Answering
from jay.web.connections import (
    BUSY,
    CLOSED,
    CONTINUE,
    LATE,
    LINGERING,
    READING,
    WORKING,
    WRITING,
    Connection,
    Outbox,
)
from jay.web.fair_shares import FairShares
from jay.web.responses import MAX_BODY_BYTES

DEADLINE_SECONDS = 20.0
"""For a request to arrive, and for each 256 KiB of its answer to be taken."""

PIECE_BYTES = 256 * 1024

LINGER_SECONDS = 2.0
"""For what may be on its way still, when a connection is about to be closed."""

TICK_SECONDS = 0.5
MOST_BUFFERED_BYTES = 64 * 1024 * 1024
"""Of all clients together that are slow; then the largest are cut off."""

MOST_QUEUED_BYTES = 64 * 1024 * 1024
"""Of all requests together that wait for a thread; who comes then is told to come again."""

OFFERED_SECONDS = 0.002
"""So long a client is left to a process that has fewer."""

OTHER_FILES = 100
"""Databases, logs and whatever else is open beside connections."""

_NO_MORE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_HEALTH = re.compile(rb"(GET|HEAD) /healthz HTTP/1\.1\r\n([\w-]+:[\t\x20-\x7e]*\r\n)+\r\n")
_LIVES = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: {}\r\n\r\n"
)


class BufferingWorker(Worker):
    """Threads that never wait for clients."""

    shares = FairShares()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.place = self.shares.join()

    def init_process(self) -> None:
        """Make what belongs to this process alone, and run."""
        self._answering = Answering(self, self._forget_file)
        self._selector = selectors.DefaultSelector()
        self._open: set[Connection] = set()
        self._most = _connections(self.cfg.worker_connections)
        self._ready: SimpleQueue[Connection | None] = SimpleQueue()
        self._done: SimpleQueue[Connection] = SimpleQueue()
        self._listeners: list[Any] = []
        self._accepting = False
        self._offered = self._left_over = False
        self._offered_until = 0.0
        self._queued_bytes = self._stored_bytes = 0
        self._most_stored = body_files.share(self.cfg.workers)
        # Who of loop and thread a connection belongs to changes under this lock.
        self._handover = threading.Lock()
        self._next_tick = 0.0
        super().init_process()

    def init_signals(self) -> None:
        """Leave Ctrl-C to the master, which then tells its workers to end.

        A terminal sends SIGINT to all of them, and a worker that is told twice re-enters its
        handler and hangs until it is killed.
        """
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until told to stop, and then finish what has begun."""
        for number in range(self.cfg.threads):
            threading.Thread(target=self._work, name=f"request-{number}", daemon=True).start()
        self._selector.register(self.PIPE[0], selectors.EVENT_READ, self._woken)
        for listener in self.sockets:
            listener.setblocking(False)
            self._listeners.append(listener)
        self._listen(on=True)
        self.shares.tell(self.place, 0)
        logs.hold_back_while(lambda: not self._ready.empty())
        try:
            while self.alive and self.ppid == os.getppid():
                self._pass()
            self._stop()
        finally:  # also where a signal ends it at once
            logs.hold_back_while(None)

    def _stop(self) -> None:
        # Who is next to have the port must not wait for our clients.
        for listener in self._listeners:
            for _ in range(self.cfg.backlog):
                if not self._accept(listener):
                    break
        self.shares.rest(self.place)
        self.place = None  # it is the master's to give it to another one
        self._offered = False
        self._listen(on=False)
        while self._listeners:
            self._listeners.pop().close()
        self.alive = False
        now = time.monotonic()
        end = now + self.cfg.graceful_timeout
        for connection in self._open:
            if not connection.begun:  # a request may be on its way
                connection.deadline = min(connection.deadline, now + LINGER_SECONDS)
        while self._open and time.monotonic() < end:
            self._pass()
        for _ in range(self.cfg.threads):
            self._ready.put(None)

    def _pass(self) -> None:
        wait = OFFERED_SECONDS if self._offered else TICK_SECONDS
        for key, events in self._selector.select(wait):
            if isinstance(key.data, Connection):
                self._on_event(key.data, events)
            else:
                key.data(key.fileobj)
        now = time.monotonic()
        if self._offered and now >= self._offered_until:
            self._offered, self._left_over = False, True
            self._listen(on=True)
        if now >= self._next_tick:
            self._next_tick = now + TICK_SECONDS / 2
            self.notify()
            self._cut_off(now)

    # What the loop does

    def _woken(self, pipe: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(pipe, 4096)
        while not self._done.empty():
            connection = self._done.get()
            if connection.state == WORKING:
                self._after_answer(connection)

    def _listen(self, *, on: bool) -> None:
        """Accept clients or not: they wait in the queue of the system, and wake nobody."""
        if on == self._accepting:
            return
        self._accepting = on
        for listener in self._listeners:
            if on:
                self._selector.register(listener, selectors.EVENT_READ, self._offer)
            else:
                self._selector.unregister(listener)

    def _listen_again(self) -> None:
        """Listen where there may be room again, but not while a client is left to others."""
        if not self._offered:
            self._listen(on=True)

    def _offer(self, listener: Any) -> None:
        """Accept a client, or leave it for a moment to a process that has fewer."""
        # What nobody has taken by then is there for whoever looks first.
        left_over, self._left_over = self._left_over, False
        if left_over or self.shares.may_accept(self.place):
            self._accept(listener)
            return
        self._offered, self._offered_until = True, time.monotonic() + OFFERED_SECONDS
        self._listen(on=False)

    def _accept(self, listener: Any) -> bool:
        full = len(self._open) >= self._most
        if full and not self._can_make_room():
            self._listen(on=False)
            return False
        try:
            sock, client = listener.accept()
        except OSError as error:
            # Else another worker was faster, or the client has gone.
            if error.errno in _NO_MORE and not self._make_room():
                self._listen(on=False)
            return False
        if full:
            self._make_room()
        sock.setblocking(False)
        connection = Connection(sock, client, listener.getsockname(), self.cfg.keepalive)
        self._open.add(connection)
        self.shares.tell(self.place, len(self._open))
        self._watch(connection, selectors.EVENT_READ)
        return True

    def _can_make_room(self) -> bool:
        return any(one.state != WORKING for one in self._open)

    def _make_room(self) -> bool:
        """Close the connection that would be cut off next, of those that nobody works for."""
        waiting = [one for one in self._open if one.state != WORKING]
        if waiting:
            self._close(min(waiting, key=lambda one: one.deadline))
        return bool(waiting)

    def _on_event(self, connection: Connection, events: int) -> None:
        with self._handover:
            if connection.state == WORKING:
                # It sends what comes next, or has gone: that must wait.
                self._watch(connection, 0)
                return
        if connection.state == WRITING:
            self._write(connection)
        elif events & selectors.EVENT_READ:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        try:
            arrived = connection.sock.recv(PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            arrived = b""
        if not arrived:
            self._close(connection)
        elif connection.state == READING:
            if not connection.begun:
                connection.deadline = time.monotonic() + DEADLINE_SECONDS
            connection.data += arrived
            self._look(connection)
            larger = connection.framing.most_body > MAX_BODY_BYTES
            if larger and len(connection.data) >= MAX_BODY_BYTES and connection.state == READING:
                # What may be so much more has the time of an ordinary body for each such part.
                connection.deadline = time.monotonic() + DEADLINE_SECONDS
                self._store(connection)

    def _store(self, connection: Connection) -> None:
        """Move what has arrived of a larger request to a file: memory is for all the others."""
        part = connection.framing.let_go(connection.data)
        try:
            if connection.file is None:
                connection.file = body_files.nameless(self.cfg.tmp_upload_dir)
            body_files.write(connection.file, part)
        except OSError as error:
            self.log.error("No room for what a client sends: %s", error.strerror)
            self._refuse(connection, BUSY)
            return
        connection.stored += len(part)
        with self._handover:
            self._stored_bytes += len(part)
            too_much = self._stored_bytes > self._most_stored
            sending = [one for one in self._open if one.stored and one.state == READING]
        if too_much:
            # Who goes on to send has a later deadline than who holds the room and does not.
            self._refuse(min(sending, key=lambda one: one.deadline), BUSY)

    def _forget_file(self, connection: Connection) -> None:
        file, stored = connection.file, connection.stored
        if file is None:
            return
        connection.file, connection.stored = None, 0  # whatever fails, it is counted once
        with self._handover:
            self._stored_bytes -= stored
        body_files.throw_away(file)

    def _look(self, connection: Connection, *, inline: bool = True) -> None:
        """Hand a request that has arrived to the threads."""
        if not connection.framing.is_complete(connection.data):
            if connection.framing.expects:
                connection.framing.expects = False
                with contextlib.suppress(OSError):
                    connection.sock.send(CONTINUE)
            return
        connection.queued = time.monotonic()
        if inline and self._says_that_it_lives(connection):
            return
        if self._is_queue_full(len(connection.data)):
            self._refuse(connection, BUSY)
            return
        connection.state = WORKING
        with self._handover:
            self._queued_bytes += len(connection.data)
        self._ready.put(connection)

    def _says_that_it_lives(self, connection: Connection) -> bool:
        """Answer whether the process lives: that needs no thread, no app and no log.

        What is put in an unusual way goes to the app, which is the judge of it.
        """
        asked = None if connection.framing.has_body else _HEALTH.match(connection.data)
        if asked is None:
            return False
        close = not self.alive or b"\r\nconnection:" in asked[0].lower()
        head = _LIVES.format("close" if close else "keep-alive")
        connection.data = connection.data[asked.end() :]
        connection.served += 1
        self._say(connection, head.encode() + (b"ok\n" if asked[1] == b"GET" else b""), close=close)
        return True

    def _refuse(self, connection: Connection, answer: bytes) -> None:
        self._say(connection, answer, close=True)

    def _say(self, connection: Connection, answer: bytes, *, close: bool) -> None:
        """Answer in place of the app."""
        self._forget_file(connection)
        connection.out, connection.close_after = memoryview(answer), close
        connection.deadline = time.monotonic() + DEADLINE_SECONDS
        with contextlib.suppress(OSError):  # that it has gone shows later
            connection.out = connection.out[connection.sock.send(answer) :]
        self._after_answer(connection)

    def _is_queue_full(self, more: int) -> bool:
        # Some connections are left, for who asks whether the process lives.
        most = max(self.cfg.threads, self._most * 9 // 10 - self.cfg.threads)
        return self._ready.qsize() >= most or self._queued_bytes + more > MOST_QUEUED_BYTES

    def _after_answer(self, connection: Connection) -> None:
        """Go on with a connection that a thread has left: not all could be done there."""
        if connection.out:
            connection.state = WRITING
            self._watch(connection, selectors.EVENT_WRITE)
        elif connection.close_after:
            self._end(connection)
        else:
            self._next(connection)
            self._watch(connection, selectors.EVENT_READ)
            if connection.data:
                self._look(connection, inline=False)

    def _next(self, connection: Connection) -> None:
        connection.expect_request()
        patience = DEADLINE_SECONDS if connection.data else self.cfg.keepalive
        if not self.alive:
            patience = min(patience, LINGER_SECONDS)
        connection.deadline = time.monotonic() + patience
        connection.state = READING

    def _write(self, connection: Connection) -> None:
        before = len(connection.out)
        try:
            sent = connection.sock.send(connection.out)
        except BlockingIOError:
            return
        except OSError:
            self._close(connection)
            return
        connection.out = connection.out[sent:]
        if before // PIECE_BYTES != len(connection.out) // PIECE_BYTES:
            connection.deadline = time.monotonic() + DEADLINE_SECONDS
        if not connection.out:
            self._after_answer(connection)

    def _end(self, connection: Connection) -> None:
        """Close it, but leave the answer alone: unread bytes would reset the connection."""
        if connection.framing.whole and not connection.data:
            self._close(connection)
            return
        connection.state = LINGERING
        connection.data = bytearray()
        connection.deadline = time.monotonic() + LINGER_SECONDS
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
        else:
            self._watch(connection, selectors.EVENT_READ)

    def _watch(self, connection: Connection, events: int) -> None:
        if events == connection.watched:
            return
        if not connection.watched:
            self._selector.register(connection.sock, events, connection)
        elif events:
            self._selector.modify(connection.sock, events, connection)
        else:
            self._selector.unregister(connection.sock)
        connection.watched = events

    def _close(self, connection: Connection, *, reset: bool = False) -> None:
        if connection.state == CLOSED:
            return
        self._watch(connection, 0)
        connection.state = CLOSED
        self._open.discard(connection)
        self.shares.tell(self.place, len(self._open))
        self._forget_file(connection)
        with contextlib.suppress(OSError):
            if reset:  # what was not read by now is thrown away
                linger = struct.pack("ii", 1, 0)
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.sock.close()
        self._listen_again()

    def _cut_off(self, now: float) -> None:
        buffered = 0
        for connection in list(self._open):
            with self._handover:
                working = connection.state == WORKING
            if working:
                continue
            if now < connection.deadline:
                buffered += connection.buffered
            elif connection.state == READING and connection.begun:
                self._refuse(connection, LATE)
            else:
                self._close(connection, reset=connection.state == WRITING)
        if buffered > MOST_BUFFERED_BYTES:
            self._free(buffered - MOST_BUFFERED_BYTES)
        self._listen_again()

    def _free(self, left: int) -> None:
        slow = [one for one in self._open if one.state in {READING, WRITING}]
        for connection in sorted(slow, key=lambda one: -one.buffered):
            if left <= 0 or not connection.buffered:
                return
            left -= connection.buffered
            self._close(connection, reset=True)

    # What the threads do

    def _work(self) -> None:
        while (connection := self._ready.get()) is not None:
            with self._handover:
                self._queued_bytes -= len(connection.data)
            self._serve(connection)

    def _serve(self, connection: Connection) -> None:
        outbox = Outbox()
        try:
            keep = self._answering.answer(connection, outbox)
        except BaseException:  # a thread that ends would be missed
            self.log.exception("Error handling request")
            outbox.pieces.clear()
            keep = False
        connection.served += 1
        connection.close_after = not keep
        connection.out = memoryview(b"".join(outbox.pieces))
        connection.deadline = time.monotonic() + DEADLINE_SECONDS
        with contextlib.suppress(BlockingIOError):
            try:
                connection.out = connection.out[connection.sock.send(connection.out) :]
            except BlockingIOError:
                raise
            except OSError:
                connection.out, connection.close_after = memoryview(b""), True
        if not (connection.out or connection.close_after or connection.data):
            # As nearly always: the loop need not be told.
            with self._handover:
                if connection.watched:
                    self._next(connection)
                    return
        self._done.put(connection)
        with contextlib.suppress(BlockingIOError):  # then it is full, and the loop awake
            os.write(self.PIPE[1], b".")


def _connections(wanted: int) -> int:
    """Return how many connections may be open at once, with as many files as we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = wanted + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < need:
        soft = need if hard == resource.RLIM_INFINITY else min(need, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - OTHER_FILES))
