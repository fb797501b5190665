"""A client whose connection breaks comes back to its session, and no word is lost or doubled.

The client of ``clients/python`` speaks at the pace of speech through a forwarder, behind which
two gateways share a broker. In the middle of a sentence its gateway, or the connection, goes.
It must hand out the very finals of an undisturbed run.
"""

from __future__ import annotations

import asyncio
import signal
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio
import soxr
from forwarder import Forwarder
from native import Talk, decided, talk, transcribe
from recordings import Recording, two_cities
from redis.asyncio import Redis

from scripta_client import (
    Ended,
    Final,
    Interim,
    Resilience,
    Restarted,
    Resumed,
    connect,
    stream_file,
)
from scripta_client.events import ConnectionEvent
from scripta_common import keys
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

Until = Callable[..., Awaitable[None]]
Fault = Callable[[], Awaitable[None]]

# A machine that is held up for a second must not add an idle flush to the disturbance.
ENV = {"IDLE_FLUSH_SECONDS": "30"}

HIT = 10.3
"""The second at which it happens: in the middle of a segment."""

RATE = 16_000


def speech() -> Recording:
    """Twenty seconds as they are sent if they are to be taken up exactly."""
    recording = two_cities().until(20.8)
    samples = soxr.resample(recording.samples(), recording.rate, RATE)
    return replace(recording, pcm=samples.astype("<i2").tobytes(), rate=RATE)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(speech().pcm)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateways() -> AsyncIterator[Stack]:
    """Two gateways, a broker and a transcriber; what dies is started again."""
    async with Stack(env=ENV) as stack:
        await stack.add_gateway()
        yield stack


@dataclass
class Heard:
    """What the client handed out."""

    finals: list[Final] = field(default_factory=list)
    connection: list[ConnectionEvent] = field(default_factory=list)
    ended: Ended | None = None


async def listen(url: str, path: Path, at_hit: Fault | None = None) -> Heard:
    """Streams a file, and lets a fault happen in the middle of a sentence."""
    heard = Heard()
    faults: list[asyncio.Task[None]] = []

    def take(result: Final | Interim) -> None:
        if isinstance(result, Final):
            heard.finals.append(result)
        elif at_hit is not None and not faults and result.end >= HIT:
            assert result.start < HIT
            faults.append(asyncio.ensure_future(at_hit()))  # type: ignore[arg-type]

    async with asyncio.timeout(90):
        heard.ended = await stream_file(
            url,
            path,
            realtime=at_hit is not None,
            on_result=take,
            interim_results=at_hit is not None,
            resilience=Resilience(on_connection=heard.connection.append),
        )
    assert len(faults) == (at_hit is not None)
    await asyncio.gather(*faults)
    return heard


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(gateways: Stack, spoken: Path) -> Heard:
    heard = await listen(gateways.ws_url, spoken)
    assert heard.connection == []
    assert len(heard.finals) >= 3
    return heard


def check(heard: Heard, undisturbed: Heard) -> None:
    assert heard.finals == undisturbed.finals
    assert heard.ended == undisturbed.ended
    *tries, resumed = heard.connection
    assert isinstance(resumed, Resumed)
    print(f"{len(tries)} tries, {resumed.seconds:.2f} s without a connection: {tries}")


async def test_gateway_that_is_killed_costs_no_word(
    gateways: Stack, spoken: Path, undisturbed: Heard
) -> None:
    async with Forwarder(gateways.gateway_ports) as forwarder:
        heard = await listen(forwarder.ws_url, spoken, gateways.kill_gateway)
    check(heard, undisturbed)
    await gateways.wait_ready()


async def test_gateway_that_is_told_to_go_costs_no_word(
    gateways: Stack, spoken: Path, undisturbed: Heard
) -> None:
    async with Forwarder(gateways.gateway_ports) as forwarder:
        heard = await listen(
            forwarder.ws_url, spoken, lambda: gateways.kill_gateway(signal.SIGTERM)
        )
    check(heard, undisturbed)
    await gateways.wait_ready()


async def test_connection_that_is_cut_costs_no_word(
    gateways: Stack, spoken: Path, undisturbed: Heard
) -> None:
    async with Forwarder(gateways.gateway_ports[:1]) as forwarder:

        async def cut() -> None:
            forwarder.cut()

        heard = await listen(forwarder.ws_url, spoken, cut)
    check(heard, undisturbed)


