"""Listens to several sessions at once: in step, frame by frame, through one voice detector.

Each session hears what it would have heard alone, and one that fails does not concern the others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial

from scripta_common.wire import Entry
from scripta_transcriber.segmenter.base import Cut, Segmenter
from scripta_transcriber.segmenter.speech import SpeechSegmenter
from scripta_transcriber.segmenter.vad import Turn, listen_to

Decided = list[tuple[Cut, int]]
"""Cuts, each with the number of the entry that decided it."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What a session hears next.

    Attributes:
        segmenter: The session's.
        entries: Its next entries.
    """

    segmenter: Segmenter
    entries: Sequence[Entry]


def listen(portions: Sequence[Portion]) -> list[Decided | Exception]:
    """Returns, for each portion, its cuts, or why its session can not go on; blocking.

    Args:
        portions: Of different sessions, all with the same voice detector.
    """
    hearings = [_Hearing(portion) for portion in portions]
    waiting = [hearing for hearing in hearings if hearing.begin()]
    while waiting:
        heard = listen_to([hearing.turn for hearing in waiting])
        waiting = [
            hearing
            for hearing, probability in zip(waiting, heard, strict=True)
            if hearing.go_on(probability)
        ]
    return [hearing.outcome for hearing in hearings]


class _Hearing:
    """One session's part in it.

    Attributes:
        turn: What it waits to hear of, while it does.
        outcome: What came of it, once it is over.
    """

    turn: Turn
    outcome: Decided | Exception

    def __init__(self, portion: Portion) -> None:
        self._listening = _listen_alone(portion)

    def begin(self) -> bool:
        """Returns whether there is something that it waits to hear of."""
        return self._advance(self._listening.__next__)

    def go_on(self, probability: float) -> bool:
        """Takes what was heard; returns whether there is something more."""
        return self._advance(partial(self._listening.send, probability))

    def _advance(self, step: Callable[[], Turn]) -> bool:
        try:
            self.turn = step()
        except StopIteration as over:
            self.outcome = over.value
            return False
        except Exception as error:  # this session's end and not the others'
            self.outcome = error
            return False
        return True


def _listen_alone(portion: Portion) -> Generator[Turn, float, Decided]:
    segmenter, decided = portion.segmenter, Decided()
    for entry in portion.entries:
        if isinstance(segmenter, SpeechSegmenter):
            cuts = yield from segmenter.listen(entry)
        else:
            cuts = segmenter.feed(entry)
        decided += [(cut, entry.seq) for cut in cuts]
    return decided
