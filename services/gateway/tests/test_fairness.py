"""No client has the loop for itself, and none that waits for us is taken for silent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from starlette.websockets import WebSocket

from scripta_common.sessionlog import GatewayLog, SessionOptions
from scripta_common.tracing import Tracing
from scripta_common.wire import EntryKind
from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.held import HeldAudio
from scripta_gateway.bounds import MAX_MESSAGES_A_TURN, MAX_UNANSWERED
from scripta_gateway.calls.call import Call
from scripta_gateway.calls.idle_clock import Patience
from scripta_gateway.calls.opening import Opening
from scripta_gateway.calls.tools import Tools
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.dialects.native import NativeDialect
from scripta_gateway.dialects.told import Opened
from scripta_gateway.outbound.fetching import Fetcher
from scripta_gateway.outbound.posting import Poster
from scripta_gateway.outbound.resolving import Resolver
from scripta_gateway.outbound.targets import Allowlist
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Limits, Session
from scripta_gateway.telemetry.metrics import MESSAGES, MESSAGES_REFUSED
from scripta_gateway.transports.asgi import WebSocketTransport
from scripta_gateway.transports.base import Request
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]


class Flood:
    """A socket on which messages of one kind have all arrived already."""

    def __init__(self, message: dict[str, Any], count: int) -> None:
        self._message = {"type": "websocket.receive", **message}
        self._left = count
        self.sent: list[str] = []

    async def receive(self) -> dict[str, Any]:
        if not self._left:
            return {"type": "websocket.disconnect", "code": 1000, "reason": ""}
        self._left -= 1
        return self._message

    async def send_text(self, text: str) -> None:
        self.sent.append(text)

    async def close(self, code: int, reason: str | None) -> None: ...


class AnyHeld:
    """Takes every session back."""

    def leave(self, *_: Any, **__: Any) -> None: ...


class AnyHub:
    """A hub that has room and takes every session back."""

    held_audio = HeldAudio(lambda: ())
    held = AnyHeld()
    opener = None


class AnyLog:
    """A log that has everything at once."""

    async def append(self, sid: str, entries: Any, connection: int) -> tuple[str, int]:
        return "ok", entries[-1].seq


@pytest.mark.parametrize(
    "message",
    [
        {"bytes": b"ab"},
        {"bytes": b""},
        {"text": '{"type":"keepalive"}'},
        {"text": "{"},
        {"text": '{"type":"finalize"}'},
    ],
    ids=["tiny", "empty", "keepalive", "no json", "finalize"],
)
async def test_flood_leaves_the_loop_to_others_after_a_few_messages(
    message: dict[str, Any],
) -> None:
    """Guards neighbours against messages that have all arrived: none of them waits for anything."""
    count = 800
    socket = Flood(message, count)
    limits = Limits(backlog=60, stall=0.2, broker_patience=1)
    session = Session(cast("GatewayLog", AnyLog()), "s", SessionOptions(), limits)
    tools = Tools(
        cast("Hub", AnyHub()),
        Patience(flush=1.0, live=6.0, close=300.0, first=60.0),
        StreamBudget(),
        Tracing(),
        fetcher=Fetcher(Allowlist.parse("", ""), Resolver().resolve, largest=0),
        poster=Poster(Allowlist.parse("", ""), Resolver().resolve),
        last_words=5.0,
    )
    dialect = NativeDialect()
    codec = dialect.begin(Request(id="", at=0.0))
    opening = Opening(session, Opened("s", 1))
    call = Call(WebSocketTransport(cast("WebSocket", socket)), dialect, codec, opening, tools)
    serving = asyncio.create_task(call.run())
    turns = longest = 0
    while not serving.done():
        before = socket._left
        await asyncio.sleep(0)
        turns += 1
        longest = max(longest, before - socket._left)
    assert socket._left < count - MAX_MESSAGES_A_TURN  # it is served, not sent away at once
    assert longest <= MAX_MESSAGES_A_TURN
    await serving


async def test_answers_keep_their_order_while_the_broker_is_away(
    own_broker: BrokerProcess, start_server: Any, start_worker: Any, until: Until
) -> None:
    server = await start_server(own_broker.url)
    await start_worker(own_broker.url)
    async with server.connect() as client:
        await client.send(b"ab")
        frames = [json.loads(await client.recv()) for _ in range(2)]
        assert {frame["status"] for frame in frames} == {"received", "transcript"}
        of_native = MESSAGES_REFUSED[DialectName.NATIVE]
        accepted, refused = MESSAGES.value, of_native.value
        own_broker.pause()
        try:
            for size in range(1, 41):
                await client.send(b"a" * size if size % 4 else b"")
            await until(lambda: MESSAGES.value == accepted + 30)
            assert of_native.value == refused + 10
        finally:
            own_broker.resume()
        heard: list[int] = []
        async with asyncio.timeout(15):
            while len(heard) < 40:
                frame = json.loads(await client.recv())
                if frame["status"] != "transcript":
                    heard.append(frame.get("size", 0))
    assert heard == [size if size % 4 else 0 for size in range(1, 41)]


async def test_client_is_not_read_from_while_its_messages_are_not_answered(
    own_broker: BrokerProcess, start_server: Any, until: Until
) -> None:
    """Guards the gateway's memory: a broker that stands still for long must not fill it."""
    server = await start_server(own_broker.url)
    async with server.connect() as client:
        before = MESSAGES.value
        own_broker.pause()
        try:
            for _ in range(MAX_UNANSWERED + 50):
                await client.send(b"ab")
            await until(lambda: MESSAGES.value == before + MAX_UNANSWERED)
            await asyncio.sleep(0.2)  # in this time one more would be read
            assert MESSAGES.value == before + MAX_UNANSWERED
        finally:
            own_broker.resume()
        await until(lambda: MESSAGES.value == before + MAX_UNANSWERED + 50)


