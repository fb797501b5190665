"""Turns: stretches of speech that belong together, from what a dialect is told. Pure.

A turn is found by the transcriber, a segment each, or ended by the client, with all segments until
then. Always true: the changes of a turn are told once each and in the order of ``Step``, except
that its text may grow before it ends; and text only grows (``appending``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from scripta_common.wire import Final, Interim, Reason, Speech, SpeechKind
from scripta_gateway.bounds import MAX_TURN_SEGMENTS
from scripta_gateway.dialects.appending import Appending

_SLACK = 0.05
"""Seconds by which times on the client's clock and on the audio's may differ."""


class Step(Enum):
    """What happens to a turn."""

    BEGAN = auto()
    STOPPED = auto()
    ENDED = auto()
    """Nothing that is said from now on belongs to it."""
    GREW = auto()
    COMPLETED = auto()


@dataclass(slots=True, eq=False)
class Turn:
    """A turn; its times are seconds of what the client has sent.

    Attributes:
        number: Its place in the order of their beginning.
        start: Where it begins.
        end: Where it ends; ``None`` while that is not known.
        finals: What is decided of it.
        text: What was told of its text.
        steps: What was told of it.
        previous: The turn that ended before it, once it has ended.
    """

    number: int
    start: float
    end: float | None = None
    finals: list[Final] = field(default_factory=list)
    text: Appending = field(default_factory=Appending)
    steps: set[Step] = field(default_factory=set)
    previous: Turn | None = None

    @property
    def transcript(self) -> str:
        """What was said."""
        return " ".join(final.text for final in self.finals)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return max(0.0, (self.end or self.start) - self.start)


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to a turn.

    Attributes:
        step: What it was.
        turn: The turn.
        text: What is new of its text, if it grew.
    """

    step: Step
    turn: Turn
    text: str = ""


class Turns:
    """The turns of one call.

    Attributes:
        found: Whether the transcriber finds turns; otherwise the client ends them.
        behind: Seconds that had been sent when the session at hand began.
    """

    def __init__(self) -> None:
        self.found = True
        self.behind = 0.0
        self._count = 0
        self._last: Turn | None = None
        # Where the audio begins that is in no turn yet.
        self._since = 0.0
        # Not decided yet: found by the transcriber; ended by the client; heard, and not ended.
        self._found: deque[Turn] = deque()
        self._ended: deque[Turn] = deque()
        self._open: Turn | None = None

    @property
    def undecided(self) -> tuple[Turn, ...]:
        """Turns of which the client knows and that are not complete."""
        return (*self._ended, *self._found)

    def buffered(self, sent: float) -> float:
        """Returns how many seconds are in no turn yet, if so many were sent."""
        return sent - self._since

    def end(self, sent: float) -> Turn:
        """Returns the turn that the client ends now, when it has sent so many seconds.

        The next final with the reason ``finalize`` completes it.
        """
        speaking = self._found and self._found[-1].end is None
        turn = self._found.pop() if speaking else self._open or self._new(self._since)
        turn.start, turn.end = self._since, sent
        self._open, self._since = None, sent
        self._ended.append(turn)
        return turn

    def clear(self, sent: float) -> None:
        """Forgets what was sent and is in no turn that has ended."""
        self._found = deque(turn for turn in self._found if turn.end is not None)
        self._open, self._since = None, sent

    def close(self, turn: Turn) -> list[Change]:
        """Returns that a turn has ended, unless that was told before."""
        if Step.ENDED in turn.steps:
            return []
        stopped = _changed(turn, Step.STOPPED) if Step.BEGAN in turn.steps else []
        turn.previous, self._last = self._last, turn
        return [*stopped, *_changed(turn, Step.ENDED)]

    def leave(self) -> list[Change]:
        """Returns that a turn is complete that the client would have ended: no more comes of it."""
        turn, self._open = self._open, None
        if turn is None:
            return []
        turn.end = self.behind + turn.finals[-1].end if turn.finals else turn.start
        return [*self.close(turn), *_changed(turn, Step.COMPLETED)] if turn.finals else []

    def hear(self, speech: Speech) -> list[Change]:
        """Records that speech has begun or ended."""
        at = self.behind + speech.at
        speaking = self._found[-1] if self._found and self._found[-1].end is None else None
        match speech.kind:
            case SpeechKind.STARTED if speaking is None and self.found:
                return self._begin(at)
            case SpeechKind.STOPPED if speaking is not None:
                speaking.end = max(at, speaking.start)
                return _changed(speaking, Step.STOPPED)
        return []

    def guess(self, interim: Interim) -> list[Change]:
        """Takes an interim."""
        if not interim.text:
            return []
        turn, began = self._turn_of(self.behind + interim.start, self.behind + interim.end)
        return [*began, *_grown(turn, turn.text.grow(interim.stable))] if turn else []

    def decide(self, final: Final) -> list[Change]:
        """Takes a final."""
        start, end = self.behind + final.start, self.behind + final.end
        while self.found and self._found and (self._found[0].end or end) <= start:
            self._found.popleft()  # it was a noise: no segment came of it
        began: list[Change] = []
        turn: Turn | None
        if self._ended and final.reason is Reason.FINALIZE:
            turn = self._ended.popleft()
            over = True
        else:
            turn, began = self._turn_of(start, end, says=bool(final.text))
            if turn is None:
                return []
            over = turn in self._found
            if over:
                self._found.remove(turn)
                turn.end = turn.end or end
                self._since = max(self._since, end)
        changes = [*began, *(self.close(turn) if over else ())]
        if final.text:
            turn.finals.append(final)
            changes += _grown(turn, turn.text.settle(final.text))
        if over:
            return changes + _changed(turn, Step.COMPLETED)
        if turn is self._open and len(turn.finals) >= MAX_TURN_SEGMENTS:
            self._since = end
            changes += self.leave()
        return changes

    def _turn_of(
        self, start: float, end: float, *, says: bool = True
    ) -> tuple[Turn | None, list[Change]]:
        """Returns the turn that a result belongs to, and what happens to it by that."""
        middle = (start + end) / 2 + _SLACK
        for turn in self._found:
            if turn.start < end + _SLACK and (turn.end is None or start < turn.end):
                return turn, []
        if self._ended:
            turn = self._ended[0]
            return (turn if middle >= turn.start else None), []
        if middle < self._since or not says:  # of what was cleared, or of nothing
            return None, []
        if self.found:
            began = self._begin(start)
            return self._found[-1], began
        self._open = self._open or self._new(self._since)
        return self._open, []

    def _begin(self, start: float) -> list[Change]:
        turn = self._new(start)
        self._found.append(turn)
        return _changed(turn, Step.BEGAN)

    def _new(self, start: float) -> Turn:
        self._count += 1
        return Turn(self._count, start)


def _changed(turn: Turn, step: Step) -> list[Change]:
    """Returns a change, unless it was told before."""
    if step in turn.steps:
        return []
    turn.steps.add(step)
    return [Change(step, turn)]


def _grown(turn: Turn, text: str) -> list[Change]:
    return [Change(Step.GREW, turn, text)] if text else []
