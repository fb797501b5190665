"""Who may have a session: whoever was told its token, and nobody else, whatever else they know."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_gateway.access.resume_tokens import ResumeToken
from scripta_gateway.telemetry.metrics import RESUMES_REFUSED, ResumeRefusal

pytestmark = pytest.mark.asgi

Until = Callable[..., Awaitable[None]]

SID = "0" * 32
SECRET = "x" * 43


async def hear(client: Any) -> dict[str, Any]:
    async with asyncio.timeout(10):
        frame: dict[str, Any] = json.loads(await client.recv())
        return frame


async def hear_of(client: Any, status: str) -> dict[str, Any]:
    """Returns the next frame of a kind."""
    while (frame := await hear(client))["status"] != status:
        pass
    return frame


async def refusal(server: Any, query: str) -> dict[str, Any]:
    with pytest.raises(InvalidStatus) as refused:
        await server.connect(query)
    response = refused.value.response
    assert response.status_code == 400
    body: dict[str, Any] = json.loads(response.body)
    assert body["status"] == "error"
    return body


def count(reason: ResumeRefusal) -> float:
    return RESUMES_REFUSED[reason].value


@pytest.fixture
def no_attaching(server: Any, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Notes what the broker is asked to attach."""
    asked: list[object] = []

    async def attach(*arguments: object) -> None:
        asked.append(arguments)

    monkeypatch.setattr(server.hub.opener._log, "attach", attach)
    return asked


@pytest.mark.parametrize(
    "token",
    [
        "",
        SID,
        f"{SID}.",
        f".{SECRET}",
        f"{SID}.{SECRET}x",
        f"{SID}.{SECRET[1:]}",
        f"{SID}.{SECRET}\n",
        f"{SID}.{SECRET[1:]}\0",
        f"}}x{SID[2:]}.{SECRET}",
        f"{SID[1:]}A.{SECRET}",
        f"{SID[1:]}\u0660.{SECRET}",
        f"{SID}.{SECRET[1:]}é",
        f"{SID}/{SECRET}",
        "}x",
        "\0",
        "x" * 7000,
        "\ud800",
    ],
    ids=lambda token: ascii(token[:40]),
)
async def test_what_is_no_token_is_refused_before_the_broker_is_asked(
    server: Any, no_attaching: list[object], token: str
) -> None:
    """An id with a brace in it broke the hash tag of the session's keys on a Cluster."""
    query = quote(token.encode("utf-8", "surrogatepass"))
    body = await refusal(server, f"events=true&resume={query}")
    assert body.keys() == {"status", "error"}
    assert body["error"].startswith("Bad value for resume: it has to be a token")
    assert len(body["error"]) < 200  # nothing of what was sent
    assert not no_attaching


@pytest.mark.parametrize("index", ["-1", str(10**30), "1e3", "nan", "", "\u0663", "9" * 5000])
async def test_from_that_is_no_index_is_refused_before_the_broker_is_asked(
    server: Any, no_attaching: list[object], index: str
) -> None:
    body = await refusal(server, f"events=true&resume={SID}.{SECRET}&from={quote(index)}")
    assert body["error"].startswith("Bad value for from: ")
    assert len(body["error"]) < 200
    assert not no_attaching


async def test_client_that_would_not_hear_what_came_of_it_is_refused(
    server: Any, no_attaching: list[object]
) -> None:
    body = await refusal(server, f"resume={SID}.{SECRET}")
    assert "events=true" in body["error"]
    assert not no_attaching


async def test_token_is_told_once_and_only_to_who_asks_for_events(
    server: Any, mock_worker: Any
) -> None:
    async with server.connect() as plain:
        await plain.send(b"ab")
        assert "token" not in await hear(plain)
    async with server.connect("events=true") as client:
        first = await hear(client)
        token = first["token"]
        assert re.fullmatch(rf"{first['session']}\.[A-Za-z0-9_-]{{43}}", token)
        assert token not in str(client.response.headers)
        await client.send(b"ab")
        await hear_of(client, "transcript")
        async with server.connect(f"events=true&resume={token}") as again:
            frame = await hear(again)
            assert (frame["resumed"], frame["session"]) == (True, first["session"])
            assert "token" not in frame
    async with server.connect(f"events=true&resume={token}") as third:  # it is good for as long
        assert (await hear(third))["session"] == first["session"]


