from __future__ import annotations

import asyncio

import pytest

import scripta_client
from scripta_client import (
    CannotConnect,
    ConnectionLost,
    Ended,
    Final,
    GoingAway,
    InvalidUrl,
    ProtocolViolation,
    Refused,
    ServerError,
    ServerSilent,
    SessionFailed,
)

pytestmark = pytest.mark.asgi


async def test_words_come_back_typed_and_the_session_has_a_name(gateway):
    asked = []

    async def script(peer):
        asked.append(peer.asked)
        await peer.until_end()
        await peer.final(1, "hello", 0.0, 1.0)
        await peer.over(1.0)

    async with (
        gateway(script) as server,
        scripta_client.connect(server.url, model="tiny") as session,
    ):
        await session.send(b"\0" * 100)
        await session.end()
        events = [event async for event in session]
        assert (session.id, session.client_id) == ("s-1", 7)
        assert (session.accepted_bytes, session.unacknowledged_bytes) == (100, 0)
    assert events == [Final(1, "hello", 0.0, 1.0, "endpoint"), Ended(1.0)]
    assert asked == [{"interim_results": "false", "model": "tiny", "events": "true"}]


async def test_sender_waits_for_slow_acknowledgements(gateway):
    arrived = []
    two_arrived = asyncio.Event()
    go_on = asyncio.Event()

    async def script(peer):
        arrived.append(await peer.audio())
        arrived.append(await peer.audio())
        two_arrived.set()
        await go_on.wait()
        for data in arrived:
            await peer.ack(data)
        await peer.until_end()
        await peer.over()

    async with (
        gateway(script) as server,
        scripta_client.connect(server.url, max_unacknowledged=250) as session,
    ):
        await session.send(b"\1" * 100)
        await session.send(b"\2" * 100)
        third = asyncio.create_task(session.send(b"\3" * 100))
        async with asyncio.timeout(10):
            await two_arrived.wait()
        assert not third.done()
        assert session.unacknowledged_bytes == 200
        go_on.set()
        async with asyncio.timeout(10):
            await third
            await session.end()
            assert [event async for event in session] == [Ended(1.0)]
        assert session.accepted_bytes == 300


async def test_large_audio_goes_as_several_messages_in_order(gateway):
    heard = []

    async def script(peer):
        heard.append(await peer.until_end())
        await peer.over()

    audio = bytes(range(256)) * 2000
    async with gateway(script) as server, scripta_client.connect(server.url) as session:
        await session.send(audio)
        await session.end()
        await session.end()
        _ = [event async for event in session]
    assert heard == [audio]


async def test_audio_finalize_and_keepalive_keep_their_order(gateway):
    heard = []

    async def script(peer):
        heard.append(await peer.audio())
        await peer.ack(heard[0])
        heard.extend([await peer.control(), await peer.control(), await peer.control()])
        await peer.over()

    async with gateway(script) as server, scripta_client.connect(server.url) as session:
        await session.send(b"ab")
        await session.finalize()
        await session.keepalive()
        await session.end()
        _ = [event async for event in session]
    assert heard == [b"ab", "finalize", "keepalive", "end"]


async def test_refused_message_is_an_event_and_the_session_goes_on(gateway):
    async def script(peer):
        await peer.audio()
        await peer.say(status="error", error="Audio data too large (max 1 bytes)")
        await peer.say(status="going_away")
        await peer.until_end()
        await peer.over()

    async with gateway(script) as server, scripta_client.connect(server.url) as session:
        await session.send(b"abc")
        await session.send(b"d")
        await session.end()
        events = [event async for event in session]
    assert events == [
        ServerError("Audio data too large (max 1 bytes)", 3),
        GoingAway(),
        Ended(1.0),
    ]


async def test_failed_session_raises_where_one_iterates_and_where_one_sends(gateway):
    async def script(peer):
        await peer.audio()
        await peer.say(status="error", error="broken", code="engine_failed")
        await peer.socket.close(1011)

    async with (
        gateway(script) as server,
        scripta_client.connect(server.url, max_unacknowledged=2) as session,
    ):
        await session.send(b"ab")
        with pytest.raises(SessionFailed, match="broken"):
            await session.send(b"cd")
        with pytest.raises(SessionFailed, match="broken"):
            await anext(session)


