"""A session that kills its transcribers is failed; its neighbours survive each time."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from fragile_transcriber import POISON_BYTES
from websockets.asyncio.client import ClientConnection, connect

from scripta_local.process import Backoff
from scripta_local.stack import Commands, Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

FRAGILE = Path(__file__).resolve().parent.parent / "support" / "fragile_transcriber.py"
NEIGHBOURS = 6
ROUNDS = 60


async def talk(url: str, number: int) -> list[str]:
    """Sends messages of sizes of its own, a few a second, and returns the transcripts."""
    async with connect(url) as socket:

        async def speak() -> None:
            for turn in range(ROUNDS):
                await socket.send(bytes(1000 + 100 * number + turn))
                await asyncio.sleep(0.2)  # the pace of the talk, nothing is waited for
            await socket.send('{"type":"end"}')

        speaking = asyncio.create_task(speak())
        texts = [
            frame["text"]
            async for frame in (json.loads(message) async for message in socket)
            if frame["status"] == "transcript"
        ]
        await speaking
        assert socket.close_code == 1000
        return texts


async def error_of(socket: ClientConnection) -> dict[str, str]:
    async for message in socket:
        frame: dict[str, str] = json.loads(message)
        if frame["status"] == "error":
            return frame
    raise AssertionError("closed without a word")


async def test_poisoned_session_is_failed_and_its_neighbours_lose_nothing() -> None:
    """Guards against a poisoned session that kills the fleet, and against blaming the others."""
    commands = Commands(transcriber=(sys.executable, str(FRAGILE)))
    backoff = Backoff(first=0.1, longest=0.3)
    async with Stack(transcribers=2, engine="mock", commands=commands, restart=backoff) as stack:
        talks = [asyncio.create_task(talk(stack.ws_url, n)) for n in range(NEIGHBOURS)]
        async with connect(stack.ws_url) as poisoned:
            await poisoned.send(bytes(10))
            await poisoned.send(bytes(POISON_BYTES))
            async with asyncio.timeout(60):
                error = await error_of(poisoned)
                await poisoned.wait_closed()
            assert error["code"] == "engine_failure"
            assert "transcriber" in error["error"]
            assert poisoned.close_code == 1011
        for number, texts in enumerate(await asyncio.gather(*talks)):
            sizes = [int(text.rpartition("size: ")[2].split()[0]) for text in texts]
            assert sizes == [1000 + 100 * number + turn for turn in range(ROUNDS)]
