"""Speech that goes on behind a checkpoint, through a real log and a takeover."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from scripta_common.broker import Broker
from scripta_common.sessionlog import Claim, GatewayLog, SessionOptions, TranscriberLog
from scripta_common.sessionlog.standing import Standing
from scripta_common.wire import Checkpoint, Entry, Intake, Reason
from scripta_transcriber.engines.moonshine import MoonshineEngine
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter
from scripta_transcriber.segmenter.base import Cut
from scripta_transcriber.segmenter.vad import VoiceDetector

pytestmark = pytest.mark.store

LogOf = Callable[..., list[Entry]]
SID = "a-session"
WISHES = SegmenterOptions(max_segment_ms=2_000)


def cuts_of(detector: VoiceDetector, checkpoint: Checkpoint, entries: Sequence[Entry]) -> list[Cut]:
    segmenter = create_segmenter(MoonshineEngine.capabilities, checkpoint, WISHES, detector)
    return [cut for entry in entries for cut in segmenter.feed(entry)]


async def claimed(log: TranscriberLog) -> Claim:
    assignment = await log.next_assignment(2)
    assert assignment is not None
    claim = await log.claim(assignment)
    assert claim is not None
    return claim


@pytest.mark.parametrize("broker_comes_back_empty", [False, True])
async def test_next_transcriber_goes_on_in_mid_speech(
    broker: Broker,
    detector: VoiceDetector,
    two_cities: bytes,
    log_of: LogOf,
    broker_comes_back_empty: bool,
):
    """A cold start behind the cut would begin the segment elsewhere, or lose its first word."""
    entries = log_of(two_cities[:400_000])
    gateway = GatewayLog(broker, "gw", ttl=60)
    first = TranscriberLog(broker, "first", lease=60, ttl=60)
    second = TranscriberLog(broker, "second", lease=60, ttl=60)
    await first.join()
    assert await gateway.open(SID, SessionOptions())
    for entry in entries:
        await gateway.append(SID, [entry])
    claim = await claimed(first)
    cuts = cuts_of(detector, claim.checkpoint, await first.read(SID, 0, len(entries)))
    done = next(n for n, cut in enumerate(cuts, 1) if cut.segment and cut.checkpoint.speaking)
    checkpoint = cuts[done - 1].checkpoint
    assert cuts[done - 1].segment.reason is Reason.LENGTH
    await first.commit(claim, checkpoint, 0, [])
    progress = await gateway.poll(SID)
    assert progress is not None
    assert progress.checkpoint == checkpoint
    if broker_comes_back_empty:
        kept = entries[checkpoint.seq :]
        standing = Standing(checkpoint, 0, kept[0].first_sample, Intake(), 1)
        await broker.execute("FLUSHALL")
        await second.join()
        assert await gateway.restore(SID, SessionOptions(), standing)
        for entry in kept:
            await gateway.append(SID, [entry])
    else:
        await second.join()
        await first.hand_off(claim)
    claim = await claimed(second)
    assert claim.checkpoint == checkpoint
    rest = await second.read(SID, checkpoint.seq, len(entries))
    assert cuts_of(detector, claim.checkpoint, rest) == cuts[done:]
