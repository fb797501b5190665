"""Clients of OpenAI's realtime transcription, as their vendors ship them, on the whole system.

They speak at the same time, so that the module takes as long as the slowest.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soxr
from forwarder import Forwarder
from killed import ENV, heard_while_killed
from recordings import beckett, words
from vendors import Found, Heard, Running, attempt, environment, of, started
from websockets.asyncio.client import ClientConnection, connect

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
RATE = 24_000
COMPLETED = "conversation.item.input_audio_transcription.completed"
MOST_ERRORS = 2 / 12
"""Cut where its client commits, "Fail again" may be heard as "Fare again"."""
Options = dict[str, Any]

CLIENTS: dict[str, tuple[str, Options]] = {
    "openai": ("live", {}),
    "openai commits": ("live", {"vad": "none", "commit": [4.0]}),
    "openai beta": ("beta", {}),
    "openai-js": ("live", {}),
    "openai-js commits": ("live", {"vad": "none", "commit": [4.0]}),
    "livekit-openai": ("live", {}),
    "livekit-openai whisper": ("live", {"model": "gpt-realtime-whisper"}),
    "pipecat-openai": ("live", {"commit": [4.0]}),
}
COMMITS = ("openai commits", "openai-js commits", "pipecat-openai")
"""With a turn of their own before the last; the plugin's "whisper" commits by its own ear."""
KILLED = ("openai", "openai-js", "livekit-openai", "pipecat-openai")
WIRE = ("openai", "openai commits", "openai beta", "openai-js", "openai-js commits")
"""Clients that show the vendor's events."""

OWN = {f"session.{event}: session.{key}" for event in ("created", "updated")
       for key in ("expires_at", "id", "object")}  # fmt: skip
"""Keys that the vendor sends, too, and that its models do not have."""
OWN_OF_BETA = {f"transcription_{key}" for key in OWN} | {
    "transcription_session.updated: session.include",
    "transcription_session.updated: session.input_audio_noise_reduction",
    "conversation.item.input_audio_transcription.completed: languages",
}


class Raw:
    """A client that nobody ships, for what none of the shipped does."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.events: list[dict[str, Any]] = []

    async def say(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def configure(self, **fields: Any) -> None:
        form = {"type": "audio/pcm", "rate": 16_000}
        session = {"type": "transcription", "audio": {"input": {"format": form, **fields}}}
        await self.say("session.update", session=session)

    async def speak(self, start: float, end: float) -> None:
        """Appends a part of the recording, twice as fast as it was spoken."""
        part = beckett().pcm[round(start * 32_000) : round(end * 32_000)]
        for at in range(0, len(part), 3200):
            audio = base64.b64encode(part[at : at + 3200]).decode()
            await self.say("input_audio_buffer.append", audio=audio)
            await asyncio.sleep(0.05)  # the pace of the talk, nothing is waited for

    async def hear(self, kind: str) -> None:
        """Waits for the next event of a kind."""
        async with asyncio.timeout(30):
            while True:
                self.events.append(json.loads(await self._socket.recv()))
                if self.events[-1]["type"] == kind:
                    return

    def told(self) -> list[str]:
        """Returns transcripts, and what else happened, in order."""
        return [event.get("transcript", event["type"].rpartition(".")[2]) for event in self.events]


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording at the rate of the vendor, so that no client has to convert it."""
    recording, path = beckett(), tmp_path_factory.mktemp("audio") / "beckett.wav"
    samples = soxr.resample(recording.samples().astype(np.float32), recording.rate, RATE)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
    return path


class Place:
    """A system, and the ways to it."""

    def __init__(self, stack: Stack, secure: Forwarder, wav: Path, authority: Path) -> None:
        self.stack = stack
        self._secure = secure
        self._wav = wav
        self._authority = str(authority)

    def started(self, name: str, **more: Any) -> AbstractAsyncContextManager[Running]:
        """Starts a client."""
        client, (mode, options) = name.partition(" ")[0], CLIENTS[name]
        url = self.stack.url
        if client == "openai-js":
            url = f"https://127.0.0.1:{self._secure.port}"
            more["ca"] = self._authority
        return started(client, mode, url, self._wav, **options, **more)

    async def run(self, name: str) -> Heard:
        async with self.started(name, strict=True) as running:
            return await running.done()