async def test_close_in_mid_stream_raises_after_the_results_before_it(gateway):
    async def script(peer):
        await peer.final(1, "half", 0.0, 1.0)
        await peer.socket.close(1012, "restart")

    async with (
        gateway(script) as server,
        scripta_client.connect(server.url, reconnect=False) as session,
    ):
        assert (await anext(session)).text == "half"
        with pytest.raises(ConnectionLost) as caught:
            await anext(session)
    assert (caught.value.code, caught.value.reason) == (1012, "restart")


async def test_connection_that_breaks_off_is_code_1006(gateway):
    async def script(peer):
        peer.drop()

    async with (
        gateway(script) as server,
        scripta_client.connect(server.url, reconnect=False) as session,
    ):
        with pytest.raises(ConnectionLost) as caught:
            await anext(session)
    assert caught.value.code == 1006


async def test_server_that_answers_nothing_is_given_up(gateway):
    async def script(peer):
        await peer.socket.wait_closed()

    async with (
        gateway(script) as server,
        scripta_client.connect(server.url, response_timeout=0.2) as session,
    ):
        await session.send(b"ab")
        with pytest.raises(ServerSilent):
            await anext(session)


async def test_silence_is_borne_while_nothing_is_owed(gateway):
    async def script(peer):
        await peer.until_end()
        await peer.over()

    async with (
        gateway(script) as server,
        scripta_client.connect(server.url, response_timeout=0.2) as session,
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.7):
                await anext(session)
        await session.end()
        assert [event async for event in session] == [Ended(1.0)]


async def test_peer_of_another_dialect_is_a_violation(gateway):
    async def script(peer):
        await peer.socket.send(b"\0\1")
        await peer.socket.wait_closed()

    async with gateway(script) as server, scripta_client.connect(server.url) as session:
        with pytest.raises(ProtocolViolation):
            await anext(session)


async def test_sending_after_leaving_says_that_it_was_closed_here(gateway):
    async def script(peer):
        await peer.socket.wait_closed()

    async with gateway(script) as server:
        async with scripta_client.connect(server.url) as session:
            pass
        with pytest.raises(ConnectionLost, match="closed on this side"):
            await session.send(b"ab")
        with pytest.raises(ConnectionLost):
            await anext(session)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (503, '{"status":"error","error":"No capacity"}', "No capacity"),
        (400, '{"status":"error","error":"sample_rate: too low"}', "sample_rate: too low"),
        (404, '{"detail":"Not Found"}', "Not Found"),
        (403, "", "Forbidden"),
        (502, "<html>\nBad\n gateway</html>", "<html> Bad gateway</html>"),
    ],
)
async def test_refusal_carries_status_and_words(gateway, refuse, status, body, message):
    async with gateway(None, refuse(status, body)) as server:
        with pytest.raises(Refused) as caught:
            async with scripta_client.connect(server.url):
                pass
    assert (caught.value.status, caught.value.message) == (status, message)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5.0), ("soon", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)],
)
async def test_retry_after_is_read_as_seconds_or_a_date(gateway, refuse, value, seconds):
    async with gateway(None, refuse(503, "", Retry_After=value)) as server:
        with pytest.raises(Refused) as caught:
            async with scripta_client.connect(server.url):
                pass
    assert caught.value.retry_after == seconds


async def test_unknown_host_and_silent_port_are_told_apart():
    with pytest.raises(CannotConnect, match="host name is not known"):
        async with scripta_client.connect("ws://no-such-host.invalid:9"):
            pass

    async def mute(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(CannotConnect, match=r"no answer within 0\.2 s") as caught:
            async with scripta_client.connect(f"ws://127.0.0.1:{port}", open_timeout=0.2):
                pass
    assert (caught.value.host, caught.value.port) == ("127.0.0.1", port)


async def test_what_is_no_web_server_is_named_as_such():
    async def other(reader, writer):
        writer.write(b"SSH-2.0-thing\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(CannotConnect, match="not a gateway"):
            async with scripta_client.connect(f"ws://127.0.0.1:{port}"):
                pass


async def test_no_address_is_refused_before_anything_is_sent():
    with pytest.raises(InvalidUrl):
        async with scripta_client.connect("gopher://localhost:8000"):
            pass
