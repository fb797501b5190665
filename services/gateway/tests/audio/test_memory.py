"""The memory that all decoders take together."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.memory import DecoderMemory
from scripta_gateway.bounds import ORDINARY_DECODER_BYTES, Bound
from scripta_gateway.telemetry.metrics import BOUNDS_HIT

pytestmark = pytest.mark.asgi

MIB = 1024 * 1024
KEPT = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + (64 * MIB).to_bytes(4, "big") + b"mdat"
"""The start of an MP4 file whose samples come first, so that all of it has to be kept."""


class Taker:
    """A decoder that takes what it is told to, beside what it was born with."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.taken = 20 * MIB
        self.ended = False

    def end_for_memory(self) -> None:
        self.ended = True


@pytest.fixture
def takers() -> list[Taker]:
    return [Taker(number) for number in range(4)]


@pytest.fixture
def memory(takers: list[Taker]) -> DecoderMemory:
    return DecoderMemory(100 * MIB, lambda pid: takers[pid].taken)


async def test_ordinary_decoders_are_left_alone_however_many(
    memory: DecoderMemory, takers: list[Taker]
) -> None:
    for taker in takers:
        memory.enter(taker)
        taker.taken += ORDINARY_DECODER_BYTES
    memory._most = 0
    memory.look()
    assert not any(taker.ended for taker in takers)
    for taker in takers:
        memory.leave(taker)


async def test_greediest_is_ended_and_no_more_than_have_to_be(
    memory: DecoderMemory, takers: list[Taker]
) -> None:
    """Guards the container's memory: each decoder may take much, and all together may not."""
    for taker, taken in zip(takers, (30, 60, 40, 10), strict=True):
        memory.enter(taker)
        taker.taken += ORDINARY_DECODER_BYTES + taken * MIB
    memory.look()
    assert [taker.ended for taker in takers] == [False, True, False, False]
    memory.look()
    assert [taker.ended for taker in takers] == [False, True, False, False]
    for taker in takers:
        memory.leave(taker)
    assert memory._next_look is None


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
async def test_stream_that_takes_too_much_hears_why_and_its_neighbour_goes_on(
    encoded: Callable[..., Any], until: Any
) -> None:
    budget = StreamBudget(memory=DecoderMemory(4 * MIB))
    neighbour, greedy = (AudioDecoder(AudioFormat(), budget=budget) for _ in range(2))
    parts = list(encoded("ogg_opus_live").parts)
    heard = await joined(neighbour.feed(b"".join(parts[:-1])))
    counted = BOUNDS_HIT[Bound.DECODER_MEMORY]
    before = counted.value

    async def refused() -> bool:
        try:
            # Slowly: a look has to come before the file is too large in itself.
            await joined(greedy.feed(bytes(MIB // 4)))
        except AudioError as error:
            return "needs memory that this server has no more of" in str(error)
        return False

    await joined(greedy.feed(KEPT))
    await until(refused)
    assert counted.value == before + 1
    heard += await joined(neighbour.feed(parts[-1]))
    heard += await joined(neighbour.flush(end=True))
    assert len(heard) > 32_000
    await neighbour.close()
    await greedy.close()
