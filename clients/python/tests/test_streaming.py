from __future__ import annotations

import asyncio
import wave

import pytest

from scripta_client import Ended, Interim, MessageRefused, stream_file

pytestmark = pytest.mark.asgi


async def test_file_is_streamed_and_each_result_is_handed_over_as_it_comes(gateway, recording):
    async def script(peer):
        assert peer.asked["interim_results"] == "true"
        await peer.until_end()
        await peer.say(status="interim", text="hel", start=0.0, end=0.5)
        await peer.final(1, "hello", 0.0, 1.0)
        await peer.over(1.0)

    results = []
    async with gateway(script) as server:
        ended = await stream_file(
            server.url, recording, on_result=results.append, interim_results=True
        )
    assert ended == Ended(1.0)
    assert results[-1].text == "hello"
    assert all(isinstance(result, Interim) for result in results[:-1])


async def test_progress_tells_accepted_and_transcribed_audio(gateway, recording):
    seen = asyncio.Event()

    async def script(peer):
        await peer.until_end()
        await peer.final(1, "hello", 0.0, 0.75)
        await seen.wait()
        await peer.over(1.0)

    def progress(now):
        if now.transcribed == 0.75 and now.accepted == now.duration == 1.0:
            seen.set()

    async with gateway(script) as server, asyncio.timeout(10):
        await stream_file(
            server.url, recording, on_result=lambda result: None, on_progress=progress
        )
    assert seen.is_set()


async def test_refused_audio_stops_the_sender_that_waits_for_room(gateway, tmp_path):
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2_000_000))

    async def script(peer):
        await peer.audio()
        await peer.say(status="error", error="Audio data too large (max 1024 bytes)")
        await peer.socket.wait_closed()

    async with gateway(script) as server, asyncio.timeout(10):
        with pytest.raises(MessageRefused, match="max 1024 bytes"):
            await stream_file(server.url, path, on_result=lambda result: None)


async def test_error_of_the_callback_reaches_the_caller_as_it_is(gateway, recording):
    async def script(peer):
        await peer.until_end()
        await peer.final(1, "hello", 0.0, 1.0)
        await peer.socket.wait_closed()

    def full(result):
        raise OSError("disk is full")

    async with gateway(script) as server, asyncio.timeout(10):
        with pytest.raises(OSError, match="disk is full"):
            await stream_file(server.url, recording, on_result=full)
