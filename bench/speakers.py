"""Clients of the benches: live sessions that speak at the pace of speech, many in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import cycle

import msgspec
import picows

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE
from scripta_local.demo import find_sample

CHUNK_SECONDS = 0.25


class _Frame(msgspec.Struct):
    status: str
    size: int = 0
    text: str = ""
    error: str = ""


_decode = msgspec.json.Decoder(_Frame).decode


class Speaker(picows.WSListener):  # type: ignore[misc]
    """One live session; ``say`` sends the next chunk.

    Attributes:
        sid: The session's id.
        accepted: Bytes of audio acknowledged.
        words: Words heard of, in interims and finals.
        lost: Why it is over before its time, if it is.
    """

    def __init__(self, chunks: Sequence[bytes], first: int) -> None:
        self.sid = ""
        self.accepted = 0
        self.words = 0
        self.lost = ""
        self._transport: picows.WSTransport | None = None
        self._chunks: Iterator[bytes] = cycle((*chunks[first:], *chunks[:first]))

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Notes the session's id."""
        self._transport = transport
        self.sid = transport.response.headers["scripta-session"]

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Counts what is acknowledged, and the words of results."""
        if frame.msg_type == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            self.lost = self.lost or f"closed with {frame.get_close_code()}"
        elif frame.msg_type == picows.WSMsgType.TEXT:
            message = _decode(frame.get_payload_as_memoryview())
            self.accepted += message.size
            self.words += len(message.text.split())
            self.lost = message.error or self.lost

    def say(self) -> None:
        """Sends a chunk."""
        if self._transport is not None and not self.lost:
            self._transport.send(picows.WSMsgType.BINARY, next(self._chunks))

    def leave(self) -> None:
        """Cuts the connection."""
        if self._transport is not None:
            self._transport.disconnect()


def sample_chunks() -> list[bytes]:
    """Returns the speech that ships with the model, at 16 kHz, in chunks."""
    sample = find_sample()
    thin = sample.sample_rate // SAMPLE_RATE
    pcm = memoryview(b"".join(sample.chunks(sample.seconds))).cast("h")[::thin].tobytes()
    size = round(CHUNK_SECONDS * SAMPLE_RATE) * BYTES_PER_SAMPLE
    return [pcm[start : start + size] for start in range(0, len(pcm) - size, size)]


async def speak(speakers: list[Speaker], chunk_seconds: float = CHUNK_SECONDS) -> None:
    """Lets everybody speak at the pace of speech, spread over time, until cancelled.

    Args:
        speakers: Who speaks.
        chunk_seconds: How long their chunks are.
    """
    clock = asyncio.get_running_loop().time
    due = clock()
    turns = 25
    for turn in cycle(range(turns)):
        for speaker in speakers[turn::turns]:
            speaker.say()
        due += chunk_seconds / turns
        await asyncio.sleep(max(0.0, due - clock()))


async def connect(
    url: str, chunks: Sequence[bytes], first: int, *, interims: bool = True
) -> Speaker:
    """Opens a session that begins with a given chunk, modulo their number."""
    _, speaker = await picows.ws_connect(
        lambda: Speaker(chunks, first % len(chunks)),
        f"{url}?encoding=linear16&interim_results={str(interims).lower()}",
    )
    assert isinstance(speaker, Speaker)
    return speaker
