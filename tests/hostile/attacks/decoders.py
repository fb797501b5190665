"""Attacks on what decodes: its process is killed, or stands still, in mid-stream."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress

from ..attack import Answer, Target, attack
from ..line import Line
from ..memory import family_of
from ..streams import encoded
from ..wire import binary, text


def _streams() -> list[list[bytes]]:
    return [
        encoded("ogg", "libopus", 20.0),
        encoded("webm", "libopus", 20.0),
        encoded("mp3", "libmp3lame", 20.0),
        encoded("flac", "flac", 20.0),
    ]


async def _hit(target: Target, number: int) -> None:
    """Streams in every container, and sends a signal to each stream's own decoder."""
    hung = 0

    async def go_on(line: Line, chunks: list[bytes], own: set[int]) -> None:
        nonlocal hung
        _signal(own, number)
        for chunk in chunks[5:20]:
            await line.send(binary(chunk))
            await line.listen(0.1)
        await line.send(text('{"type":"end"}'))
        hung += await line.listen(target.left)
        _signal(own, signal.SIGCONT)

    async with AsyncExitStack() as exits, asyncio.TaskGroup() as group:
        for chunks in target.prepared:
            before = set(family_of(target.pid))
            line = await exits.enter_async_context(Line(target))
            if not await line.shake():
                continue
            line.start_listening()
            for chunk in chunks[:5]:
                await line.send(binary(chunk))
                await line.listen(0.1)
            # The decoders of neighbours and of newcomers are older, or decode nothing.
            own = set(family_of(target.pid)) - before
            if own:
                group.create_task(go_on(line, chunks, own))
            else:
                target.told.note("a stream without a process of its own")
    if hung:
        target.told.note(f"{hung} streams hung")


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@attack(prepare=_streams, seconds=20)
async def decoder_sigkill(target: Target) -> None:
    """Has its own streams' decoders killed (SIGKILL) in mid-stream."""
    await _hit(target, signal.SIGKILL)


@attack(prepare=_streams, seconds=20)
async def decoder_sigsegv(target: Target) -> None:
    """Has its own streams' decoders crash (SIGSEGV) in mid-stream."""
    await _hit(target, signal.SIGSEGV)


@attack(prepare=_streams, seconds=40)
async def decoder_sigstop(target: Target) -> None:
    """Has its own streams' decoders stand still (SIGSTOP) in mid-stream."""
    await _hit(target, signal.SIGSTOP)


@attack(prepare=_streams, answer=Answer.SERVICE, seconds=15)
async def slow_compressed_streams(target: Target) -> None:
    """Begins 12 compressed streams and sends a byte a second of each."""

    async def one(chunks: list[bytes]) -> None:
        async with Line(target) as line:
            if await line.shake():
                line.start_listening()
                for byte in chunks[0]:
                    if not target.left or not await line.send(binary(bytes([byte]))):
                        return
                    await asyncio.sleep(min(1.0, target.left))

    async with asyncio.TaskGroup() as group:
        for chunks in target.prepared * 3:
            group.create_task(one(chunks))
