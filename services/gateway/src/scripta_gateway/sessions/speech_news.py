"""What a client is told of speech: each beginning and end once and in order. Pure.

Signals come by the doorbell: they may be lost, and a takeover repeats them. Finals come for
certain, once and in order, so they make up what is missing. Always true: beginnings and ends
alternate; those of a segment come before its final, silence comes behind it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from scripta_common.wire import Ended, Failed, Interim, Recorded, Speech, SpeechKind
from scripta_common.wire import Final as FinalResult

_MOST_HELD: Final = 16
"""Signals that wait for a final. More are dropped: finals make up for them."""


class SpeechNews:
    """Sorts out the signals of one session.

    Args:
        index: Last result that the client has.
    """

    def __init__(self, index: int = 0) -> None:
        self._final = index
        # Last segment whose end was told or whose final has come.
        self._closed = index
        # The segment of the last beginning that was told, and whether its end was not.
        self._started = index
        self._open = False
        # Time of the last signal that was told.
        self._until = 0.0
        self._silence_due = False
        self._held: deque[Speech] = deque(maxlen=_MOST_HELD)

    def hear(self, speech: Speech) -> list[Speech]:
        """Takes a signal; returns what the client is told now."""
        if self._held:  # nothing overtakes what waits
            self._held.append(speech)
            return []
        return self._sort(speech)

    def guess(self, interim: Interim) -> list[Speech]:
        """Takes an interim; returns what the client is told before it."""
        if self._open:
            return []
        return self.hear(Speech(SpeechKind.STARTED, interim.start, self._final + 1))

    def decide(self, result: Recorded) -> list[Speech]:
        """Takes the next result; returns what the client is told before it."""
        told: list[Speech] = []
        start, end, index = 0.0, self._until, result.index
        if isinstance(result, FinalResult):
            start, end = result.start, result.end
            if not self._open and end > start and start >= self._until and self._closed < index:
                told += self._begin(index, start)
        if self._open and self._started <= index and not isinstance(result, Failed):
            told += self._stop(index, end)
        self._final = index
        self._closed = max(self._closed, index)
        if isinstance(result, Ended | Failed):
            self._held.clear()
        return told

    def settle(self) -> list[Speech]:
        """Returns what waited for the last result and is told behind it."""
        waiting, self._held = list(self._held), deque(maxlen=_MOST_HELD)
        return [told for speech in waiting for told in self.hear(speech)]

    def clear(self, at: float) -> list[Speech]:
        """Records that undecided audio up to a time is dropped; returns what the client is told."""
        self._held.clear()
        told = self._stop(self._started, at) if self._open else []
        self._until = max(self._until, at)
        self._silence_due = False
        return told

    def _sort(self, speech: Speech) -> list[Speech]:
        kind, index = speech.kind, speech.index
        match kind:
            case SpeechKind.STARTED:
                if index <= self._final or index < self._started:
                    return []
                if self._open and index == self._started:
                    return []
                if self._open or index > self._closed + 1:
                    self._held.append(speech)
                elif speech.at >= self._until:
                    return self._begin(index, speech.at)
            case SpeechKind.STOPPED:
                if self._open and index == self._started and speech.at > self._until:
                    return self._stop(index, speech.at)
            case SpeechKind.SILENT:
                if self._open or not self._silence_due or index < self._closed:
                    return []
                if index > self._final:
                    self._held.append(speech)
                else:
                    self._silence_due = False
                    return [speech]
        return []

    def _begin(self, index: int, at: float) -> list[Speech]:
        self._started, self._open, self._until = index, True, at
        self._silence_due = False
        return [Speech(SpeechKind.STARTED, at, index)]

    def _stop(self, index: int, at: float) -> list[Speech]:
        self._open, self._until = False, max(at, self._until)
        self._closed = max(self._closed, index)
        self._silence_due = True
        return [Speech(SpeechKind.STOPPED, self._until, index)]
