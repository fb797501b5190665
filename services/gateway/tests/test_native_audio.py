"""The native dialect: audio that is refused, converted or doubted, and what else goes on."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from native_frames_heard import MAX, hear, hear_all, split
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.asgi


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b"", "Audio data is empty"),
        (b"\1" * (MAX + 1), f"Audio data too large (max {MAX} bytes)"),
        (b"\1" * (6 * MAX), f"Audio data too large (max {MAX} bytes)"),
        ("{", "Message is not valid JSON"),
        ("", "Message is not valid JSON"),
        ("[" * 50_000, 'Message has no "type"'),
        ('{"kind":"end"}', 'Message has no "type"'),
        ('{"type":"stop"}', "Unknown message type: 'stop'"),
    ],
    ids=["empty", "just too large", "6 MiB", "no json", "no text", "deep", "no type", "unknown"],
)
async def test_refused_message_costs_neither_the_connection_nor_its_neighbours(
    server: Any, mock_worker: Any, message: bytes | str, error: str
) -> None:
    async with server.connect() as neighbour, server.connect() as client:
        await neighbour.send(b"ab")
        await client.send(b"abc")
        await client.send(message)
        await client.send(b"abcd")
        await client.send('{"type":"end"}')
        frames = await hear_all(client)
        await neighbour.send(b"ab")
        await neighbour.send('{"type":"end"}')
        assert [len(part) for part in split(await hear_all(neighbour))] == [2, 2]
    [refusal] = [frame for frame in frames if frame["status"] == "error"]
    assert refusal.keys() == {"status", "error"}
    assert refusal["error"].startswith(error)
    acks, transcripts = split(frames)
    assert acks == [3, 4]
    assert len(transcripts) == 2
    assert client.close_code == 1000


async def test_smaller_limit_is_kept_and_named(start_server: Any, mock_worker: Any) -> None:
    server = await start_server(max_audio_size=10)
    async with server.connect() as client:
        await client.send(b"a" * 10)
        await client.send(b"a" * 11)
        await client.send(b"a" * 9)
        await client.send('{"type":"end"}')
        frames = await hear_all(client)
    assert [f["error"] for f in frames if f["status"] == "error"] == [
        "Audio data too large (max 10 bytes)"
    ]
    assert split(frames)[0] == [10, 9]


async def test_message_beyond_all_bounds_is_closed_with_1009(server: Any, mock_worker: Any) -> None:
    async with server.connect() as neighbour, server.connect() as client:
        with suppress(ConnectionClosed):  # in the middle of the message
            await client.send(b"\1" * (17 * MAX))
        assert await hear_all(client) == []
        assert client.close_code == 1009
        await neighbour.send(b"ab")
        await hear(neighbour, 2)


async def test_audio_that_can_not_be_decoded_is_refused(server: Any, mock_worker: Any) -> None:
    async with server.connect() as client:
        await client.send(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + b"\xff" * 16 + b"data\0\0\0\0")
        [refusal] = await hear(client)
        assert refusal["status"] == "error"
        assert refusal["error"].startswith("Audio cannot be decoded: ")
        # What comes behind it may belong to it: it is not taken for raw audio. A file may begin.
        await client.send(b"abcd")
        [refusal] = await hear(client)
        assert refusal["error"].startswith("Audio cannot be decoded: ")
        file = io.BytesIO()
        with wave.open(file, "wb") as wav:
            wav.setparams((1, 2, 16_000, 0, "NONE", ""))
            wav.writeframes(b"abcd")
        await client.send(file.getvalue())
        assert (await hear(client))[0] == {"status": "received", "size": len(file.getvalue())}


@pytest.mark.parametrize("boundary", ["idle", "finalize", "end"])
async def test_file_that_was_cut_short_does_not_take_the_connection_with_it(
    start_server: Any, redis: Any, scribe: Any, boundary: str
) -> None:
    """What the decoder says at a boundary went for the failure of the session."""
    server = await start_server(idle_flush_seconds=0.1)
    working = asyncio.create_task(scribe.run())
    async with server.connect() as client:
        await client.send(b"OggS" + b"\0" * 20_000)
        if boundary != "idle":
            await client.send(json.dumps({"type": boundary}))
        frames: list[dict[str, Any]] = []
        while len(split(frames)[1]) < 2 and boundary != "end":
            frames += await hear(client)
        if boundary != "end":
            assert split(frames)[1][-1]["reason"] == boundary
            await client.send('{"type":"end"}')
        frames += await hear_all(client)
    assert client.close_code == 1000
    [refusal] = [frame for frame in frames if frame["status"] == "error"]
    assert refusal["error"].startswith("Audio cannot be decoded: ")
    await asyncio.wait_for(working, 5)


async def test_raw_audio_of_another_form_is_converted(server: Any, scribe: Any) -> None:
    async with server.connect("encoding=mulaw&sample_rate=8000") as client:
        await client.send(b"\xff" * 8000)
        await client.send('{"type":"end"}')
        working = asyncio.create_task(scribe.run())
        await hear_all(client)
    await asyncio.wait_for(working, 5)
    assert scribe.history[-1].duration == pytest.approx(1.0, abs=0.01)


async def test_raw_audio_that_looks_wrong_is_warned_of_once(server: Any, mock_worker: Any) -> None:
    """Float samples were taken for 16-bit ones: the transcript was empty, and nobody was told."""
    tone = np.sin(np.arange(16_000) * 0.1) * np.linspace(0, 0.5, 16_000)
    data = tone.astype("<f4").tobytes()
    async with server.connect("events=true") as client, server.connect() as plain:
        for each in (client, plain):
            await each.send(data)
            await each.send(data)
            await each.send('{"type":"end"}')
        frames, plainly = await hear_all(client), await hear_all(plain)
    warnings = [frame for frame in frames if frame["status"] == "warning"]
    assert len(warnings) == 1
    assert "looks like 32-bit floats" in warnings[0]["warning"]
    assert "warning" not in {frame["status"] for frame in plainly}
