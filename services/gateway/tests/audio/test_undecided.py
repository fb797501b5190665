"""First bytes that do not yet tell what they are: kept at a pause, and looked at few times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from joined import joined

from scripta_gateway.audio import decoder as decoder_module
from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.cutter import find_frames
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.framing import Framing
from scripta_gateway.audio.sniff import HEAD_BYTES, sniff
from scripta_gateway.audio.webmjoin import find_blocks

pytestmark = pytest.mark.unit


async def heard(messages: list[bytes | None], budget: StreamBudget) -> bytes:
    """Returns the PCM of messages; ``None`` among them is a pause."""
    decoder, pcm = AudioDecoder(AudioFormat(), budget=budget), b""
    try:
        for message in messages:
            pcm += await joined(decoder.flush() if message is None else decoder.feed(message))
        return pcm + await joined(decoder.flush(end=True))
    finally:
        await decoder.close()


def first_frames(data: bytes, count: int) -> tuple[int, int]:
    """Returns where the first frame of a stream begins, and where so many of them end."""
    framing, start = find_frames(data)
    assert isinstance(framing, Framing)
    end = start
    for _ in range(count):
        header = framing.header(data, end)
        assert header is not None
        end += header.frame_bytes
    return start, end


@pytest.mark.parametrize("kind", ["mp3_16k_live", "mp3", "aac", "ac3", "loas"])
@pytest.mark.parametrize("more", [0, 2])
async def test_a_frame_before_a_pause_is_kept_for_the_rest(
    kind: str, more: int, encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    """Guards against a stream that is heard as noise because its first frame came alone."""
    data = encoded(kind).data
    start, end = first_frames(data, 1)
    data, cut = data[start:], end - start + more
    assert await heard([data[:cut], None, data[cut:]], budget) == await heard([data], budget)


async def test_the_start_of_a_transport_stream_is_kept_at_a_pause(
    encoded: Callable[..., Any], budget: StreamBudget
) -> None:
    data = encoded("ts_aac").data
    assert await heard([data[:188], None, data[188:]], budget) == await heard([data], budget)


async def test_raw_samples_are_given_at_a_pause(budget: StreamBudget, speech: Any) -> None:
    """Guards the last word of a short raw message: nothing in it says that more comes."""
    data = speech[16_000:16_400].tobytes()
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    pcm = await joined(decoder.feed(data))
    assert pcm + await joined(decoder.flush()) == data
    await decoder.close()


async def test_what_is_refused_at_a_pause_is_refused_once(budget: StreamBudget) -> None:
    """Guards against bytes that are kept though they were refused, and spoil what follows."""
    decoder = AudioDecoder(AudioFormat(), budget=budget)
    text = b'{"type": "configuration", "language": "en", "words": fals'
    await joined(decoder.feed(text))
    with pytest.raises(AudioError, match="json"):  # noqa: PT012 - any of the calls may refuse
        await joined(decoder.feed(b"e}"))
        await joined(decoder.flush())
    assert await joined(decoder.flush()) == b""
    await decoder.close()


async def test_bytes_that_come_one_by_one_are_looked_at_few_times(
    budget: StreamBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the event loop: each look costs the length of what has come so far."""
    looks: list[int] = []

    def counted(head: bytes) -> Any:
        looks.append(len(head))
        return sniff(head)

    monkeypatch.setattr(decoder_module, "sniff", counted)
    data = b"\xff\xfb\xe0\x00" + np.random.default_rng(2).bytes(1300)  # one long frame
    messages: list[bytes | None] = [data[at : at + 1] for at in range(len(data))]
    await heard(messages, budget)
    assert len(looks) < 40
    assert sum(looks) < 6 * len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x56\xe0" * 16_000,
        b"\xff\xfb\x90\x00" * 8000,
        b"\xff\xf1\x50\x80" * 8000,
        b"\xa3" * 32_000,
        b"\xa3\x85\x81\0\0\x80\0" * 4000,
        b"\x0b\x77" * 16_000,
    ],
    ids=["loas", "mp3", "adts", "block", "blocks", "ac-3"],
)
def test_bytes_made_to_look_like_frames_cost_little(data: bytes) -> None:
    """Guards the event loop: one message of 32 KiB held it for 24 ms."""
    data = data[:HEAD_BYTES]
    took = []
    for _ in range(5):
        start = time.process_time()
        sniff(data)
        took.append(time.process_time() - start)
    assert min(took) < 0.010


def test_a_search_ends_where_it_gave_up() -> None:
    """The next search begins there, so that no frame is stepped over."""
    data = b"\x56\xe0" * 16_000
    framing, where = find_frames(data)
    assert framing is None
    assert 0 < where < 2000
    assert find_frames(data, where)[1] > where


def test_blocks_are_searched_in_a_bounded_number_of_places(encoded: Callable[..., Any]) -> None:
    data = encoded("webm_live").data
    blocks = data[data.index(b"\x1f\x43\xb6\x75") :]
    assert find_blocks(blocks, 256) is not None
    assert find_blocks(b"\xa3" * 300 + blocks, 256) is None
    assert find_blocks(b"\xa3" * 300 + blocks) is not None
