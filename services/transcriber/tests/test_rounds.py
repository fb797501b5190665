"""Rounds: who waits is woken together with the others, and soon."""

from __future__ import annotations

import asyncio

import pytest

from scripta_transcriber.rounds import Rounds

pytestmark = pytest.mark.unit


async def test_all_that_wait_are_woken_in_one_turn_of_the_loop() -> None:
    rounds = Rounds(0.05)
    events = [asyncio.Event() for _ in range(3)]
    for event in events:
        rounds.wake(event)
    assert not any(event.is_set() for event in events)
    await asyncio.wait_for(events[2].wait(), 5)
    assert all(event.is_set() for event in events)


async def test_round_comes_again_for_those_who_ask_again() -> None:
    rounds, event = Rounds(0.01), asyncio.Event()
    for _ in range(3):
        rounds.wake(event)
        await asyncio.wait_for(event.wait(), 5)
        event.clear()
