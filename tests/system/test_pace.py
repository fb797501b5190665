"""How audio comes changes no word: the same speech in long messages, and behind a stall."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest
from native import Talk, decided, talk
from recordings import Recording, two_cities, words

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True)
class Way:
    """Seconds of audio in a message; when the network stands still, and for how long."""

    size: float
    stall_at: float = 0.0
    stall: float = 0.0

    def due(self, at: float) -> float:
        """When what was said up to some time arrives."""
        end = self.stall_at + self.stall
        return end if self.stall_at <= at < end else at


WAYS = (
    Way(0.1),
    Way(1.1),
    Way(2.0),
    Way(0.1, stall_at=3.55, stall=1.3),
    Way(1.1, stall_at=5.3, stall=1.3),
    Way(2.0, stall_at=3.5, stall=3.0),
)


async def say(session: Talk, recording: Recording, way: Way) -> None:
    """Sends a recording as a recorder does, as fast as it was spoken."""
    clock = asyncio.get_running_loop().time
    began, size = clock(), round(way.size * recording.rate) * 2
    for place, start in enumerate(range(0, len(recording.pcm), size), start=1):
        await asyncio.sleep(began + way.due(place * way.size) - clock())
        await session.send(recording.pcm[start : start + size])


async def test_words_do_not_depend_on_how_their_audio_comes(system: Stack) -> None:
    """A recorder that sends a message each second was cut at each, and a stall cut the word."""
    recording = two_cities().until(9.5)
    query = {"encoding": "linear16", "sample_rate": recording.rate}

    async def hear(way: Way) -> list[dict[str, object]]:
        async with talk(system.ws_url, **query) as session:
            await say(session, recording, way)
            return decided(await session.end())

    expected, *others = await asyncio.gather(*map(hear, WAYS))
    said = words(" ".join(str(final["text"]) for final in expected))
    assert said.startswith("it was the best of times it was the worst of times")
    assert "it was the age of foolishness" in said
    assert "idle" not in [final["reason"] for final in expected]
    assert others == [expected] * len(others)


async def test_who_stops_sending_behind_a_word_is_answered_soon(system: Stack) -> None:
    """A client that mutes itself sends no silence that would end what was said."""
    recording = two_cities()
    room = recording.until(0.5)  # before anybody speaks
    said = replace(recording, pcm=recording.until(4.9).pcm + room.pcm)
    query = {"encoding": "linear16", "sample_rate": said.rate, "endpointing": 3000}
    async with talk(system.ws_url, **query) as session:
        await say(session, said, Way(0.1))
        await session.until(lambda: session.finals, seconds=4.0)
        [final] = session.finals
    assert final["reason"] == "idle"
    assert words(final["text"]) == "it was the best of times it was the worst of times"