@pytest.mark.parametrize("events", ["events=true", ""])
@pytest.mark.parametrize("known", [True, False])
async def test_who_knows_only_the_id_can_neither_read_nor_end_nor_find_the_session(
    server: Any, mock_worker: Any, until: Until, events: str, known: bool
) -> None:
    """Guards against an id that opens: it stands in every log line and span."""
    async with server.connect(events) as victim:
        if events:
            assert (await hear(victim))["token"]
        await victim.send(b"ab")
        await hear_of(victim, "transcript")
        sid = victim.response.headers["scripta-session"] if known else SID
        wrong = count(ResumeRefusal.UNKNOWN)
        queries = [f"session={sid}", f"session={sid}&from=0", f"resume={sid}.{SECRET}&from=0"]
        for query in queries:
            async with server.connect(f"events=true&{query}") as stranger:
                frame = await hear(stranger)
                # What it is told is the same whether there is such a session or not.
                assert frame.pop("session") == stranger.response.headers["scripta-session"] != sid
                assert ResumeToken.parse(frame.pop("token")).sid != sid
                assert frame.pop("client_id") != victim.response.headers["scripta-client-id"]
                assert frame.pop("reason", None) == ("unknown" if "resume" in query else None)
                assert frame.pop("ignored", None) == (None if "resume" in query else ["session"])
                assert frame == {
                    "status": "session",
                    "resumed": False,
                    "received": 0,
                    "resume_seconds": server.hub.held.resume_seconds,
                }
                await stranger.send('{"type":"end"}')
                assert (await hear(stranger))["status"] == "ended"
        assert count(ResumeRefusal.UNKNOWN) == wrong + 1
        await victim.send(b"abc")
        assert "3 bytes" in (await hear_of(victim, "transcript"))["text"]


async def test_client_ahead_of_its_session_is_refused_and_the_session_goes_on(
    server: Any, mock_worker: Any
) -> None:
    """It was let in, and deaf for ever: what it waited for never came."""
    async with server.connect("events=true") as client:
        token = (await hear(client))["token"]
        await client.send(b"ab")
        await hear_of(client, "transcript")
        ahead = count(ResumeRefusal.AHEAD)
        for index in (2, 50, 2**53 - 1):
            assert await refusal(server, f"events=true&resume={token}&from={index}") == {
                "status": "error",
                "error": f"Bad value for from: {index} is beyond the session's last transcript, "
                "which is 1",
                "index": 1,
            }
        assert count(ResumeRefusal.AHEAD) == ahead + 3
        await client.send(b"abcd")
        assert "4 bytes" in (await hear_of(client, "transcript"))["text"]
        async with server.connect(f"events=true&resume={token}&from=2") as again:
            assert (await hear(again))["resumed"]
            await again.send(b"abcdef")
            assert "6 bytes" in (await hear_of(again, "transcript"))["text"]


async def test_client_that_has_all_transcripts_of_an_ended_session_hears_its_end(
    server: Any, mock_worker: Any
) -> None:
    async with server.connect("events=true") as client:
        token = (await hear(client))["token"]
        await client.send(b"ab")
        await client.send('{"type":"end"}')
        await hear_of(client, "ended")
    assert (await refusal(server, f"events=true&resume={token}&from=2"))["index"] == 1
    async with server.connect(f"events=true&resume={token}&from=1") as again:
        assert (await hear(again))["resumed"]
        assert (await hear(again))["status"] == "ended"
        with pytest.raises(ConnectionClosed):
            await hear(again)
        assert again.close_code == 1000


async def test_session_whose_client_can_not_know_its_token_waits_for_nobody(
    server: Any, redis: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client was gone before the first frame: it would only hold its place."""
    left: list[bool] = []
    leave = server.hub.held.leave

    def note(session: Any, *, comes_back: bool, **more: Any) -> None:
        left.append(comes_back)
        leave(session, comes_back=comes_back, **more)

    async def gone(*_: object, **__: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(server.hub.held, "leave", note)
    monkeypatch.setattr("scripta_gateway.transports.asgi.WebSocketTransport.accept", gone)
    with pytest.raises((InvalidStatus, OSError, EOFError, ConnectionClosed)):
        await server.connect("events=true")
    await until(lambda: left == [False])


def test_token_is_long_random_and_shown_by_nothing() -> None:
    tokens = [ResumeToken.make() for _ in range(100)]
    texts = {token.reveal() for token in tokens}
    assert len(texts) == len({text.partition(".")[2] for text in texts}) == 100
    assert all(len(text) == 32 + 1 + 43 for text in texts)
    for token in tokens:
        assert ResumeToken.parse(token.reveal()) == token
        assert re.fullmatch(r"[0-9a-f]{64}", token.digest(""))
        secret = token.reveal().partition(".")[2]
        assert secret not in repr(token) + str(token) + f"{token!r:>10}"
    with pytest.raises(ValueError, match="not a token") as refused:
        ResumeToken.parse("a secret in a wrong form")
    assert "secret" not in str(refused.value)