async def test_connection_that_is_cut_again_and_again_costs_no_word(
    gateways: Stack, spoken: Path, undisturbed: Heard
) -> None:
    """At full speed much is unacknowledged at each cut, and the other gateway comes next."""
    allowance = 4 * 32_000
    async with Forwarder(gateways.gateway_ports, allowance=allowance, rotates=True) as forwarder:
        heard = await listen(forwarder.ws_url, spoken)
    assert heard.finals == undisturbed.finals
    assert heard.ended == undisturbed.ended
    resumed = [event for event in heard.connection if isinstance(event, Resumed)]
    assert len(resumed) >= len(speech().pcm) // allowance
    print(f"taken up {len(resumed)} times")


async def test_client_that_comes_back_too_late_goes_on_in_a_new_session(until: Until) -> None:
    """What was accepted is transcribed when its gateway has waited for long enough."""
    env = {"RESUME_SECONDS": "0.5"}
    events = []
    async with (
        Stack(engine="mock", env=env) as stack,
        Forwarder([stack.port]) as forwarder,
        Redis.from_url(stack.redis_url, protocol=3, legacy_responses=False) as redis,
        asyncio.timeout(60),
        connect(forwarder.ws_url, encoding="linear16", reconnect_seconds=30) as session,
    ):
        await session.send(bytes(32_000))
        await until(lambda: session.accepted_bytes)
        first = session.id
        forwarder.blocked = True
        forwarder.cut()
        await session.send(bytes(16_000))

        async def ended() -> bool:
            return await redis.hget(keys.state(first), "status") == b"ended"

        await until(ended)
        forwarder.blocked = False
        await session.end()
        events = [event async for event in session]
    assert session.id != first
    assert [event for event in events if isinstance(event, Restarted)] == [
        Restarted("ended", 0.0, pytest.approx(0, abs=30))
    ]
    finals = [event for event in events if isinstance(event, Final) and event.text]
    assert [(final.index, final.start, final.end) for final in finals] == [
        (1, 0.0, 1.0),
        (2, 1.0, 1.5),
    ]
    assert events[-1] == Ended(1.5)


def first_of(session: Talk) -> dict[str, object]:
    frame = session.frames[0][1]
    return {
        name: frame[name] for name in ("status", "resumed", "received", "reason") if name in frame
    }


async def test_newer_connection_has_the_session_and_the_older_is_told(gateways: Stack) -> None:
    recording = speech().until(9.2)
    cut = len(recording.until(5.0).pcm)
    first, second = gateways.gateway_ports
    query = {"encoding": "linear16", "events": "true"}
    async with talk(f"ws://127.0.0.1:{first}/ws", **query) as older:
        await older.speak(replace(recording, pcm=recording.pcm[:cut]))
        await older.until(lambda: len(older.acknowledged) == 50)
        again = {**query, "resume": older.token, "from": len(older.finals)}
        async with talk(f"ws://127.0.0.1:{second}/ws", **again) as newer:
            assert await older.until_closed() == 1008
            assert [error["code"] for error in older.errors] == ["superseded"]
            await newer.speak(replace(recording, pcm=recording.pcm[cut:]))
            finals = await newer.end()
    assert first_of(newer) == {"status": "session", "resumed": True, "received": 50}
    assert newer.close_code == 1000
    whole = await transcribe(gateways.ws_url, recording)
    assert decided(older.finals[: again["from"]] + finals) == decided(whole.finals)


async def test_session_that_nobody_knows_is_a_new_one_that_says_so(gateways: Stack) -> None:
    token = f"{'0' * 32}.{'x' * 43}"
    async with talk(gateways.ws_url, events="true", resume=token) as session:
        await session.until(lambda: session.frames)
        assert first_of(session) == {
            "status": "session",
            "resumed": False,
            "received": 0,
            "reason": "unknown",
        }
        assert session.of("session")[0]["session"] == session.sid != "0" * 32
        assert session.token.startswith(session.sid)
        await session.speak(speech().until(3.0))
        finals = await session.end()
    assert "best of times" in finals[0]["text"]


async def test_stream_that_only_its_decoder_could_go_on_with_is_said_to_be_lost(
    gateways: Stack,
) -> None:
    query = {"encoding": "mulaw", "sample_rate": 8000, "events": "true"}
    async with talk(gateways.ws_url, **query) as broken:
        await broken.send(b"\xff" * 4000)
        await broken.until(lambda: broken.acknowledged)
        broken.socket.transport.abort()
        await broken.until_closed()
    async with talk(gateways.ws_url, **query, resume=broken.token) as session:
        await session.until(lambda: session.frames)
    assert first_of(session)["reason"] == "mid_file"
