"""Clients that speak recordings, live or as fast as they are taken, and compare what they hear."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import picows

from deck import CHUNK_SAMPLES, CHUNK_SECONDS, Due, Piece, stable_share
from scripta_common.wire import SAMPLE_RATE


class _Frame(msgspec.Struct):
    status: str
    error: str = ""
    code: str = ""
    text: str = ""
    stable: str = ""
    start: float = 0.0
    end: float = 0.0
    reason: str = ""


_decode = msgspec.json.Decoder(_Frame).decode


@dataclass(frozen=True, slots=True)
class Delivery:
    """A final on its way.

    Attributes:
        sent: When the message was sent that decided it.
        received: When it was here; infinite if it never was.
        key: Checksum of its audio.
    """

    sent: float
    received: float
    key: int

    @property
    def latency(self) -> float:
        """Seconds from one to the other: the endpointing wait is not in it."""
        return self.received - self.sent


@dataclass(slots=True)
class Tally:
    """What the talkers of one measurement saw.

    Attributes:
        since: What was decided before this time does not count (but must be right).
        finals: Finals that are not empty.
        first_words: Seconds from sending the beginning of speech to the first words of it.
        interims: Interims that came of segments that are final.
        interims_due: Those that the bare engine made of the same.
        stable: Shares of the words in these interims that were called stable, added up.
        stable_due: The same of the bare engine.
        late: By how many seconds chunks were sent later than spoken.
        differing: Finals that are not those of the bare engine.
        heard: How often each recording was heard to its end.
        lost: Why sessions were lost.
    """

    since: float = math.inf
    finals: list[Delivery] = field(default_factory=list)
    first_words: list[float] = field(default_factory=list)
    interims: int = 0
    interims_due: int = 0
    stable: float = 0.0
    stable_due: float = 0.0
    late: list[float] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    heard: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Telling:
    """A recording that is being said, from a sample of the session on."""

    piece: Piece
    base: int
    sent: list[float] = field(default_factory=list)
    at: int = 0
    interims: int = 0
    stable: float = 0.0
    first: float = math.inf

    @property
    def due(self) -> Due:
        return self.piece.dues[self.at]

    @property
    def decided(self) -> float | None:
        """When the message was sent that decides the final that is due."""
        return self.sent[self.due.by] if self.due.by < len(self.sent) else None

    def seconds(self, sample: int) -> float:
        return round((self.base + sample) / SAMPLE_RATE, 3)


class Talker(picows.WSListener):
    """One session.

    Args:
        deck: Recordings to say, one after the other; it ends the session when there are no more.
        tally: Where it notes what it sees.
        ahead: Messages that may be sent and not acknowledged: it sends as fast as that allows.
            0: it sends when it is told to ``say`` something.

    Attributes:
        over: Set when its connection has ended.
        refused: When it was told that there is no slot for it; ``None`` if it was not.
    """

    def __init__(self, deck: Iterator[Piece], tally: Tally, ahead: int = 0) -> None:
        self.over = asyncio.Event()
        self.refused: float | None = None
        self._deck = deck
        self._tally = tally
        self._ahead = ahead
        self._transport: picows.WSTransport | None = None
        self._tellings: deque[_Telling] = deque()
        self._telling: _Telling | None = None
        self._samples = 0
        self._unanswered = 0
        self._began = 0.0
        self._ended = False

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Begins to speak, if it is in a hurry."""
        self._transport = transport
        self._hurry()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """Notes what never came."""
        if self.refused is not None:
            self.over.set()
            return
        if not self._ended:
            self._tally.lost.append("the connection broke")
        for telling in self._tellings:
            while telling.at < len(telling.piece.dues) and telling.decided is not None:
                self._tally.differing.append(f"{telling.piece.name}: missing {telling.due.text!r}")
                self._count(telling, math.inf)
        self.over.set()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Takes what the gateway sends."""
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()
        if frame.msg_type != picows.WSMsgType.TEXT:
            return
        now = time.perf_counter()
        message = _decode(frame.get_payload_as_memoryview())
        if message.status == "received":
            self._unanswered -= 1
            self._hurry()
        elif message.status == "interim":
            self._interim(message, now)
        elif message.status == "transcript":
            self._final(message, now)
        elif message.code == "no_capacity":
            self.refused, self._ended = now, True
        elif message.error:
            self._tally.lost.append(message.error)

    def say(self) -> None:
        """Sends the next message, and behind the last of a recording the ``finalize``."""
        if self._ended or self._transport is None:
            return
        if self._telling is None and not self._turn_over():
            self.end()
            return
        telling, now = self._telling, time.perf_counter()
        assert telling is not None
        self._began = self._began or now
        spoken = self._began + self._samples / SAMPLE_RATE
        if not self._ahead and now >= self._tally.since:
            self._tally.late.append(now - spoken)
        self._transport.send(picows.WSMsgType.BINARY, telling.piece.chunks[len(telling.sent)])
        telling.sent.append(now)
        self._unanswered += 1
        self._samples += CHUNK_SAMPLES
        if len(telling.sent) == len(telling.piece.chunks):
            self._transport.send(picows.WSMsgType.TEXT, b'{"type":"finalize"}')
            telling.sent.append(now)
            self._telling = None

    def end(self) -> None:
        """Ends the session; ``over`` is set when all of its finals are here."""
        if not self._ended and self._transport is not None:
            self._ended = True
            self._transport.send(picows.WSMsgType.TEXT, b'{"type":"end"}')

    def leave(self) -> None:
        """Cuts the connection."""
        if self._transport is not None:
            self._transport.disconnect()

    def _hurry(self) -> None:
        while self._unanswered < self._ahead and not self._ended:
            self.say()

    def _turn_over(self) -> bool:
        piece = next(self._deck, None)
        if piece is None:
            return False
        self._telling = _Telling(piece, self._samples)
        self._tellings.append(self._telling)
        return True

    def _interim(self, message: _Frame, now: float) -> None:
        telling = self._tellings[0] if self._tellings else None
        if telling is None:
            return
        # A segment's beginning is known for good with its final: until then it may move.
        begins, ends = telling.seconds(telling.due.start), telling.seconds(telling.due.end)
        if not (message.start < ends and begins < message.end):
            return
        telling.interims += 1
        if message.text:
            telling.first = min(telling.first, now)
        telling.stable += stable_share(message.text, message.stable)

    def _final(self, message: _Frame, now: float) -> None:
        telling = self._tellings[0] if self._tellings else None
        if telling is None or telling.decided is None:
            if not self._ended:  # else it is of what it was saying when it was told to end
                self._tally.differing.append(f"nothing was due: {message.text!r}")
            return
        due = telling.due
        wanted = (due.text, telling.seconds(due.start), telling.seconds(due.end), due.reason)
        heard = (message.text, message.start, message.end, message.reason)
        if heard != wanted:
            self._tally.differing.append(f"{telling.piece.name}: {heard}, not {wanted}")
        self._count(telling, now)
        if telling.at == len(telling.piece.dues):
            self._tally.heard[telling.piece.name] += 1
            self._tellings.popleft()

    def _count(self, telling: _Telling, now: float) -> None:
        due, decided = telling.due, telling.decided
        assert decided is not None
        if decided >= self._tally.since and due.text:
            self._tally.finals.append(Delivery(decided, now, due.key))
            self._tally.interims += telling.interims
            self._tally.interims_due += due.interims
            self._tally.stable += telling.stable
            self._tally.stable_due += due.stable
            if due.onset is not None and due.interims:
                # Where no interim came the final brought the first words.
                self._tally.first_words.append(min(telling.first, now) - telling.sent[due.onset])
        telling.at += 1
        telling.interims, telling.stable, telling.first = 0, 0.0, math.inf


async def speak(talkers: list[Talker]) -> None:
    """Lets everybody speak at the pace of speech, spread over time, until cancelled."""
    turns, turn = 10, 0
    due = time.perf_counter()
    while True:
        for talker in talkers[turn::turns]:
            talker.say()
        turn = (turn + 1) % turns
        due += CHUNK_SECONDS / turns
        await asyncio.sleep(max(0.0, due - time.perf_counter()))


async def connect(
    url: str,
    deck: Iterator[Piece],
    tally: Tally,
    ahead: int = 0,
    language: str | None = None,
) -> Talker:
    """Opens a session with interims."""
    query = f"encoding=linear16&interim_results=true&language={language or 'auto'}"
    _, talker = await picows.ws_connect(lambda: Talker(deck, tally, ahead), f"{url}?{query}")
    assert isinstance(talker, Talker)
    return talker
