from __future__ import annotations

import pytest

from scripta_client.pacing import Pacer

pytestmark = pytest.mark.unit


class Time:
    """A clock that only sleeping and a test move."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(round(seconds, 6))
        self.now += seconds


async def test_each_block_is_due_when_its_last_sample_was_heard():
    time = Time()
    pacer = Pacer(time.clock, time.sleep)
    for _ in range(3):
        await pacer.play(0.1)
    assert time.slept == [0.1, 0.1, 0.1]


async def test_time_lost_between_blocks_does_not_add_up():
    time = Time()
    pacer = Pacer(time.clock, time.sleep)
    for _ in range(5):
        await pacer.play(0.1)
        time.now += 0.03
    assert time.slept == [0.1, 0.07, 0.07, 0.07, 0.07]


async def test_after_a_hold_up_overdue_blocks_go_at_once():
    time = Time()
    pacer = Pacer(time.clock, time.sleep)
    await pacer.play(0.1)
    time.now += 0.25
    for _ in range(4):
        await pacer.play(0.1)
    assert time.slept == [0.1, 0.05, 0.1]
