"""The JavaScript client in Node against a real system: every message is heard once, in order.

The mock engine says the size of each message, and each message of a talk has another size.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from forwarder import Forwarder
from redis.asyncio import Redis

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

Start = Callable[..., Any]
COUNT = 30
TALK = {"messages": COUNT, "pause": 50}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    """Two gateways and a transcriber; what dies is started again."""
    async with Stack(engine="mock") as stack:
        await stack.add_gateway()
        yield stack


@pytest_asyncio.fixture(loop_scope="module")
async def forwarder(stack: Stack) -> AsyncIterator[Forwarder]:
    async with Forwarder(stack.gateway_ports) as forwarder:
        yield forwarder


def sizes(told: Any) -> list[int]:
    """Returns the sizes of the messages that were heard, as the finals say them."""
    return [int(re.findall(r"size: (\d+)", final["text"])[0]) for final in told.of("final")]


def check(told: Any, count: int = COUNT) -> None:
    assert sizes(told) == [200 + 2 * index for index in range(count)]
    assert [final["index"] for final in told.of("final")] == list(range(1, count + 1))
    assert told.told[-2]["type"] == "ended"


async def test_every_message_is_heard(stack: Stack, talk: Start) -> None:
    async with talk(url=stack.ws_url, messages=COUNT) as program:
        told = await program.done()
    check(told)
    assert told.of("reconnecting") == []


async def test_gateway_that_is_killed_costs_nothing(
    stack: Stack, forwarder: Forwarder, talk: Start
) -> None:
    async with talk(url=forwarder.ws_url, **TALK) as program:
        await program.until("final", 5)
        await stack.kill_gateway()
        told = await program.done()
    check(told)
    assert told.of("resumed")
    assert told.of("restarted") == []
    await stack.wait_ready()


async def test_gateway_that_drains_is_left_promptly(
    stack: Stack, forwarder: Forwarder, talk: Start
) -> None:
    async with talk(url=forwarder.ws_url, **TALK) as program:
        await program.until("final", 5)
        await stack.kill_gateway(signal.SIGTERM)
        told = await program.done()
    check(told)
    assert told.of("going_away")
    (first, *_) = told.of("reconnecting")
    assert first["delay"] <= 0.1
    await stack.wait_ready()


async def test_connection_that_is_cut_again_and_again_costs_nothing(
    stack: Stack, talk: Start
) -> None:
    async with (
        Forwarder(stack.gateway_ports, allowance=2_500, rotates=True) as forwarder,
        talk(url=forwarder.ws_url, messages=COUNT, options={"backoff": {"first": 0.05}}) as program,
    ):
        told = await program.done()
    check(told)
    assert len(told.of("resumed")) > 2


async def losing(stack: Stack, program: Any, forwarder: Forwarder) -> None:
    """Takes a session from the broker that has accepted audio whose words have not come."""
    await program.until("final", 5)
    (transcriber,) = stack.transcribers
    assert transcriber is not None
    os.kill(transcriber, signal.SIGSTOP)
    try:
        await program.until("accepted", len(program.of("accepted")) + 5)
        forwarder.blocked = True
        forwarder.cut()
        await program.until("reconnecting")
        broker = Redis.from_url(stack.redis_url)
        await broker.flushall()
        await broker.aclose()
    finally:
        os.kill(transcriber, signal.SIGCONT)
    forwarder.blocked = False


async def test_session_that_is_lost_is_an_error(
    stack: Stack, forwarder: Forwarder, talk: Start
) -> None:
    async with talk(url=forwarder.ws_url, **TALK) as program:
        await losing(stack, program, forwarder)
        told = await program.done()
    (failed,) = told.of("failed")
    assert (failed["name"], failed["reason"]) == ("SessionLost", "unknown")
    assert "the session is lost" in told.of("not sent")[0]["said"]


async def test_session_that_is_lost_goes_on_in_a_new_one_if_that_is_wanted(
    stack: Stack, forwarder: Forwarder, talk: Start
) -> None:
    async with talk(url=forwarder.ws_url, options={"onLost": "continue"}, **TALK) as program:
        await losing(stack, program, forwarder)
        told = await program.done()
    (restarted,) = told.of("restarted")
    assert restarted["reason"] == "unknown"
    assert restarted["secondsLost"] > 0
    heard = sizes(told)
    assert heard == sorted(set(heard))
    assert heard[-1] == 200 + 2 * (COUNT - 1)
    assert [final["index"] for final in told.of("final")] == list(range(1, len(heard) + 1))


async def test_session_is_aborted_at_once(stack: Stack, talk: Start) -> None:
    async with talk(url=stack.ws_url, messages=COUNT, pause=20, abortAt=10) as program:
        told = await program.done()
    assert told.of("not sent")[0]["said"] == "enough"
    assert told.of("failed")[0]["message"] == "enough"
    assert told.of("ended") == []


async def test_abort_while_the_gateway_is_away_leaves_no_timer(
    stack: Stack, forwarder: Forwarder, talk: Start
) -> None:
    """A timer that is left behind keeps a program in Node from ending."""
    backoff = {"first": 1000, "longest": 1000}
    async with talk(
        url=forwarder.ws_url, options={"backoff": backoff}, abortOn="reconnecting", **TALK
    ) as program:
        await program.until("final", 5)
        forwarder.cut()
        async with asyncio.timeout(5):
            told = await program.done()
    assert told.of("failed")[0]["message"] == "enough"


async def test_refusal_is_told_with_what_the_gateway_says(stack: Stack, talk: Start) -> None:
    async with talk(url=stack.ws_url, options={"model": "nova"}) as program:
        (failed,) = (await program.done()).of("failed")
    assert (failed["name"], failed["status"]) == ("Refused", 400)
    assert "nova" in failed["message"]


async def test_nobody_at_the_address(stack: Stack, forwarder: Forwarder, talk: Start) -> None:
    forwarder.blocked = True
    async with talk(url=forwarder.ws_url) as program:
        (failed,) = (await program.done()).of("failed")
    assert failed["name"] == "CannotConnect"
    assert "nobody answers there" in failed["message"]


async def test_program_without_a_websocket_is_told_what_to_do(stack: Stack, talk: Start) -> None:
    """Node 22 and newer have one: there the talk goes on."""
    async with talk(url=stack.ws_url, native=True) as program:
        told = await program.done()
    failed = told.of("failed")
    assert told.of("ended") or failed[0]["name"] == "WebSocketMissing"
    assert all("Node 22" in each["message"] for each in failed)


async def test_memory_stays_flat_over_long_audio(stack: Stack, talk: Start) -> None:
    """A leak of the audio would be 6 MB between the first look and the last."""
    async with talk(url=stack.ws_url, messages=2400, size=3200, step=0, measure=True) as program:
        told = await program.done()
    first, *_, last = told.of("held")
    assert last["bytes"] < first["bytes"] + (1 << 20)
    assert all(each["unacknowledged"] <= 262_144 for each in told.of("held"))
    assert told.of("ended")[0]["duration"] == pytest.approx(240)