@asynccontextmanager
async def place(
    wav: Path, tls: tuple[ssl.SSLContext, Path], **options: Any
) -> AsyncIterator[Place]:
    certificate, authority = tls
    async with (
        Stack(**options) as stack,
        Forwarder([stack.port], certificate=certificate) as secure,
    ):
        yield Place(stack, secure, wav, authority)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(wav: Path, tls: tuple[ssl.SSLContext, Path]) -> Found:
    """What each client has heard, or why it can not be installed."""
    async with place(wav, tls) as there:
        *found, raw, printed = await asyncio.gather(
            *(attempt(there.run(name)) for name in CLIENTS),
            change_and_clear(there.stack),
            run_the_example(there.stack, wav),
        )
    return {**dict(zip(CLIENTS, found, strict=True)), "raw": raw, "example": printed}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def killed(wav: Path, tls: tuple[ssl.SSLContext, Path]) -> Found:
    """What each client hears whose transcriber is killed in mid-sentence."""
    async with place(wav, tls, restart=False, env=ENV) as there:
        clients = {name: there.started(name, hold=True) for name in KILLED}
        return await heard_while_killed(there.stack, clients)


async def change_and_clear(stack: Stack) -> Heard:
    """Speaks to turns of the server, then to commits, and clears a part of it."""
    url = f"ws://localhost:{stack.port}/v1/realtime"
    async with connect(url, max_size=None, proxy=None) as socket:
        raw = Raw(socket)
        await raw.configure()
        await raw.speak(0.0, 3.3)
        await raw.configure(turn_detection=None)
        await raw.speak(3.3, 4.6)
        await raw.say("input_audio_buffer.clear")
        await raw.speak(4.6, 6.3)
        await raw.say("input_audio_buffer.commit")
        for _ in range(3):
            await raw.hear(COMPLETED)
    return Heard([{"event": "told", "told": raw.told()}, *raw.events])


async def run_the_example(stack: Stack, wav: Path) -> str:
    try:
        home = await environment("openai")
    except pytest.skip.Exception:
        return ""
    [code] = re.findall(
        r"<!-- example: openai realtime -->\s*```python\n(.*?)^```",
        PAGE.read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert code.count("localhost:8000") == 1
    process = await asyncio.create_subprocess_exec(
        home / "bin" / "python",
        "-c",
        code.replace("localhost:8000", f"localhost:{stack.port}"),
        wav,
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    return printed.decode()


@pytest.mark.parametrize("name", CLIENTS)
async def test_each_client_hears_the_words(heard: Found, name: str) -> None:
    """Guards the promise: only the address is changed."""
    client = of(heard, name)
    assert client.errors() == []
    assert beckett().error_rate(client.words()) <= MOST_ERRORS, client.words()
    assert client.interims()


@pytest.mark.parametrize("name", KILLED)
async def test_transcriber_that_dies_is_not_noticed(heard: Found, killed: Found, name: str) -> None:
    """Guards each client's words, and its connection: the client closes it itself, once."""
    client = of(killed, name)
    assert client.errors() == []
    assert client.words() == of(heard, name).words()
    assert len(client.of("closed")) <= 1
    assert len(client.messages("session.created")) == (name in WIRE)


@pytest.mark.parametrize("name", COMMITS)
async def test_commit_ends_a_turn(heard: Found, name: str) -> None:
    """Its words are "Ever tried. Ever failed. No matter.", with what else was said by then."""
    client = of(heard, name)
    finals = sorted(client.of("final"), key=lambda each: each.get("order", 0))
    assert len(finals) == 2
    assert words(finals[0]["text"]).startswith("ever tried ever failed")
    assert words(finals[1]["text"]).endswith("better")


@pytest.mark.parametrize("name", ["openai", "openai commits", "openai beta"])
async def test_every_event_fits_the_vendors_own_model(heard: Found, name: str) -> None:
    client = of(heard, name)
    assert client.problems() == []
    assert set(client.unknown()) <= (OWN_OF_BETA if "beta" in name else OWN)


@pytest.mark.parametrize("name", WIRE)
async def test_deltas_come_to_the_transcript(heard: Found, name: str) -> None:
    for final in of(heard, name).of("final"):
        # Only a comma may stand in the transcript that was not there when the words were told.
        assert words(final["deltas"]) == words(final["text"])


@pytest.mark.parametrize(("name", "turns"), [("openai", 6), ("openai commits", 2)])
async def test_turns_are_the_servers_or_the_clients(heard: Found, name: str, turns: int) -> None:
    client = of(heard, name)
    assert len(client.of("final")) == turns
    assert len(client.messages("conversation.item.done")) == turns
    assert bool(client.messages("input_audio_buffer.speech_started")) == (name == "openai")


async def test_options_and_the_buffer_change_in_mid_stream(heard: Found) -> None:
    """Guards what was said before a change, and that nothing of what was cleared is told."""
    told = of(heard, "raw").events[0]["told"]
    kept = [each for each in told if each[0].isupper() or each in ("updated", "cleared")]
    assert kept == ["updated", "Ever tried.", "Ever failed.", "updated", "cleared", "Try again."]


async def test_the_example_in_the_docs_prints_the_words(heard: Found) -> None:
    of(heard, "openai")  # or why there is no such package
    assert beckett().error_rate(str(heard["example"])) <= MOST_ERRORS
