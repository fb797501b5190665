"""The idle clock, in virtual time."""

from __future__ import annotations

import pytest

from scripta_gateway.idle_clock import Due, IdleClock

pytestmark = pytest.mark.unit


@pytest.fixture
def clock() -> IdleClock:
    """Flushes after 1 s, closes after 10 s, 4 s before the first audio; it is 100 o'clock."""
    return IdleClock(1.0, 10.0, 4.0, 100.0)


def test_silent_connection_is_closed_and_never_flushed(clock: IdleClock) -> None:
    assert clock.deadline() == 104.0
    assert clock.due(103.9) is None
    assert clock.due(104.0) is Due.CLOSE


def test_signs_of_life_keep_a_silent_connection_for_a_bounded_time(clock: IdleClock) -> None:
    """Guards against clients that hold a connection for ever and never speak."""
    for second in (103.0, 106.0, 109.0):
        clock.message(second)
        assert clock.due(second) is None
    assert clock.deadline() == 110.0
    assert clock.due(110.0) is Due.CLOSE


def test_audio_is_flushed_when_nothing_follows_it(clock: IdleClock) -> None:
    clock.audio(103.0)
    assert clock.deadline() == 104.0
    assert clock.due(103.9) is None
    assert clock.due(104.0) is Due.FLUSH


def test_more_audio_puts_the_flush_off(clock: IdleClock) -> None:
    clock.audio(103.0)
    clock.audio(103.9)
    assert clock.due(104.8) is None
    assert clock.due(104.9) is Due.FLUSH


def test_keepalives_do_not_put_the_flush_off(clock: IdleClock) -> None:
    clock.audio(103.0)
    clock.message(103.9)
    assert clock.due(104.0) is Due.FLUSH


def test_audio_is_flushed_once(clock: IdleClock) -> None:
    clock.audio(103.0)
    clock.boundary()
    assert clock.due(104.5) is None
    assert clock.deadline() == 113.0


def test_finalize_of_the_client_saves_the_flush_and_audio_after_it_needs_one(
    clock: IdleClock,
) -> None:
    clock.audio(101.0)
    clock.boundary()
    clock.audio(101.5)
    assert clock.due(102.5) is Due.FLUSH


def test_any_message_puts_the_close_off(clock: IdleClock) -> None:
    clock.audio(101.0)
    clock.boundary()
    clock.message(109.0)
    assert clock.due(118.9) is None
    assert clock.due(119.0) is Due.CLOSE


def test_something_is_due_at_the_deadline(clock: IdleClock) -> None:
    clock.audio(101.0)
    assert clock.due(clock.deadline()) is Due.FLUSH
    clock.boundary()
    assert clock.due(clock.deadline()) is Due.CLOSE
