"""The load kit's WebSocket against real servers: handshakes, refusals and ends of all kinds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http import HTTPStatus

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from scripta_load.connection import Closed, ConnectFailed, Connection, Refused
from scripta_load.session import END, Session

pytestmark = pytest.mark.asgi

PATIENCE = 20.0
Handler = Callable[[ServerConnection], None]
Gate = Callable[[ServerConnection, Request], Response | None]


@pytest.fixture
def start() -> Iterator[Callable[..., str]]:
    """Starts a server; returns its address."""
    with ExitStack() as stack:

        def run(handler: Handler, process_request: Gate | None = None) -> str:
            server: Server = stack.enter_context(
                serve(handler, "127.0.0.1", 0, process_request=process_request)
            )
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ws"

        yield run


def later() -> float:
    return time.monotonic() + PATIENCE


def refusing(status: HTTPStatus, headers: dict[str, str]) -> Gate:
    return lambda *_: Response(status, status.phrase, Headers(headers), b"no room here")


def test_messages_go_both_ways_and_the_close_comes_after_them(start: Callable[..., str]) -> None:
    def echo_twice(server: ServerConnection) -> None:
        audio = server.recv()
        assert isinstance(audio, bytes)
        server.send(f"{len(audio)} bytes")
        server.send(f"and {server.recv()}")
        server.close(1000, "done")

    with Connection.open(start(echo_twice), PATIENCE) as connection:
        connection.send(memoryview(bytes(3200)))
        connection.send(END)
        assert connection.receive(later()) == "3200 bytes"
        assert connection.receive(later()) == f"and {END}"
        with pytest.raises(Closed) as closed:
            connection.receive(later())
    assert (closed.value.code, closed.value.reason) == (1000, "done")


def test_nothing_to_read_returns_at_the_deadline(start: Callable[..., str]) -> None:
    with Connection.open(start(lambda server: server.recv()), PATIENCE) as connection:
        assert connection.receive(time.monotonic() + 0.05) is None
        assert connection.receive(0.0) is None


def test_refusal_says_when_to_come_back(start: Callable[..., str]) -> None:
    url = start(print, refusing(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "7"}))
    with pytest.raises(Refused) as refused:
        Connection.open(url, PATIENCE)
    assert refused.value.retry_after == 7.0


def test_other_answers_are_quoted(start: Callable[..., str]) -> None:
    url = start(print, refusing(HTTPStatus.BAD_REQUEST, {"Content-Length": "12"}))
    with pytest.raises(ConnectFailed, match="answered with 400: no room here"):
        Connection.open(url, PATIENCE)


def test_server_that_never_answers_fails_in_time() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/ws"
        with pytest.raises(ConnectFailed, match="no answer to the handshake in time"):
            Connection.open(url, 0.1)


def test_nobody_there_is_a_failure() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ConnectFailed, match="no connection"):
        Connection.open(f"ws://127.0.0.1:{port}/ws", PATIENCE)


def test_cut_connection_is_closed_abnormally_and_takes_no_more(start: Callable[..., str]) -> None:
    def cut(server: ServerConnection) -> None:
        server.recv()
        server.send("last words")
        server.socket.shutdown(socket.SHUT_RDWR)

    with Connection.open(start(cut), PATIENCE) as connection:
        connection.send(b"audio")
        assert connection.receive(later()) == "last words"
        with pytest.raises(Closed) as closed:
            connection.receive(later())
        connection.send(b"more")
    assert closed.value.code == 1006


def test_session_that_the_gateway_ends_is_broken_with_its_reason(start: Callable[..., str]) -> None:
    def fail(server: ServerConnection) -> None:
        server.recv()
        server.send('{"status":"received","size":3200}')
        server.send('{"status":"error","error":"It is gone","code":"session_lost"}')
        server.close(1011)

    with Connection.open(start(fail), PATIENCE) as connection:
        report = Session(
            connection, [bytes(3200)] * 500, chunk_seconds=0.1, pace=10.0, close_timeout=PATIENCE
        ).run()
    assert (report.broken, report.reason) == ("1011", "session_lost: It is gone")
    assert (report.accepted, report.whole) == (1, False)
    assert report.seconds == pytest.approx(0.1)


def test_session_that_nobody_closes_is_broken(start: Callable[..., str]) -> None:
    def ignore(server: ServerConnection) -> None:
        for _ in server:
            pass

    with Connection.open(start(ignore), PATIENCE) as connection:
        report = Session(connection, [b"ab"], chunk_seconds=0.1, pace=10.0, close_timeout=0.1).run()
    assert (report.broken, report.reason) == ("no close", "no close within 0.1 s")


def test_session_that_is_to_leave_ends_early_and_in_order(start: Callable[..., str]) -> None:
    def serve_to_the_end(server: ServerConnection) -> None:
        for message in server:
            if message == END:
                return
            server.send(f'{{"status":"received","size":{len(message)}}}')

    left = iter([False, False, True])
    with Connection.open(start(serve_to_the_end), PATIENCE) as connection:
        report = Session(
            connection,
            [b"ab"] * 10,
            chunk_seconds=0.1,
            pace=10.0,
            close_timeout=PATIENCE,
            leaving=lambda: next(left),
        ).run()
    assert (report.accepted, report.sent, report.whole, report.broken) == (2, 2, False, "")
