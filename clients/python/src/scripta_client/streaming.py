"""Streams a source through a session and hands each result to the caller as it arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripta_client.connecting import connect
from scripta_client.errors import MessageRefused
from scripta_client.events import (
    ConnectionEvent,
    Ended,
    Final,
    Interim,
    Reconnecting,
    Restarted,
    Resumed,
    ServerError,
)
from scripta_client.session import Session
from scripta_client.sources import Source, Stoppable, open_file
from scripta_client.wire import SNIFFED, AudioFormat

KEEPALIVE_SECONDS = 5.0
"""Silence of the source after which the server is told that we are still here."""

PROGRESS_SECONDS = 0.2

_LIVE_SECONDS = 120.0
_UPLOAD_SECONDS = 900.0
"""Silence of the server to bear: an upload may wait for a slot, by default for five minutes."""

OnResult = Callable[[Final | Interim], None]
OnConnection = Callable[[ConnectionEvent], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stream is.

    Attributes:
        accepted: Seconds of audio the server has accepted; ``None`` where not known.
        transcribed: Seconds up to which there are results.
        duration: Seconds of the whole; ``None`` where not known.
        elapsed: Seconds since the stream began.
    """

    accepted: float | None
    transcribed: float
    duration: float | None
    elapsed: float


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Resilience:
    """What to do if the connection breaks.

    Attributes:
        seconds: For how long to try again: ``None`` for as long as the server waits, 0 for not
            at all.
        on_lost: As of ``connect``.
        on_connection: Is told how the connection fares.
    """

    seconds: float | None = None
    on_lost: Literal["raise", "continue"] = "raise"
    on_connection: OnConnection | None = None


async def stream_file(
    url: str,
    path: str | Path,
    *,
    realtime: bool = False,
    as_is: bool = False,
    on_result: OnResult,
    on_progress: OnProgress | None = None,
    language: str | None = None,
    model: str | None = None,
    interim_results: bool = False,
    key: str | None = None,
    ca_file: str | None = None,
    raw: AudioFormat = SNIFFED,
    resilience: Resilience = Resilience(),
    stop: asyncio.Event | None = None,
) -> Ended:
    """Streams a file and calls ``on_result`` with its words as they arrive.

    Args:
        url: Address of the gateway, such as ``ws://localhost:8000/ws``.
        path: A recording in any container, or raw samples if ``raw`` has an encoding.
        realtime: Whether to send it at its own speed, like a live speaker; else as fast as the
            server takes it, as an upload that waits for a slot if all are taken.
        as_is: Whether to send the file's own bytes where the gateway can decode them; a break
            in the middle of them is then a ``SessionLost``.
        on_result: Is given each final, and each interim if asked for; must not block.
        on_progress: Is told several times a second how far it is.
        language: BCP-47 tag of the speech.
        model: Model that transcribes.
        interim_results: Whether interims are wanted.
        key: Key or token that the gateway asks for.
        ca_file: As ``connect``.
        raw: How raw samples are encoded.
        resilience: What to do if the connection breaks.
        stop: Once it is set no more of the file is sent; what was sent is still transcribed.

    Raises:
        BadAudioFile: If the file can not be read.
        ConnectError: If there is no session.
        SessionError: If the session does not end well.
    """
    source = await asyncio.to_thread(open_file, Path(path), realtime=realtime, as_is=as_is, raw=raw)
    if stop is not None:
        source = Stoppable(source, stop)
    return await stream(
        url,
        source,
        on_result=on_result,
        on_progress=on_progress,
        language=language,
        model=model,
        interim_results=interim_results,
        key=key,
        ca_file=ca_file,
        upload=not realtime,
        resilience=resilience,
    )


async def stream(
    url: str,
    source: Source,
    *,
    on_result: OnResult,
    on_progress: OnProgress | None = None,
    language: str | None = None,
    model: str | None = None,
    interim_results: bool = False,
    key: str | None = None,
    ca_file: str | None = None,
    upload: bool = False,
    resilience: Resilience = Resilience(),
) -> Ended:
    """Streams a source until it ends and everything is transcribed; see ``stream_file``."""
    async with connect(
        url,
        language=language,
        model=model,
        interim_results=interim_results,
        encoding=source.format.encoding,
        sample_rate=source.format.sample_rate,
        channels=source.format.channels,
        key=key,
        ca_file=ca_file,
        upload=upload,
        response_timeout=_UPLOAD_SECONDS if upload else _LIVE_SECONDS,
        reconnect_seconds=resilience.seconds,
        on_lost=resilience.on_lost,
    ) as session:
        on_connection = resilience.on_connection
        return await _Stream(session, source, on_result, on_progress, on_connection).run()


class _Stream:
    """One source on its way through one session."""

    def __init__(
        self,
        session: Session,
        source: Source,
        on_result: OnResult,
        on_progress: OnProgress | None,
        on_connection: OnConnection | None,
    ) -> None:
        self._session = session
        self._source = source
        self._on_result = on_result
        self._on_progress = on_progress
        self._on_connection = on_connection
        self._begun = time.monotonic()
        self._sent_at = self._begun
        self._transcribed = 0.0

    async def run(self) -> Ended:
        """Sends and receives until the end; whatever fails first is raised as it is."""
        jobs = [asyncio.create_task(self._send(), name="scripta-send")]
        jobs.append(asyncio.create_task(self._keep_alive(), name="scripta-keepalive"))
        if self._on_progress is not None:
            report = self._report(self._on_progress)
            jobs.append(asyncio.create_task(report, name="scripta-progress"))
        receiving = asyncio.create_task(self._receive(), name="scripta-receive")
        try:
            while not receiving.done():
                running = [job for job in jobs if not job.done()]
                await asyncio.wait([receiving, *running], return_when=asyncio.FIRST_COMPLETED)
                _raise_failed([receiving, *jobs])
            return receiving.result()
        finally:
            for job in (receiving, *jobs):
                job.cancel()
            await asyncio.gather(receiving, *jobs, return_exceptions=True)

    async def _send(self) -> None:
        async for message in self._source.messages():
            self._sent_at = time.monotonic()
            await self._session.send(message)
        await self._session.end()

    async def _receive(self) -> Ended:
        ended = Ended(None)
        async for event in self._session:
            match event:
                case Final() | Interim():
                    self._transcribed = max(self._transcribed, event.end)
                    self._on_result(event)
                case Reconnecting() | Resumed() | Restarted():
                    if self._on_connection is not None:
                        self._on_connection(event)
                case ServerError():
                    raise MessageRefused(event.message)
                case Ended():
                    ended = event
        return ended

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_SECONDS)
            if time.monotonic() - self._sent_at >= KEEPALIVE_SECONDS:
                await self._session.keepalive()

    async def _report(self, on_progress: OnProgress) -> None:
        while True:
            accepted = self._source.seconds(self._session.accepted_bytes)
            elapsed = time.monotonic() - self._begun
            on_progress(Progress(accepted, self._transcribed, self._source.duration, elapsed))
            await asyncio.sleep(PROGRESS_SECONDS)


def _raise_failed(tasks: list[asyncio.Task[None] | asyncio.Task[Ended]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
