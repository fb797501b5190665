"""How long clients of each kind may be silent, in virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest

from scripta_gateway.calls.idle_clock import Due, IdleClock, Patience

pytestmark = pytest.mark.unit

OPENED = 100.0
PATIENCE = Patience(flush=1.0, live=6.0, close=300.0, first=60.0)

Message = tuple[float, float]
"""When it arrives, and its seconds of audio."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What became due, each with the seconds since the connection was opened."""

    due: list[tuple[Due, float]]

    def times(self, due: Due) -> list[float]:
        return [at for what, at in self.due if what is due]

    @property
    def flushes(self) -> list[float]:
        return self.times(Due.FLUSH)

    @property
    def pauses(self) -> list[float]:
        return self.times(Due.PAUSE)


def listen(messages: Iterable[Message], seconds: float, *, goes_on: bool = False) -> Seen:
    """Returns what a watcher finds due, which looks whenever something is."""
    clock = IdleClock(PATIENCE, OPENED, goes_on=goes_on)
    coming = deque(sorted((OPENED + at, length) for at, length in messages))
    due: list[tuple[Due, float]] = []
    while True:
        now = clock.deadline()
        if coming and coming[0][0] <= min(now, OPENED + seconds):
            arrived, length = coming.popleft()
            clock.message(arrived)
            clock.audio(arrived, arrived, length)
            continue
        if now > OPENED + seconds:
            return Seen(due)
        what = clock.due(now)
        assert what in (Due.PAUSE, Due.FLUSH)
        if what is Due.FLUSH:
            clock.boundary(by_silence=True)
        else:
            clock.paused()
        due.append((what, now - OPENED))


def live(size: float, seconds: float, *, since: float = 0.3) -> list[Message]:
    """A recorder that sends what it has heard each ``size`` seconds."""
    return [(since + n * size, size) for n in range(1, int(seconds / size + 0.001) + 1)]


def stalled(messages: Sequence[Message], at: float, seconds: float) -> list[Message]:
    """The network stands still for some time, then brings in a burst what waited."""
    burst = (at + seconds + 0.001 * n for n in range(len(messages)))
    return [
        (next(burst) if at <= arrives < at + seconds else arrives, size)
        for arrives, size in messages
    ]


def clip(seconds: float, at: float, *, size: float = 0.1, speed: float = 100.0) -> list[Message]:
    """An upload: audio that was there before, sent faster than it was spoken."""
    return [(at + n * size / speed, size) for n in range(round(seconds / size))]


SIZES = (0.02, 0.1, 0.25, 0.5, 0.9, 1.0, 1.1, 2.0, 3.0, 5.0)


@pytest.mark.parametrize("size", SIZES)
def test_live_audio_is_never_flushed_whatever_its_messages(size: float) -> None:
    """A recorder that sends a message each second or more was cut at each, in mid-word."""
    seen = listen(live(size, 40.0), 40.0)
    assert (seen.flushes, seen.pauses) == ([], [])


@pytest.mark.parametrize("stall", [0.7, 1.3, 2.0, 3.0])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("at", [6.9, 10.0, 10.7, 11.9, 13.3, 14.6])
def test_stall_in_live_audio_flushes_nothing(size: float, at: float, stall: float) -> None:
    messages = stalled(live(size, 40.0), at, stall)
    assert listen(messages, 40.0).flushes == []


def test_stalls_again_and_again_flush_nothing() -> None:
    messages = live(0.1, 60.0)
    for at in range(5, 60, 5):
        messages = stalled(messages, float(at), 2.9)
    assert listen(messages, 60.0).flushes == []


