"""A decoder's process ends with it, whatever it was doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from joined import joined

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.processes import SHARED_PROCESSES

pytestmark = pytest.mark.unit

CODED = ["flac", "ogg_opus", "webm_live", "mp3", "m4a_index_last", "m4a_index_first"]


def decoding() -> int:
    return len(SHARED_PROCESSES.living)


async def cancel_in_mid_feed(decoder: AudioDecoder, data: bytes, until: Any) -> None:
    feeding = asyncio.create_task(joined(decoder.feed(data)))
    await until(decoding)
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding


@pytest.mark.parametrize("kind", CODED)
async def test_close_in_mid_stream_ends_the_process(
    kind: str,
    encoded: Callable[..., Any],
    budget: StreamBudget,
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = encoded(kind).data
    for size in (60, len(data) // 2):
        decoder = AudioDecoder(AudioFormat(), budget=budget)
        await joined(decoder.feed(data[:size]))
        assert decoding() == 1
        await decoder.close()
        await decoder.close()
        assert decoding() == 0
    assert budget.free_streams == 4
    assert capfd.readouterr().err == ""


async def test_a_finished_file_keeps_no_process(
    encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    await joined(decoder.feed(encoded("ogg_opus").data))
    assert decoding() == 0
    assert budget.free_streams == 4


async def test_close_after_a_cancelled_feed_ends_the_process(
    encoded: Callable[..., Any], budget: StreamBudget, until: Any
) -> None:
    data = encoded("ogg_vorbis").data * 40
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    await cancel_in_mid_feed(decoder, data, until)
    await decoder.close()
    assert decoding() == 0
    assert budget.free_streams == 4


async def test_a_cancelled_feed_leaves_the_decoder_usable(
    encoded: Callable[..., Any], budget: StreamBudget, speech: Any, until: Any
) -> None:
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    await cancel_in_mid_feed(decoder, encoded("ogg_vorbis").data * 40, until)
    assert await joined(decoder.feed(encoded("flac").data)) == speech.tobytes()
    await decoder.close()


async def test_the_loop_runs_while_a_large_file_is_decoded(
    encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    feeding = asyncio.create_task(joined(decoder.feed(encoded("ogg_vorbis").data * 10)))
    turns = 0
    while not feeding.done():
        await asyncio.sleep(0.001)  # a turn of a loop that has nothing to do; decoders are nice
        turns += 1
    assert await feeding
    assert turns > 20
    await decoder.close()


async def test_sessions_do_not_disturb_each_other(
    encoded: Callable[..., Any], budget: StreamBudget, decode: Any, pieces: Any
) -> None:
    kinds = ["ogg_opus", "webm", "mp3", "flac_live"]
    alone = [(await decode([encoded(kind).data])).all for kind in kinds]
    together = await asyncio.gather(*(decode(pieces(encoded(kind).data, 500)) for kind in kinds))
    assert [result.all for result in together] == alone


def test_a_loop_that_ends_without_close_does_not_hang(encoded: Callable[..., Any]) -> None:
    budget = StreamBudget(streams=1)
    decoder = AudioDecoder(AudioFormat(), budget=budget)

    async def begin() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await joined(decoder.feed(encoded("ogg_vorbis").data))

    asyncio.run(begin())
    asyncio.run(decoder.close())
    assert budget.free_streams == 1
