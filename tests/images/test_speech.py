"""Real speech through the images, with nothing writable and no capability."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from typing import Any

import av
import pytest
import pytest_asyncio
from native import decided, talk, transcribe
from recordings import Recording, text_of, two_cities
from redis.asyncio import Redis

from scripta_local.broker import Broker

from .containers import Container, Images

pytestmark = [pytest.mark.images, pytest.mark.slow, pytest.mark.timeout(600)]

Until = Callable[..., Awaitable[None]]

START_SECONDS = 60.0
CHUNK_BYTES = 65_536
GATEWAY_STOP_SECONDS = 20
TRANSCRIBER_STOP_SECONDS = 10

READ_THE_RECORDING = """
import sys
from importlib.util import find_spec
from pathlib import Path
folder = Path(find_spec("moonshine_voice").origin).parent
sys.stdout.write((folder / "assets" / "two_cities.wav").read_bytes().hex())
"""


@pytest_asyncio.fixture
async def start(
    images: Images, shared_broker: Broker, redis: Redis, until: Until
) -> AsyncIterator[Callable[[str], Awaitable[Container]]]:
    """Starts containers on an empty broker and waits until they are ready."""
    running: list[Container] = []

    async def do(service: str) -> Container:
        # A machine that is held up for a second must not add an idle flush.
        env = {"REDIS_URL": shared_broker.url, "IDLE_FLUSH_SECONDS": "30"}
        container = Container(images, service, env)
        await asyncio.to_thread(container.__enter__)
        running.append(container)
        await until(lambda: asyncio.to_thread(container.ready), START_SECONDS)
        return container

    yield do
    for container in reversed(running):
        await asyncio.to_thread(container.__exit__, None, None, None)


def url(gateway: Container) -> str:
    return f"ws://127.0.0.1:{gateway.port}/ws"


async def test_speech_becomes_words_and_health_checks_pass(
    start: Callable[[str], Awaitable[Container]],
) -> None:
    gateway, transcriber = await start("gateway"), await start("transcriber")
    session = await transcribe(url(gateway), two_cities())
    assert two_cities().error_rate(text_of(session.finals)) < 0.1
    assert await asyncio.to_thread(gateway.healthy)
    assert await asyncio.to_thread(transcriber.healthy)


async def test_compressed_speech_is_decoded_where_nothing_may_be_written(
    start: Callable[[str], Awaitable[Container]],
) -> None:
    """Guards what decodes it: it has no folder for temporary files and may gain no privilege."""
    recording = two_cities().until(20.0)
    gateway, _ = await start("gateway"), await start("transcriber")
    async with talk(url(gateway)) as session:
        file = as_flac(recording)
        for at in range(0, len(file), CHUNK_BYTES):
            await session.send(file[at : at + CHUNK_BYTES])
        finals = await session.end()
    assert session.errors == []
    assert text_of(finals).lower().startswith("it was the best of times")
    assert await asyncio.to_thread(gateway.stop, GATEWAY_STOP_SECONDS) == 0


async def test_health_check_fails_without_a_broker(
    images: Images, own_broker: Broker, until: Until
) -> None:
    own_broker.start()
    with Container(images, "gateway", {"REDIS_URL": own_broker.url}) as gateway:
        await until(lambda: asyncio.to_thread(gateway.ready), START_SECONDS)
        own_broker.kill()
        assert not await asyncio.to_thread(gateway.healthy)


async def test_stopped_transcriber_hands_over_and_stopped_gateway_sends_away(
    start: Callable[[str], Awaitable[Container]],
) -> None:
    """SIGTERM reaches the process, which drains and ends by itself: exit code 0, in time."""
    recording = two_cities().until(20.0)
    gateway, first = await start("gateway"), await start("transcriber")
    undisturbed = decided((await transcribe(url(gateway), recording)).finals)
    assert len(undisturbed) >= 3

    query = {"encoding": "linear16", "sample_rate": recording.rate}
    async with talk(url(gateway), **query) as session:
        await session.speak(recording.until(15.0))
        await session.until(lambda: session.finals)
        await start("transcriber")
        assert await asyncio.to_thread(first.stop, TRANSCRIBER_STOP_SECONDS) == 0
        await session.speak(rest_of(recording, 15.0))
        assert decided(await session.end()) == undisturbed

    async with talk(url(gateway), **query) as session:
        await session.speak(recording.until(1.0))
        assert await asyncio.to_thread(gateway.stop, GATEWAY_STOP_SECONDS) == 0
        assert await session.until_closed() == 1012


def test_transcriber_image_carries_the_recording_that_installations_are_tested_with(
    images: Images,
) -> None:
    """Guards `helm test`, which takes its speech from the image."""
    data = bytes.fromhex(images.run("transcriber", READ_THE_RECORDING))
    with wave.open(BytesIO(data)) as file:
        pcm = file.readframes(file.getnframes())
    assert pcm == two_cities().pcm


def rest_of(recording: Recording, seconds: float) -> Recording:
    start = round(seconds * recording.rate) * 2
    return Recording(recording.name, recording.pcm[start:], recording.rate, recording.texts)


def as_flac(recording: Recording) -> bytes:
    """Returns a recording as a FLAC file."""
    target = BytesIO()
    with av.open(target, "w", format="flac") as file:
        stream: Any = file.add_stream("flac", rate=recording.rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            recording.samples().reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = recording.rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return target.getvalue()
