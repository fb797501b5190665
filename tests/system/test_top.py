"""``scripta top`` shows what is true of a running system, asked directly or by a Prometheus."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from native import talk
from prometheus_server import prometheus

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

Until = Callable[..., Awaitable[None]]
View = dict[str, Any]

SLOTS = 4
SESSIONS = (2, 1)
"""At the first and at the second gateway."""

PATIENCE = 45.0


def addresses(stack: Stack) -> list[str]:
    return [f"127.0.0.1:{port}" for port in (*stack.gateway_ports, *stack.transcriber_ports)]


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[Stack]:
    """Two gateways and two transcribers, none of which comes back when it dies."""
    options = {"SLOTS": str(SLOTS), "IDLE_FLUSH_SECONDS": "60"}
    async with Stack(transcribers=2, engine="mock", restart=False, env=options) as stack:
        await stack.add_gateway()
        yield stack


@pytest_asyncio.fixture
async def sessions(stack: Stack) -> AsyncIterator[None]:
    """Open sessions, each of which has said something."""
    async with AsyncExitStack() as open_ones:
        for port, number in zip(stack.gateway_ports, SESSIONS, strict=True):
            for _ in range(number):
                session = await open_ones.enter_async_context(talk(f"ws://127.0.0.1:{port}/ws"))
                await session.send(bytes(3200))
                await session.until(lambda of=session: of.acknowledged)
        yield


async def top(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripta_client", "top", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def shown(until: Until, condition: Callable[[View], bool], *arguments: str) -> View:
    """Returns what it shows once that is so; fails if it does not become so."""
    view: View = {}

    async def is_so() -> bool:
        nonlocal view
        view = json.loads(await top("--json", *arguments))
        return condition(view)

    try:
        await until(is_so, seconds=PATIENCE)
    except TimeoutError:
        pytest.fail(f"this was shown at last: {view}")
    return view


def all_are_served(view: View) -> bool:
    in_use = [one["slots_in_use"] for one in view["transcribers"]]
    # What gateways know of the fleet is a second old.
    leased = [pool["leased"] for pool in view["fleet"]["pools"]]
    if None in in_use + leased:
        return False
    return sum(in_use) == sum(SESSIONS) == sum(leased)


def assert_true(view: View) -> None:
    """Holds what is shown against what was started."""
    assert view["traffic"]["sessions"] == sum(SESSIONS)
    assert sorted(one["sessions"] for one in view["gateways"]) == sorted(SESSIONS)
    assert [one["slots"] for one in view["transcribers"]] == [SLOTS, SLOTS]
    [pool] = view["fleet"]["pools"]
    assert pool == {
        "name": "default",
        "demand": sum(SESSIONS),
        "slots": 2 * SLOTS,
        "waiting": 0,
        "leased": sum(SESSIONS),
        "transcribers": 2,
    }
    assert view["traffic"]["refusals_in_window"] == {}


@pytest.mark.usefixtures("sessions")
async def test_processes_that_are_asked_directly(stack: Stack, until: Until) -> None:
    view = await shown(until, all_are_served, *addresses(stack), "--interval", "0.1")
    assert_true(view)
    assert view["health"] == "healthy", view["findings"]

    text = await top(*addresses(stack), "--once", "--interval", "0.1")
    assert text.startswith("Scripta   2 gateways, 2 transcribers ")
    assert re.search(r"^default .* 3/8 +0 +3 +2$", text, re.MULTILINE)
    for port, number in zip(stack.gateway_ports, SESSIONS, strict=True):
        assert re.search(rf"^127.0.0.1:{port} +{number} ", text, re.MULTILINE)


@pytest.mark.usefixtures("sessions")
async def test_prometheus_that_scrapes_them_shows_the_same_and_then_a_death(
    stack: Stack, until: Until, tmp_path: Path
) -> None:
    async with prometheus({address: {} for address in addresses(stack)}, tmp_path) as server:
        url = server.url

        def complete(view: View) -> bool:
            # Of both gateways there must be a look at each end of the window.
            counted = view["traffic"]["refusals_in_window"] is not None
            return len(view["gateways"]) == 2 and counted and all_are_served(view)

        # Before it has scraped anything, the command ends with an error.
        await until(lambda: server.query("scripta_gateway_sessions"), seconds=PATIENCE)
        view = await shown(until, complete, "--prometheus", url)
        assert_true(view)

        # Whoever has sessions: the other one then has them all.
        in_use = {one["name"]: one["slots_in_use"] for one in view["transcribers"]}
        victim = max(range(2), key=lambda place: in_use[name_of(stack, place)])
        orphans = in_use[name_of(stack, victim)]
        await stack.kill_transcriber(victim)

        def taken_over(view: View) -> bool:
            return any(
                one["slots_in_use"] == sum(SESSIONS) and one["takeovers_in_window"]
                for one in view["transcribers"]
            )

        view = await shown(until, taken_over, "--prometheus", url)
        dead, heir = sorted(view["transcribers"], key=lambda one: one["slots"] is not None)
        assert dead["name"] == name_of(stack, victim)
        assert heir["takeovers_in_window"] == orphans
        assert view["health"] == "critical"
        assert view["findings"][0]["text"] == (
            f"transcriber {dead['name']} does not answer: Prometheus can not scrape it"
        )


def name_of(stack: Stack, transcriber: int) -> str:
    return f"127.0.0.1:{stack.transcriber_ports[transcriber]}"
