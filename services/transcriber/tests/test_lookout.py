"""The lookout: who is not woken is woken by it, and who is woken is left alone."""

from __future__ import annotations

import asyncio

import pytest

from scripta_transcriber.lookout import Lookout

pytestmark = pytest.mark.unit


async def test_session_that_nobody_wakes_is_woken_again_and_again() -> None:
    wake = asyncio.Event()
    lookout = Lookout(wake, 0.02)
    for _ in range(3):
        await asyncio.wait_for(wake.wait(), 5)
        wake.clear()
        assert lookout.unrung()
        assert not lookout.unrung()
    lookout.close()


async def test_session_that_is_woken_between_two_looks_is_not_disturbed() -> None:
    wake = asyncio.Event()
    lookout = Lookout(wake, 3600)
    for _ in range(3):
        lookout._look()
        assert not wake.is_set()
        assert not lookout.unrung()
    lookout._look()
    lookout._look()
    assert wake.is_set()
    lookout.close()


async def test_lookout_that_is_closed_wakes_nobody() -> None:
    wake, other = asyncio.Event(), asyncio.Event()
    Lookout(wake, 0.02).close()
    second = Lookout(other, 0.02)
    await asyncio.wait_for(other.wait(), 5)  # by then the first would have looked, too
    second.close()
    assert not wake.is_set()
