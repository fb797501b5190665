"""WebSockets over real sockets: what one client sends, and what the others notice."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from raw_client import RawClient, frame, upgrade

from scripta_gateway.bounds import FRAMES_BURST, MIB, SMALL_MESSAGE_BYTES, TEXT_BYTES, Bound
from scripta_gateway.transports import inbox, websocket

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]
Hits = Callable[[Bound], float]
PATIENT = 2.0
"""Seconds that a neighbour may wait at most while a busy machine runs attacker and gateway."""


@asynccontextmanager
async def neighbour(server: Any) -> AsyncIterator[list[float]]:
    """Sends a chunk every 20 ms meanwhile; yields how long its acknowledgements take."""
    late: list[float] = []
    async with server.connect() as client:

        async def talk() -> None:
            while True:
                began = time.monotonic()
                await client.send(bytes(640))
                while '"received"' not in await client.recv():
                    pass
                late.append(time.monotonic() - began)
                await asyncio.sleep(0.02)

        talking = asyncio.create_task(talk())
        yield late
        assert not talking.done()
        talking.cancel()


MINIMAL = {
    "empty messages": frame(2),
    "one sample": frame(2, b"\0\0"),
    "keepalives": frame(1, b'{"type":"keepalive"}'),
    "pings": frame(9, b"ping"),
    "pongs": frame(10),
    "fragments": frame(2, b"", fin=False) + frame(0, b"\0", fin=False) * 500 + frame(0),
}


@pytest.mark.parametrize("kind", MINIMAL)
async def test_flood_of_small_frames_holds_nobody_up_and_is_slowed_down(
    server: Any, mock_worker: Any, dial: Any, hits: Hits, until: Until, kind: str
) -> None:
    """Guards the loop: frames in a buffer were handled without a pause, for seconds."""
    attacker: RawClient = await dial(server)
    await attacker.shake()
    reading = asyncio.create_task(attacker.ended(60))
    async with neighbour(server) as late:
        sent = await attacker.flood(MINIMAL[kind] * (12_000 // len(MINIMAL[kind])), 1.5)
        await until(lambda: hits(Bound.FRAMES) > 0)
    reading.cancel()
    assert sent > 0
    assert statistics.median(late) < 0.25
    assert max(late) < PATIENT


@pytest.mark.parametrize("size", [160, 640, 4096])
async def test_honest_clients_do_not_notice_the_rate(
    server: Any, mock_worker: Any, dial: Any, hits: Hits, size: int
) -> None:
    """Guards callers whose network comes back: 30 s of 20 ms chunks at once, or a whole file."""
    client: RawClient = await dial(server)
    await client.shake()
    await client.send(frame(2, bytes(size)) * 1500)
    for _ in range(1500):
        while (await client.hear_text())["status"] != "received":
            pass
    assert hits(Bound.FRAMES) == 0


def test_burst_is_worth_half_a_minute_of_the_smallest_chunks() -> None:
    assert FRAMES_BURST >= 30 / 0.02


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (frame(1, b"[" + b"{}," * (5 * MIB) + b"{}]"), "Message too large"),
        (frame(1, b"[" * (TEXT_BYTES + 1)), "Message too large"),
        (
            frame(1, b"[" * TEXT_BYTES, fin=False) + frame(0, b"[", fin=False) * 10 + frame(0),
            "Message too large",
        ),
        (frame(2, bytes(MIB + 1)), "Audio data too large"),
        (frame(2, bytes(15 * MIB)), "Audio data too large"),
        (frame(2, bytes(MIB), fin=False) + frame(0, bytes(MIB)), "Audio data too large"),
    ],
    ids=["15 MB of JSON", "text", "text in fragments", "audio", "15 MB", "fragments"],
)
async def test_oversized_message_is_refused_at_its_end_and_the_connection_goes_on(
    server: Any, mock_worker: Any, dial: Any, hits: Hits, data: bytes, word: str
) -> None:
    """Guards the loop and memory: JSON of 15 MB was parsed for seconds."""
    client: RawClient = await dial(server)
    await client.shake()
    async with neighbour(server) as late:
        await client.send(data + frame(2, b"ab"))
        refused = await client.hear_text()
    assert refused["status"] == "error"
    assert refused["error"].startswith(word)
    assert await client.hear_text() == {"status": "received", "size": 2}
    assert hits(Bound.TEXT_BYTES) + hits(Bound.FRAME_BYTES) == 1
    assert max(late, default=0) < PATIENT


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (frame(2, b"", length=17 * MIB), 1009, "too large"),
        (frame(1, b"", length=1 << 62), 1009, "too large"),
        (frame(2, bytes(9 * MIB), fin=False) + frame(0, bytes(9 * MIB)), 1009, "too large"),
        (frame(1, b"\xff\xfe"), 1007, "UTF-8"),
        (frame(1, b"\xe2\x82", fin=False) + frame(0, b"x"), 1007, "UTF-8"),
        (frame(0, b"x"), 1002, "continuation"),
        (b"\x82\x02ab", 1002, "masked"),
        (frame(2, fin=False) + frame(0, bytes(256), fin=False) * 4096, 1008, "fragments"),
    ],
)
async def test_broken_rule_is_closed_with_words_and_without_an_error_in_the_log(
    server: Any,
    mock_worker: Any,
    dial: Any,
    caplog: pytest.LogCaptureFixture,
    data: bytes,
    code: int,
    word: str,
) -> None:
    client: RawClient = await dial(server)
    await client.shake()
    client.writer.write(data)
    closed = await client.closed(20)
    assert closed[0] == code
    assert word in closed[1]
    await client.ended()
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_unfinished_messages_find_no_more_room_than_there_is(
    start_server: Any,
    mock_worker: Any,
    dial: Any,
    hits: Hits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards memory over all connections: each held its message, however many there were."""
    monkeypatch.setattr("scripta_gateway.transports.edge.UNFINISHED_BYTES", 4 * MIB)
    monkeypatch.setattr("scripta_gateway.transports.edge.UNFINISHED_SECONDS", 0.5)
    server = await start_server()
    attackers: list[RawClient] = []
    for _ in range(8):
        attackers.append(await dial(server))
        await attackers[-1].shake()
        attackers[-1].writer.write(frame(2, bytes(MIB - 10), length=MIB))
    async with neighbour(server) as late:
        honest: RawClient = await dial(server)
        await honest.shake()
        await honest.send(frame(2, bytes(MIB)))
        assert await honest.hear_text() == {"status": "received", "size": MIB}
        closed = [await client.closed(5) for client in attackers[:4]]
    assert {code for code, _ in closed} == {1013}
    assert "unfinished" in closed[0][1]
    assert max(late) < PATIENT
    assert hits(Bound.UNFINISHED_BYTES) >= 4


