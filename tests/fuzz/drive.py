"""Feeds mutations to decoders, beside neighbours whose streams must not change by a bit."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from joined import joined

from fuzz.mutations import mutated
from fuzz.seeds import seeds
from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.limits import DecoderLimits

_NEIGHBOURS = 4
_PACE_SECONDS = 0.1
_PIECE = 400


class Outcome(StrEnum):
    """What became of a mutation."""

    DECODED = "decoded"
    REFUSED = "refused"
    CRASHED = "crashed its decoder"
    HUNG = "hung and was ended"
    HUNGRY = "ran out of its memory"


@dataclass
class Found:
    """What a run has found.

    Attributes:
        outcomes: How many mutations came to what.
        killers: Those that cost a decoder, by their number.
        latencies: Seconds that neighbours' messages took.
        changed: Neighbours' streams that did not sound as alone.
        longest: The longest that a mutation's whole stream took, in seconds.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    killers: dict[int, Outcome] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    changed: int = 0
    longest: float = 0.0


class Drive:
    """One run.

    Args:
        seed: Of the mutations.
        numbers: Which mutations to run.
        keep: Folder that those go to which cost a decoder.
        at_once: Streams at the same time.
    """

    def __init__(
        self, seed: int, numbers: Iterator[int], *, keep: Path | None = None, at_once: int = 6
    ) -> None:
        self.found = Found()
        self._seed = seed
        self._numbers = numbers
        self._keep = keep
        self._at_once = at_once
        self._budget = StreamBudget()
        self._limits = DecoderLimits(step_seconds=10)
        self._over = False

    async def run(self) -> Found:
        """Runs all mutations, and neighbours for as long."""
        alone = [await self._stream(seed) for seed in self._spoken()]
        neighbours = [
            asyncio.create_task(self._neighbour(data, wanted))
            for data, wanted in zip(self._spoken(), alone, strict=True)
        ]
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._at_once):
                tasks.create_task(self._work())
        self._over = True
        await asyncio.gather(*neighbours)
        return self.found

    def _spoken(self) -> Sequence[bytes]:
        """Returns what neighbours send: Ogg/Opus, WebM, MP3 and FLAC."""
        return [seeds()[place] for place in (9, 13, 21, 7)][:_NEIGHBOURS]

    async def _work(self) -> None:
        for number in self._numbers:
            messages = mutated(seeds(), self._seed, number)
            began = time.monotonic()
            outcome = await self._outcome(messages)
            self.found.longest = max(self.found.longest, time.monotonic() - began)
            self.found.outcomes[outcome] += 1
            if outcome not in (Outcome.DECODED, Outcome.REFUSED):
                self.found.killers[number] = outcome
                if self._keep is not None:
                    (self._keep / f"{self._seed}-{number}").write_bytes(b"".join(messages))

    async def _outcome(self, messages: Sequence[bytes]) -> Outcome:
        decoder, outcome = self._decoder(), Outcome.DECODED
        for message in (*messages, None):
            try:
                await joined(decoder.flush(end=True) if message is None else decoder.feed(message))
            except AudioError as error:
                worse = _outcome_of(error)
                outcome = worse if outcome in (Outcome.DECODED, Outcome.REFUSED) else outcome
        await decoder.close()
        return outcome

    async def _neighbour(self, data: bytes, wanted: bytes) -> None:
        while not self._over:
            self.found.changed += await self._stream(data, paced=True) != wanted

    async def _stream(self, data: bytes, *, paced: bool = False) -> bytes:
        """Returns the audio of a stream that is sent piece by piece."""
        decoder, pcm = self._decoder(), b""
        for at in range(0, len(data), _PIECE):
            began = time.monotonic()
            pcm += await joined(decoder.feed(data[at : at + _PIECE]))
            if paced:
                self.found.latencies.append(time.monotonic() - began)
                await asyncio.sleep(_PACE_SECONDS)
        pcm += await joined(decoder.flush(end=True))
        await decoder.close()
        return pcm

    def _decoder(self) -> AudioDecoder:
        return AudioDecoder(AudioFormat(), budget=self._budget, limits=self._limits)


def _outcome_of(error: AudioError) -> Outcome:
    said = str(error)
    for words, outcome in (
        ("broke down", Outcome.CRASHED),
        ("too long to decode", Outcome.HUNG),
        ("too much memory", Outcome.HUNGRY),
    ):
        if words in said:
            return outcome
    return Outcome.REFUSED
