"""The idle clock, in virtual time."""

from __future__ import annotations

import pytest

from scripta_gateway.calls.idle_clock import Due, IdleClock, Patience

pytestmark = pytest.mark.unit


@pytest.fixture
def clock() -> IdleClock:
    """It is 100 o'clock. A clip is flushed after 1 s; the close is after 10, at first after 4 s."""
    return IdleClock(Patience(flush=1.0, live=6.0, close=10.0, first=4.0), 100.0)


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
    clock.audio(103.0, 103.0, 0.1)
    assert clock.deadline() == 104.0
    assert clock.due(103.9) is None
    assert clock.due(104.0) is Due.FLUSH


def test_more_audio_puts_the_flush_off(clock: IdleClock) -> None:
    clock.audio(103.0, 103.0, 0.1)
    clock.audio(103.9, 103.9, 0.1)
    assert clock.due(104.8) is None
    assert clock.due(104.9) is Due.FLUSH


def test_keepalives_do_not_put_the_flush_off(clock: IdleClock) -> None:
    clock.audio(103.0, 103.0, 0.1)
    clock.message(103.9)
    assert clock.due(104.0) is Due.FLUSH


def test_messages_without_sound_do_not_put_the_flush_off_for_ever(clock: IdleClock) -> None:
    """A recorder whose track is muted goes on to send its pictures: what was said stayed open."""
    clock.audio(103.0, 103.0, 0.1)
    at = 103.0
    while (due := clock.due(at)) is not Due.FLUSH:
        assert due is None or due is Due.PAUSE
        at += 0.5
        assert at < 120.0
        clock.audio(at, at, 0.0)
    clock.boundary(by_silence=True)
    clock.audio(at + 0.5, at + 0.5, 0.0)
    assert clock.due(at + 9.0) is None


def test_audio_is_flushed_once(clock: IdleClock) -> None:
    clock.audio(103.0, 103.0, 0.1)
    clock.boundary()
    assert clock.due(104.5) is None
    assert clock.deadline() == 113.0


def test_finalize_of_the_client_saves_the_flush_and_audio_after_it_needs_one(
    clock: IdleClock,
) -> None:
    clock.audio(101.0, 101.0, 0.1)
    clock.boundary()
    clock.audio(101.5, 101.5, 0.1)
    assert clock.due(102.5) is Due.FLUSH


def test_any_message_puts_the_close_off(clock: IdleClock) -> None:
    clock.audio(101.0, 101.0, 0.1)
    clock.boundary()
    clock.message(109.0)
    assert clock.due(118.9) is None
    assert clock.due(119.0) is Due.CLOSE


def test_something_is_due_at_the_deadline(clock: IdleClock) -> None:
    clock.audio(101.0, 101.0, 0.1)
    assert clock.due(clock.deadline()) is Due.FLUSH
    clock.boundary()
    assert clock.due(clock.deadline()) is Due.CLOSE
