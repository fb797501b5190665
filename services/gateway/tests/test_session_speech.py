"""Signals of speech and clearing at a session, against a real broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from session_steps import SECOND, MakeHub, append, opened

from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import (
    Checkpoint,
    EntryKind,
    Final,
    Interim,
    Reason,
    Ring,
    Speech,
    SpeechKind,
)
from scripta_gateway.bounds import MAX_UNDELIVERED
from scripta_gateway.sessions.session import Session

pytestmark = pytest.mark.store

ASKS = SessionOptions(interim_results=True, speech_events=True)
BEGUN, OVER = Speech(SpeechKind.STARTED, 0.2, 1), Speech(SpeechKind.STOPPED, 0.8, 1)
FINAL = Final(1, 0.2, 0.8, "word", Reason.ENDPOINT)


async def heard(session: Session, count: int) -> list[Any]:
    results: list[Any] = []
    async with asyncio.timeout(10):
        while len(results) < count:
            results += await session.next_results()
    return results


async def test_signals_stand_before_the_results_that_they_belong_to(
    make_hub: MakeHub, scribe: Any
) -> None:
    session = await opened(await make_hub(), ASKS)
    await scribe.take()
    await append(session, SECOND, len(SECOND))
    await scribe.log.ring_speech(scribe.claim, [BEGUN])
    assert await heard(session, 1) == [BEGUN]
    await scribe.log.ring_speech(scribe.claim, [BEGUN])
    await scribe.log.ring_interim(scribe.claim, Interim(0.2, 0.5, "wor"))
    await scribe.log.ring_speech(scribe.claim, [OVER])
    await scribe.log.commit(scribe.claim, Checkpoint(12_800, 0), 0, [FINAL])
    told = await heard(session, 2)
    assert [one for one in told if not isinstance(one, Interim)] == [OVER, FINAL]


async def test_results_that_are_read_from_the_log_bring_what_was_not_signalled(
    make_hub: MakeHub, scribe: Any
) -> None:
    """A transcriber of an earlier release signals nothing at all."""
    session = await opened(await make_hub(), ASKS)
    await scribe.take()
    await append(session, SECOND, len(SECOND))
    await scribe.log.commit(scribe.claim, Checkpoint(12_800, 0), 0, [FINAL])
    assert await heard(session, 3) == [BEGUN, OVER, FINAL]


async def test_session_that_does_not_ask_gets_no_signal(make_hub: MakeHub, scribe: Any) -> None:
    session = await opened(await make_hub())
    await scribe.take()
    await append(session, SECOND, len(SECOND))
    await scribe.log.ring_speech(scribe.claim, [BEGUN, OVER])
    await scribe.log.commit(scribe.claim, Checkpoint(12_800, 0), 0, [FINAL])
    assert await heard(session, 1) == [FINAL]


async def test_signals_for_a_client_that_does_not_read_are_bounded(make_hub: MakeHub) -> None:
    session = await opened(await make_hub(), ASKS)
    outflow = session._outflow
    for index in range(1, 10 * MAX_UNDELIVERED):
        signals = (
            Speech(SpeechKind.STARTED, float(index), index),
            Speech(SpeechKind.STOPPED, index + 0.5, index),
        )
        session.ring(Ring(session.sid, -1, -1, -1, signals))
    assert len(outflow._undelivered) <= MAX_UNDELIVERED + 2


async def test_clear_is_an_entry_that_releases_without_it_read_as_audio(
    make_hub: MakeHub, scribe: Any
) -> None:
    session = await opened(await make_hub(), ASKS)
    await scribe.take()
    session.clear()  # nothing is there
    assert not session.unwritten
    await append(session, SECOND, len(SECOND))
    session.clear()
    session.clear()
    await session.write()
    [_, clear] = await scribe.log.read(session.sid, 0, 10)
    assert clear.is_clear
    assert (clear.kind, clear.pcm, clear.first_sample) == (EntryKind.AUDIO, b"", 16_000)
    assert clear.reason in {"endpoint", "length", "finalize", "idle", "end", "message"}


async def test_interims_of_what_was_cleared_are_not_given_out(
    make_hub: MakeHub, scribe: Any
) -> None:
    session = await opened(await make_hub(), ASKS)
    await scribe.take()
    await append(session, SECOND, len(SECOND))
    await scribe.log.ring_speech(scribe.claim, [BEGUN])
    assert await heard(session, 1) == [BEGUN]
    session.clear()
    await scribe.log.ring_interim(scribe.claim, Interim(0.2, 0.9, "dropped"))
    later = Interim(1.2, 1.6, "kept")
    await scribe.log.ring_interim(scribe.claim, later)
    told = await heard(session, 3)
    assert told == [
        Speech(SpeechKind.STOPPED, 1.0, 1),
        Speech(SpeechKind.STARTED, 1.2, 1),
        later,
    ]