async def test_client_that_waits_for_the_broker_is_not_flushed(
    own_broker: BrokerProcess, start_server: Any, make_scribe: Any
) -> None:
    """Guards words: it sends its next message when the last is acknowledged, and is not silent."""
    server = await start_server(own_broker.url, idle_flush_seconds=0.5)
    scribe = make_scribe(own_broker.url)
    async with server.connect() as client:
        for turn in range(3):
            if turn == 1:
                own_broker.pause()
                # The outage: longer than a silent client is given.
                resuming = asyncio.create_task(asyncio.sleep(0.9))
                resuming.add_done_callback(lambda _: own_broker.resume())
            await client.send(bytes(3200))
            assert json.loads(await asyncio.wait_for(client.recv(), 10))["status"] == "received"
        await scribe.take()
        assert scribe.claim is not None
        entries = await scribe.log.read(scribe.claim.sid, 0, 10)
        assert [entry.kind for entry in entries][:3] == [EntryKind.AUDIO] * 3


async def test_client_that_is_not_read_from_is_not_flushed(
    start_server: Any, redis: object, scribe: Any, until: Until
) -> None:
    """Guards words that have arrived and are not read while the process holds too much audio."""
    server = await start_server(idle_flush_seconds=0.2)
    room = asyncio.Event()

    async def wait_for_room(_: Session) -> None:
        await room.wait()

    server.hub.held_audio.wait_for_room = wait_for_room
    async with server.connect() as client:
        await client.send(bytes(3200))
        assert json.loads(await client.recv())["status"] == "received"
        await scribe.take()
        assert scribe.claim is not None
        await asyncio.sleep(0.8)  # several times as long as a silent client is given
        assert len(await scribe.log.read(scribe.claim.sid, 0, 10)) == 1
        room.set()

        async def flushed() -> bool:
            return len(await scribe.log.read(scribe.claim.sid, 0, 10)) == 2

        await until(flushed)
