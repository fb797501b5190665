"""What the vendors' clients do when their gateway goes, and the words that it costs them.

All speak at the same time when the first of two gateways is told to stop (SIGTERM), or is killed.
Guards the codes and reasons by which each dialect closes, and clients that could hang.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import time
import wave
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soxr
import trustme
from forwarder import Forwarder
from recordings import two_cities, words
from vendors import Heard, Running, started

from scripta_client import Final, Interim, stream_file
from scripta_local.ports import free_port
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

RATE = 16_000
OURS = "scripta"
LIMIT = 25.0
FAULTS = (signal.SIGTERM, signal.SIGKILL)
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

COME_BACK = (
    "deepgram-js",
    "livekit-deepgram",
    "pipecat-deepgram",
    "openai",
    "livekit-openai",
    "pipecat-openai",
    OURS,
)
MOST_AWAY = 7.0
"""Seconds; the slowest waits for one to five, and its connecting takes time here."""
SEAM = 1.0
"""Seconds in which a new connection hears the rest of a word, and what it makes of that."""
MOST_MISHEARD = 2
LAST = "only"
"""The last word; it stands once."""


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


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One long sentence, in which hardly a word stands twice."""
    recording, path = two_cities(), tmp_path_factory.mktemp("audio") / "sentence.wav"
    part = recording.samples()[round(29.7 * recording.rate) : round(41.8 * recording.rate)]
    samples = soxr.resample(part.astype(np.float32), recording.rate, RATE)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate for loopback, and the file of the authority that signed it."""
    signed, path = trustme.CA(), tmp_path_factory.mktemp("tls") / "authority.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signed.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    signed.cert_pem.write_to_path(str(path))
    return context, path


class Place:
    """Two gateways, and ways to them."""

    def __init__(self, wav: Path, tls: Tls) -> None:
        self._ports = {"WYOMING_PORT": str(free_port()), "VOSK_PORT": str(free_port())}
        self.stack = Stack(env={"IDLE_FLUSH_SECONDS": "30", **self._ports})
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gone(wav: Path, tls: Tls) -> dict[str, Found]:
    """What each client did when its gateway was told to stop, and when it was killed."""
    place = Place(wav, tls)
    async with place.stack as stack:
        await place.add_gateway()
        said = await undisturbed(place)
        stopped, killed = map(Round, FAULTS)
        async with asyncio.TaskGroup() as tasks:
            stopped.may_begin.set()
            first = tasks.create_task(stopped.run(place))
            await stopped.closed.wait()
            # Processes take their time to start, so they do while the others speak on.
            second = tasks.create_task(killed.run(place))
            await first
            await stack.wait_ready()
            killed.may_begin.set()
    found = {FAULTS[0].name: first.result(), FAULTS[1].name: second.result()}
    for clients in found.values():
        for each in clients.values():
            if isinstance(each, Went):
                each.lost = said.lost(each.text)
    return found


def of(gone: dict[str, Found], fault: signal.Signals, name: str) -> Went:
    found = gone[fault.name][name]
    if isinstance(found, str):
        pytest.skip(found)
    return found


def all_of(gone: dict[str, Found], fault: signal.Signals) -> dict[str, Went]:
    """Returns what all clients did that can be installed here."""
    return {name: each for name, each in gone[fault.name].items() if isinstance(each, Went)}


@pytest.mark.parametrize("fault", FAULTS)
async def test_nobody_hangs(gone: dict[str, Found], fault: signal.Signals) -> None:
    """Prints what each did, and the words lost by when they were said."""
    print("| Client | Closed with | Does | before | while it goes | while away | later |")
    for name, client in all_of(gone, fault).items():
        print(client.row(name))
    assert [name for name, client in all_of(gone, fault).items() if client.hung] == []


async def test_goodbye_says_to_come_back(gone: dict[str, Found]) -> None:
    """Guards the codes: 1000 and 1008 are for good, and 1011 would be the gateway's fault."""
    for name, client in all_of(gone, signal.SIGTERM).items():
        if name not in NO_FRAMES:
            reason = "" if name == OURS else "This gateway is going away; connect again."
            assert client.closed == (1012, reason), name


@pytest.mark.parametrize("name", list(CLIENTS))
async def test_words_that_were_said_before_the_goodbye_are_told(
    gone: dict[str, Found], name: str
) -> None:
    """Guards clients that begin anew elsewhere, or not at all."""
    client = of(gone, signal.SIGTERM, name)
    assert client.lost_between(0.0, client.gone_at - SEAM) <= MOST_MISHEARD, client


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", COME_BACK)
async def test_clients_that_can_come_back_do_and_hear_the_rest(
    gone: dict[str, Found], fault: signal.Signals, name: str
) -> None:
    client = of(gone, fault, name)
    assert client.away is not None, client
    assert client.away <= MOST_AWAY
    assert client.lost_between(client.back_at + SEAM, float("inf")) <= MOST_MISHEARD, client
    assert LAST in words(client.text).split(), client


@pytest.mark.parametrize("fault", FAULTS)
async def test_our_own_client_loses_nothing(gone: dict[str, Found], fault: signal.Signals) -> None:
    assert of(gone, fault, OURS).lost == []
