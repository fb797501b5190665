"""Channels that Deepgram's clients want kept apart, over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from contextlib import suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.asgi


def recorded(channels: int, seconds: float = 1.0) -> bytes:
    """Returns a WAV that is louder in each further channel."""
    file = io.BytesIO()
    frame = b"".join((100 * number).to_bytes(2, "little") for number in range(channels))
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(frame * round(16_000 * seconds))
    return file.getvalue()


async def heard(server: Any, audio: bytes) -> tuple[list[dict[str, Any]], int | None, str | None]:
    """Returns the messages to one who sends a recording, and how the call ended."""
    messages: list[dict[str, Any]] = []
    url = f"ws://{server.address}/v1/listen?multichannel=true"
    async with asyncio.timeout(30), connect(url, proxy=None, compression=None) as client:
        await client.send(audio)
        with suppress(ConnectionClosed):
            await client.send(json.dumps({"type": "CloseStream"}))
            while True:
                messages.append(json.loads(await client.recv()))
    return messages, client.close_code, client.close_reason


@pytest.mark.parametrize("channels", [1, 2])
async def test_a_file_has_the_channels_that_it_has(
    server: Any, scribe: Any, make_scribe: Any, channels: int
) -> None:
    """Guards a client that asks for channels of a recording that has one."""
    working = [asyncio.create_task(scribe.run())]
    working += [asyncio.create_task(make_scribe().run()) for _ in range(channels - 1)]
    messages, code, _ = await heard(server, recorded(channels))
    assert code == 1000
    *results, metadata = messages
    assert metadata["channels"] == channels
    assert {tuple(result["channel_index"]) for result in results} == {
        (channel, channels) for channel in range(channels)
    }
    lengths: dict[int, float] = {}
    for result in results:
        channel = result["channel_index"][0]
        lengths[channel] = max(lengths.get(channel, 0), result["start"] + result["duration"])
    assert list(lengths.values()) == [metadata["duration"]] * channels
    for work in working:
        work.cancel()
    await asyncio.gather(*working, return_exceptions=True)


async def test_more_channels_than_there_can_be_end_the_call_with_the_reason(server: Any) -> None:
    _, code, reason = await heard(server, recorded(9))
    assert code == 1008
    assert reason is not None
    assert reason.startswith("DATA-0000")
    assert "9 channels" in reason


async def test_a_posted_recording_with_more_channels_is_refused_with_the_reason(
    server: Any, mock_worker: Any
) -> None:
    async with httpx.AsyncClient(base_url=f"http://{server.address}", timeout=30) as http:
        response = await http.post("/v1/listen?multichannel=true", content=recorded(9))
    assert response.status_code == 400
    assert "9 channels" in response.json()["err_msg"]
