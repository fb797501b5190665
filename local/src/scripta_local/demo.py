"""The first words: streams a sample through the gateway as a live speaker would."""

from __future__ import annotations

import asyncio
import importlib.util
import wave
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripta_client.connecting import connect
from scripta_client.events import Event, Final, Interim, ServerError
from scripta_client.session import Session
from scripta_local.console import Console
from scripta_local.errors import LocalError

SAMPLE_SECONDS = 21.0
CHUNK_SECONDS = 0.1
MOCK_MESSAGES = 5
PATIENCE_SECONDS = 30.0
"""Longest wait for the last words after the last audio."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording, 16 bits a sample.

    Attributes:
        path: Where it is.
        sample_rate: Samples per second.
        channels: How many.
        frames: How many samples of each channel.
    """

    path: Path
    sample_rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.frames / self.sample_rate

    def chunks(self, seconds: float) -> Iterator[bytes]:
        """Yields its first ``seconds`` in pieces of a tenth of a second."""
        with wave.open(str(self.path), "rb") as recording:
            for _ in range(round(seconds / CHUNK_SECONDS)):
                yield recording.readframes(round(CHUNK_SECONDS * self.sample_rate))


def find_sample() -> Sample:
    """Returns the recording that ships with the default engine's model.

    Raises:
        LocalError: It is not installed.
    """
    spec = importlib.util.find_spec("moonshine_voice")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "assets" / "two_cities.wav"
        if path.is_file():
            with wave.open(str(path), "rb") as recording:
                form = recording.getparams()
            return Sample(path, form.framerate, form.nchannels, form.nframes)
    raise LocalError("The sample recording is not installed (package moonshine-voice).")


async def play_sample(url: str, console: Console, ca_file: str | None = None) -> None:
    """Streams the sample at the pace of speech and shows words as they come.

    Args:
        url: Where the gateway is.
        console: Where words are shown.
        ca_file: Certificates that are trusted beside those of the system.

    Raises:
        ScriptaError: The session failed.
        LocalError: The sample is not installed.
        TimeoutError: The last words do not come.
    """
    sample = find_sample()
    seconds = min(sample.seconds, SAMPLE_SECONDS)
    console.note(f"Streaming {seconds:.0f} s of {sample.path.name} at the pace of speech:")
    opened = connect(
        url,
        encoding="linear16",
        sample_rate=sample.sample_rate,
        channels=sample.channels,
        interim_results=True,
        ca_file=ca_file,
    )
    async with asyncio.timeout(seconds + PATIENCE_SECONDS), opened as session:
        await _converse(session, _speak(session, sample.chunks(seconds)), console)


async def play_mock(url: str, console: Console, ca_file: str | None = None) -> None:
    """Sends a few messages to the mock engine and shows what it makes of them.

    Args:
        url: Where the gateway is.
        console: Where answers are shown.
        ca_file: Certificates that are trusted beside those of the system.

    Raises:
        ScriptaError: The session failed.
        TimeoutError: The last answers do not come.
    """
    console.note(f"Sending {MOCK_MESSAGES} messages to the mock engine:")
    messages = (bytes(1024 * size) for size in range(1, MOCK_MESSAGES + 1))
    opened = connect(url, ca_file=ca_file)
    async with asyncio.timeout(PATIENCE_SECONDS), opened as session:
        await _converse(session, _speak(session, messages), console)


async def _speak(session: Session, chunks: Iterable[bytes]) -> None:
    """Sends a chunk each tenth of a second, then the end."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for chunk in chunks:
        due += CHUNK_SECONDS
        await asyncio.sleep(due - loop.time())
        await session.send(chunk)
    await session.end()


async def _converse(
    session: Session, speaking: Coroutine[None, None, None], console: Console
) -> None:
    """Speaks and shows what comes back, until the session is over."""
    speaker = asyncio.create_task(speaking, name="demo-speaker")
    try:
        async for event in session:
            _show(event, console)
        await speaker
    finally:
        speaker.cancel()


def _show(event: Event, console: Console) -> None:
    match event:
        case Interim():
            console.live(f"  {event.text}")
        case Final() if event.text:
            console.note(f"  {event.start:5.1f} s  {event.text}")
        case ServerError():
            console.note(f"  The gateway refused a message: {event.message}")