async def test_unfinished_message_goes_with_its_connection(
    server: Any, dial: Any, until: Until
) -> None:
    """Guards memory: hundreds that vanished held their megabytes, and those who waited read on."""
    client: RawClient = await dial(server)
    await client.shake()
    (connection,) = server.server_state.connections
    reader = connection._inbox._reader
    await client.send(frame(2, bytes(MIB - 10), length=MIB))
    await until(lambda: len(reader._more or b"") == MIB - 10)
    client.abort()
    await until(lambda: connection._inbox._end is not None)
    assert not reader._more
    assert not reader._first
    assert not reader._data


async def test_small_messages_need_no_room(
    start_server: Any, mock_worker: Any, dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards live clients: who leaves large messages unfinished must not stop them."""
    monkeypatch.setattr("scripta_gateway.transports.edge.UNFINISHED_BYTES", MIB)
    monkeypatch.setattr("scripta_gateway.transports.edge._LARGE_MESSAGES", 1)
    monkeypatch.setattr("scripta_gateway.transports.edge.UNFINISHED_SECONDS", 60)
    server = await start_server()
    attacker: RawClient = await dial(server)
    await attacker.shake()
    await attacker.send(frame(2, bytes(MIB - 10), length=MIB))
    client: RawClient = await dial(server)
    await client.shake()
    await client.send(frame(2, bytes(SMALL_MESSAGE_BYTES)))
    assert (await client.hear_text())["status"] == "received"


async def test_pongs_do_not_pile_up_for_a_client_that_does_not_read(
    server: Any, dial: Any, until: Until
) -> None:
    client: RawClient = await dial(server, receive_buffer=2048)
    await client.shake()
    await client.flood(frame(9, bytes(125)) * 200, 1)
    (connection,) = server.server_state.connections
    assert connection.transport.get_write_buffer_size() < 256 * 1024


async def test_latest_ping_is_answered_once_the_client_reads_again(
    server: Any, dial: Any, until: Until
) -> None:
    client: RawClient = await dial(server)
    await client.shake()
    (connection,) = server.server_state.connections
    connection.pause_writing()
    await client.send(frame(9, b"one") + frame(9, b"two"))
    await until(lambda: connection._pong == b"two")
    connection.resume_writing()
    assert await client.hear() == (10, b"two")


async def test_frames_that_come_with_the_handshake_are_not_lost(
    server: Any, mock_worker: Any, dial: Any
) -> None:
    client: RawClient = await dial(server)
    await client.send(upgrade() + frame(2, b"ab"))
    assert (await client.answer()).status == 101
    assert await client.hear_text() == {"status": "received", "size": 2}


async def test_frames_before_the_answer_that_break_a_rule_are_refused_by_http(
    server: Any, dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: RawClient = await dial(server)
    await client.send(upgrade() + b"\x82\x02ab")
    assert (await client.answer()).status == 400
    await client.ended(5)


async def test_client_that_does_not_answer_our_close_is_cut_off(
    server: Any, dial: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_CLOSE_SECONDS", 0.3)
    client: RawClient = await dial(server)
    await client.shake()
    (connection,) = server.server_state.connections
    connection._close(1000, "")
    assert (await client.closed())[0] == 1000
    await client.ended(3)


async def test_turn_of_one_connection_is_short(
    server: Any, mock_worker: Any, dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards fairness: 64 KiB of frames of six bytes are 10,000 of them."""
    turns: list[float] = []
    read = inbox.Inbox._read

    def timed(self: inbox.Inbox) -> None:
        began = time.thread_time()
        read(self)
        turns.append(time.thread_time() - began)

    monkeypatch.setattr(inbox.Inbox, "_read", timed)
    client: RawClient = await dial(server)
    await client.shake()
    reading = asyncio.create_task(client.ended(60))
    await client.flood(frame(2) * 11_000, 1)
    reading.cancel()
    assert len(turns) > 20
    assert max(turns) < 0.02
