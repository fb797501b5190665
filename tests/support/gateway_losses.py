"""What the vendors' clients do when their gateway goes, and the words that it costs them.

All speak at the same time to the first of two gateways, and each has a way of its own to it.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest
from forwarder import Forwarder
from recordings import words
from vendors import Heard, Running, started

from scripta_client import Final, Interim, stream_file
from scripta_local.ports import free_port
from scripta_local.stack import Stack

OURS = "scripta"
LIMIT = 25.0
SPEAKS_AT = 3.5
"""Seconds of audio that the slowest has sent when its gateway goes: in mid-sentence."""

CLIENTS: dict[str, dict[str, Any]] = {
    "deepgram-3": {},
    "deepgram-5": {},
    "deepgram-7": {},
    "deepgram-js": {},
    "livekit-deepgram": {},
    "pipecat-deepgram": {},
    "openai": {"reconnect": True},
    "openai-js": {},
    "livekit-openai": {},
    "pipecat-openai": {},
    "vosk": {},
    "wyoming": {},
}
NO_FRAMES = {"wyoming"}
"""Clients without closing frames."""


@dataclass(frozen=True)
class Said:
    """The words of the undisturbed run."""

    words: list[str]
    starts: list[float]

    def lost(self, heard: str) -> list[float]:
        """Returns when the words were said that are not among those heard."""
        matcher = SequenceMatcher(None, self.words, words(heard).split(), autojunk=False)
        kept = {
            match.a + number
            for match in matcher.get_matching_blocks()
            for number in range(match.size)
        }
        return [start for number, start in enumerate(self.starts) if number not in kept]


@dataclass
class Went:
    """What one client did when its gateway went; seconds of its audio, where it is not said.

    Attributes:
        closed: Code and reason of the closing frame; ``None``: it got none.
        closed_at: When that was.
        gone_at: When the gateway was told to go, or was killed.
        away: Seconds of time until it had a connection again; ``None``: it did not come back.
        ends_with: The error that it ended with, or nothing.
        text: The words that it heard.
        hung: Whether it did not end by itself.
        lost: When the words were said that it did not hear.
    """

    closed: tuple[int, str] | None
    closed_at: float
    gone_at: float
    text: str
    away: float | None = None
    ends_with: str = ""
    hung: bool = False
    lost: list[float] = field(default_factory=list)

    @property
    def back_at(self) -> float:
        return float("inf") if self.away is None else self.closed_at + self.away

    def lost_between(self, start: float, end: float) -> int:
        return sum(start <= at < end for at in self.lost)

    def row(self, name: str) -> str:
        code = "no frame" if self.closed is None else f"{self.closed[0]} {self.closed[1]}".strip()
        does = self.ends_with or "ends without an error"
        if self.away is not None:
            does = f"back after {self.away:.1f} s"
        cells = (
            *(name, code, does),
            self.lost_between(0.0, self.gone_at),
            self.lost_between(self.gone_at, self.closed_at),
            self.lost_between(self.closed_at, self.back_at),
            self.lost_between(self.back_at, float("inf")),
        )
        return f"| {' | '.join(map(str, cells))} |"


Found = dict[str, Went | str]
Tls = tuple[ssl.SSLContext, Path]


class Place:
    """Two gateways, and ways to them."""

    def __init__(self, wav: Path, tls: Tls) -> None:
        self._ports = {"WYOMING_PORT": str(free_port()), "VOSK_PORT": str(free_port())}
        # A dozen finals at once take long where other tests want the processors, too.
        self.stack = Stack(env={"IDLE_FLUSH_SECONDS": "30", "DRAIN_SECONDS": "20", **self._ports})
        self.wav = wav
        self._certificate, self._authority = tls

    async def add_gateway(self) -> None:
        """Starts the second, on other ports."""
        await self.stack.add_gateway({"WYOMING_PORT": "0", "VOSK_PORT": str(free_port())})

    def way(self, name: str) -> Forwarder:
        """Returns a new way for a client."""
        wyoming = [int(self._ports["WYOMING_PORT"])]
        targets = wyoming if name == "wyoming" else self.stack.gateway_ports
        return Forwarder(targets, certificate=self._certificate if name == "openai-js" else None)

    def options(self, name: str) -> dict[str, Any]:
        more = {"ca": str(self._authority)} if name == "openai-js" else {}
        return CLIENTS[name] | more

    async def lose_gateway(self, number: int, ways: dict[str, Forwarder]) -> None:
        """Has the first gateway go; those who come now are sent to the second."""
        for name, way in ways.items():
            if name not in NO_FRAMES:
                way.prefer(self.stack.gateway_ports[1])
        await self.stack.kill_gateway(number)


async def undisturbed(place: Place) -> Said:
    finals: list[Final] = []

    def take(result: Final | Interim) -> None:
        if isinstance(result, Final):
            finals.append(result)

    await stream_file(place.stack.ws_url, place.wav, on_result=take)
    told = [word for final in finals for word in final.words]
    return Said([words(word.text) for word in told], [word.start for word in told])


@dataclass
class Round:
    """All clients speak at the same time, and their gateway goes.

    Attributes:
        number: The signal by which it goes.
        may_begin: Set when they may; until then they are processes that wait.
        closed: Set when no client has the connection any more that it began with.
    """

    number: signal.Signals
    may_begin: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, place: Place) -> Found:
        """Returns what each did, or why it can not be installed."""
        found: Found = {}
        running: dict[str, Running] = {}
        ways: dict[str, Forwarder] = {}
        async with AsyncExitStack() as stack:
            for name in (*CLIENTS, OURS):
                ways[name] = await stack.enter_async_context(place.way(name))
            for name in CLIENTS:
                options = place.options(name) | {"hold": True, "limit": LIMIT}
                client = started(name, "live", url(name, ways[name]), place.wav, **options)
                try:
                    running[name] = await stack.enter_async_context(client)
                except pytest.skip.Exception as why:
                    found[name] = str(why)
            for each in running.values():
                await each.ready()
            await self.may_begin.wait()
            ours = asyncio.create_task(speak_ours(ways[OURS], place.wav))
            for each in running.values():
                each.begin()
            for each in running.values():
                await each.sent(SPEAKS_AT)
            at = time.monotonic()
            await place.lose_gateway(self.number, ways)
            await all_closed(ways)
            self.closed.set()
            for name, each in running.items():
                found[name] = told(ways[name], await each.done(), at)
            found[OURS] = went(ways[OURS], ways[OURS].passages[0].began, at, await ours)
        return found


def url(name: str, way: Forwarder) -> str:
    schemes = {"wyoming": "tcp", "openai-js": "https", "vosk": "ws"}
    path = "/vosk" if name == "vosk" else ""
    return f"{schemes.get(name, 'http')}://127.0.0.1:{way.port}{path}"


async def all_closed(ways: dict[str, Forwarder]) -> None:
    """Waits until the first connection of each client is closed."""
    passages = [way.passages[0] for way in ways.values() if way.passages]
    async with asyncio.timeout(LIMIT):
        while any(each.ended is None for each in passages):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


async def speak_ours(way: Forwarder, wav: Path) -> str:
    """Speaks with our own client, which takes its session up again; returns the words."""
    texts: list[str] = []

    def take(result: Final | Interim) -> None:
        if isinstance(result, Final):
            texts.append(result.text)

    await stream_file(way.ws_url, wav, realtime=True, on_result=take)
    return " ".join(texts)


def told(way: Forwarder, heard: Heard, at: float) -> Went:
    first = heard.of("sent")[0]
    # Users of Wyoming who want its words while they are said put the pieces together.
    text = "".join(heard.interims()) if heard.messages("transcript-chunk") else heard.words()
    found = went(way, first["at"] - first["seconds"], at, text)
    found.hung = bool(heard.of("limit"))
    if found.away is None and heard.errors():
        error = heard.errors()[0]
        found.ends_with = f"{error['kind']}: {error['text']}"[:80]
    return found


def went(way: Forwarder, began: float, at: float, text: str) -> Went:
    first, *others = way.passages
    assert first.ended is not None
    found = Went(first.close, first.ended - began, at - began, text)
    if others:
        # A client may come before it has noticed: its old connection ends while it has the new.
        found.away = max(0.0, others[-1].began - first.ended)
    return found
