"""Sentinels and a failover in the middle of sessions."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from scripta_common import keys

from .chatter import Chatter, all_of, chatters, say_more, talking
from .servers import SERVICE, SentinelGroup, ask, cut_off_replicas, settled

Until = Callable[..., Awaitable[None]]

pytestmark = [pytest.mark.system, pytest.mark.slow]


async def test_sessions_outlive_a_planned_failover_and_a_killed_primary(
    start: Callable[..., Any],
) -> None:
    with SentinelGroup(3, replicas=2) as group:
        stack = await start(group.url)
        async with chatters(stack, 3) as everybody:
            async with talking(everybody):
                await say_more(everybody, 3)
                former = group.primary
                ask(group.sentinels[0], "SENTINEL", "FAILOVER", SERVICE)
                await settled("failover", lambda: group.failed_over(former))
                await say_more(everybody, 3)

                former = group.primary
                await settled("replica", lambda: group.has_replica(former))
                group.sentinels[0].pause()  # two of three are enough, and clients ask the others
                former.kill()
                await settled("failover", lambda: group.failed_over(former))
                await say_more(everybody, 3)
            await all_of(everybody, lambda one: one.end())
        async with chatters(stack, 2) as newcomers:
            await all_of(newcomers, lambda one: one.say(3))
            await all_of(newcomers, lambda one: one.end())


async def test_writes_that_a_failover_loses_are_written_again(
    start: Callable[..., Any], until: Until
) -> None:
    """The replica had not got the newest entries, results and sessions when it took over."""
    with SentinelGroup(1) as group:
        stack = await start(group.url)
        former = group.primary

        async def end_is_logged(one: Chatter) -> bool:
            seq = await asyncio.to_thread(ask, former, "HGET", keys.state(one.session.sid), "seq")
            return int(seq) == one.said + 1

        async with chatters(stack, 4) as everybody:
            await all_of(everybody, lambda one: one.say(3))
            await all_of(everybody, lambda one: one.until_heard())
            cut_off_replicas(former)
            # Heard by their clients, and lost all the same.
            await all_of(everybody, lambda one: one.say(3))
            await all_of(everybody, lambda one: one.until_heard())
            await stack.kill_transcriber(0, signal.SIGSTOP)
            await all_of(everybody, lambda one: one.say(3))
            silent, ending = everybody[:2], everybody[2:]
            ends = [asyncio.create_task(one.end()) for one in ending]
            for one in ending:
                await until(lambda one=one: end_is_logged(one))
            async with chatters(stack, 2) as newcomers:
                await all_of(newcomers, lambda one: one.say(3))
                former.kill()
                await settled("failover", lambda: group.failed_over(former))
                await stack.kill_transcriber(0, signal.SIGCONT)
                await asyncio.gather(*ends)
                await all_of(silent, lambda one: one.until_heard())
                await all_of(newcomers, lambda one: one.until_heard())
                await all_of([*silent, *newcomers], lambda one: one.end())