@pytest.mark.parametrize("bunch", [0.3, 0.7, 1.0, 1.5, 2.0])
def test_messages_that_a_network_delivers_in_bunches_are_soon_live(bunch: float) -> None:
    messages = [((at // bunch + 1) * bunch + at / 1000, size) for at, size in live(0.1, 40.0)]
    assert [at for at in listen(messages, 39.0).flushes if at > 4 * bunch] == []


@pytest.mark.parametrize("held", [1.0, 2.0, 4.0])
def test_client_that_held_audio_back_while_it_connected_is_soon_live(held: float) -> None:
    messages = [*clip(held, 0.05), *live(0.1, 40.0, since=0.05)]
    assert listen(stalled(messages, 20.0, 3.0), 40.0).flushes == []


@pytest.mark.parametrize("error", [0.99, 0.999, 1.001, 1.01])
def test_clock_that_runs_a_little_wrong_flushes_nothing(error: float) -> None:
    messages = [(at * error, size) for at, size in live(0.5, 1800.0)]
    assert listen(stalled(messages, 1500.0, 3.0), 1700.0).flushes == []


@pytest.mark.parametrize("lump", [3, 4, 9])
def test_container_that_gives_its_audio_in_lumps_is_live(lump: int) -> None:
    """Of a fragmented MP4 nothing can be decoded before a fragment is complete."""
    messages = [
        (at, size * lump if n % lump == 0 else 0.0)
        for n, (at, size) in enumerate(live(0.5, 60.0), start=1)
    ]
    assert listen(stalled(messages, 30.2, 2.0), 60.0).flushes == []


@pytest.mark.parametrize("seconds", [0.2, 0.4, 0.8, 1.5, 5.0, 60.0])
@pytest.mark.parametrize("at", [0.02, 5.0, 50.0])
@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
def test_upload_is_answered_a_second_after_its_last_message(
    seconds: float, at: float, size: float
) -> None:
    messages = clip(seconds, at, size=min(size, seconds / 2))
    [flush] = listen(messages, at + 5.0).flushes
    assert flush == pytest.approx(messages[-1][0] + 1.0, abs=0.35)


@pytest.mark.parametrize("speed", [2.0, 5.0, 20.0])
def test_slow_upload_is_answered_a_second_after_its_last_message(speed: float) -> None:
    messages = clip(60.0, 0.1, speed=speed)
    [flush] = listen(messages, messages[-1][0] + 5.0).flushes
    assert flush == pytest.approx(messages[-1][0] + 1.0, abs=0.02)


def test_clip_in_one_message_that_is_too_long_for_a_recorders_is_an_upload() -> None:
    assert listen([(0.05, 12.0)], 5.0).flushes == [pytest.approx(1.05, abs=0.02)]


@pytest.mark.parametrize("at", [0.05, 10.0])
@pytest.mark.parametrize("seconds", [0.1, 0.6, 1.5, 3.0, 12.0])
def test_file_in_one_message_is_an_upload(at: float, seconds: float) -> None:
    clock = IdleClock(PATIENCE, OPENED)
    clock.audio(OPENED + at, OPENED + at, seconds, ends_file=True)
    assert clock.deadline() == pytest.approx(OPENED + at + 1.0)


def test_files_that_a_recorder_sends_one_by_one_are_live() -> None:
    """Each message is a WAV file of its own: the first may be a clip, those behind it are not."""
    clock, flushes = IdleClock(PATIENCE, OPENED), []
    for at, size in live(1.5, 30.0):
        if (due := clock.deadline()) < OPENED + at and clock.due(due) is Due.FLUSH:
            flushes.append(at)
            clock.boundary(by_silence=True)
        clock.audio(OPENED + at, OPENED + at, size, ends_file=True)
    assert [at for at in flushes if at > 5.0] == []


@pytest.mark.parametrize("seconds", [0.6, 1.5, 3.0])
def test_first_message_right_after_the_handshake_is_given_its_length(seconds: float) -> None:
    """It is a clip, or a recorder's that was running before: the next one comes by then."""
    seen = listen([(0.05, seconds)], 5.0)
    expected = max(1.0, seconds + 0.5)
    assert seen.flushes == [pytest.approx(0.05 + expected, abs=0.02)]
    assert seen.pauses == [pytest.approx(1.05, abs=0.02)]


@pytest.mark.parametrize("size", [*SIZES, 6.0])
def test_recorder_that_sends_before_it_waits_is_live(size: float) -> None:
    messages = live(size, 60.0, since=0.01 - size)
    assert listen(messages, 54.0).flushes == []
    assert listen(stalled(messages, 24.1, 3.0), 54.0).flushes == []


def test_clip_in_one_message_after_a_pause_may_be_a_recorders_first() -> None:
    """Both look the same; once it proves to be a clip, further ones are answered in a second."""
    seen = listen([(10.0, 2.0), (30.0, 2.0), (50.0, 3.0)], 60.0)
    assert seen.flushes == [pytest.approx(at, abs=0.02) for at in (16.0, 31.0, 51.0)]
    assert seen.pauses == [pytest.approx(13.5, abs=0.02)]


def test_recorder_that_was_taken_for_a_sender_of_clips_is_soon_known() -> None:
    first = [(10.0, 2.0), (30.0, 2.0)]
    seen = listen([*first, *live(2.0, 40.0, since=60.0)], 100.0)
    assert [at for at in seen.flushes if 65.0 < at < 100.0] == []


@pytest.mark.parametrize("size", [0.1, 0.5, 1.1, 2.0, 5.0])
def test_live_client_that_stops_pauses_by_its_rhythm_and_is_flushed_later(size: float) -> None:
    messages = live(size, 20.0)
    last = messages[-1][0]
    seen = listen(messages, last + 20.0)
    assert seen.pauses == [pytest.approx(last + max(1.0, 1.5 * size + 0.5), abs=0.02)]
    assert seen.flushes == [pytest.approx(last + size + 6.0, abs=0.1)]


def test_every_silence_has_one_pause() -> None:
    messages = [message for since in (0.0, 14.0, 17.0) for message in live(0.1, 10.0, since=since)]
    talk = sorted(message for message in messages if message[0] < 24.0)
    assert len(listen(talk, 23.0).pauses) == 1


def test_client_that_sends_less_than_it_hears_is_flushed_in_a_gap() -> None:
    """A gate in the client drops silence: the words on both sides are far apart."""
    messages = [message for n in range(10) for message in live(0.1, 1.0, since=4.0 * n)]
    seen = listen(messages, 40.0)
    assert len(seen.flushes) >= 3
    assert all(at % 4.0 >= 2.0 for at in seen.flushes)


def test_burst_behind_a_silence_that_was_flushed_is_an_upload() -> None:
    """Nothing is made up for behind a boundary: who comes back with a clip waits for its words."""
    messages = [*live(0.1, 10.0), *clip(3.0, 60.0)]
    assert listen(messages, 70.0).flushes[-1] == pytest.approx(61.0, abs=0.1)


@pytest.mark.parametrize("away", [1.0, 3.0, 7.0, 20.0])
@pytest.mark.parametrize("size", [0.1, 0.5, 1.1, 2.0, 5.0])
def test_what_is_sent_again_behind_a_break_is_no_upload(size: float, away: float) -> None:
    """A client that takes its session up again has the audio of the break to send."""
    messages = stalled(live(size, 40.0, since=-away), -30.0, 30.05)
    assert listen(messages, 39.0 - away, goes_on=True).flushes == []


@pytest.mark.parametrize("size", [0.1, 0.5, 1.1, 2.0])
def test_what_arrived_while_the_gateway_stood_still_is_no_upload(size: float) -> None:
    """A freeze looks like a burst to a process, which reads all of it when it goes on."""
    clock = IdleClock(PATIENCE, OPENED)
    for place in range(1, round(4.0 / size) + 1):
        clock.audio(now := OPENED + 4.5 + place / 1000, now, size)
    clock.stood_still(4.0)
    assert clock.due(OPENED + 4.5 + max(0.9, 1.5 * size)) is None


def test_upload_that_goes_on_behind_a_break_is_answered_in_a_second() -> None:
    messages = clip(60.0, 0.1)
    seen = listen(messages, 10.0, goes_on=True)
    assert seen.flushes == [pytest.approx(messages[-1][0] + 1.0, abs=0.1)]


def test_upload_that_is_held_back_stays_an_upload() -> None:
    """Back-pressure makes an upload as slow as its transcript."""
    clock, now = IdleClock(PATIENCE, OPENED), OPENED
    for _ in range(60):
        clock.audio(now, now, 1.0)
        now += 0.01
    for _ in range(60):
        clock.held_up(now := now + 1.5)
        clock.audio(now, now, 1.0)
    clock.held_up(now)
    assert clock.deadline() == pytest.approx(now + 1.0)


def test_live_client_that_is_held_back_stays_live() -> None:
    clock = IdleClock(PATIENCE, OPENED)
    for at, size in live(0.1, 10.0):
        clock.audio(OPENED + at, OPENED + at, size)
    now = OPENED + 10.3
    for _ in range(8):
        clock.held_up(now := now + 1.0)
        assert clock.due(now + 0.9) is None
    for n in range(80):
        clock.audio(now + n / 1000, now + n / 1000, 0.1)
    assert clock.due(now + 3.0) is not Due.FLUSH
