"""What may happen, as data: schedules are lists of these, generated or written out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Protocol

from hypothesis import strategies as st

from scripta_common.wire import Reason

from .gateways import Answer
from .store import Part
from .world import World


class Event(Protocol):
    """Something that happens to the world, in one or a few steps."""

    async def happen(self, world: World) -> None: ...


@dataclass(frozen=True)
class Talk:
    """A client sends messages (loudness, samples) and perhaps a control; its gateway writes."""

    session: int = 0
    messages: tuple[tuple[int, int], ...] = ()
    control: Reason | Literal["pause"] | None = None
    writes: int = 9
    answer: Answer = Answer.ARRIVES

    async def happen(self, world: World) -> None:
        for level, samples in self.messages:
            world.speak(self.session, level, samples)
        if self.control is Reason.END:
            world.end(self.session)
        elif self.control == "pause":
            world.pause(self.session)
        elif self.control is not None:
            world.finalize(self.session, self.control)
        for left in range(self.writes, 0, -1):
            await world.write(self.session, 0, Answer.ARRIVES if left > 1 else self.answer)
            await world.check()


@dataclass(frozen=True)
class Transcribe:
    """A transcriber takes a session, if it has none, and works."""

    transcriber: int = 0
    place: int = 0
    steps: int = 9
    count: int = 8
    answered: bool = True

    async def happen(self, world: World) -> None:
        if not world.is_busy(self.transcriber):
            await world.take(self.transcriber, answered=self.answered or self.steps > 0)
            await world.check()
        for left in range(self.steps, 0, -1):
            answered = self.answered or left > 1
            await world.work(self.transcriber, self.place, self.count, answered=answered)
            await world.check()


@dataclass(frozen=True)
class Relay:
    """A gateway hears a ring, polls or reads."""

    what: str = "ring"
    session: int = 0
    place: int = 0
    answer: Answer = Answer.ARRIVES

    async def happen(self, world: World) -> None:
        match self.what:
            case "ring" | "repeated ring":
                await world.ring(self.place, again=self.what != "ring")
            case "poll":
                await world.poll(self.session, self.place, self.answer)
            case "read":
                await world.read(self.session, self.place, self.answer)
            case "lose ring":
                world.lose_ring(self.place)
            case _:
                raise ValueError(self.what)


@dataclass(frozen=True)
class Tarry:
    """A gateway decides what to write and others act before it does, or it is at it alone."""

    what: str
    session: int = 0
    place: int = 0

    async def happen(self, world: World) -> None:
        match self.what:
            case "hesitate":
                await world.hesitate(self.session)
            case "write":
                await world.write(self.session, self.place, Answer.ARRIVES)
            case _:
                raise ValueError(self.what)


@dataclass(frozen=True)
class Move:
    """A client loses its connection, comes back (in steps) or stays away."""

    what: str
    session: int = 0
    gateway: int = 0
    unheard: int = 0
    steps: int = 9

    async def happen(self, world: World) -> None:
        match self.what:
            case "break":
                await world.break_off(self.session, self.unheard)
            case "arrive":
                for step in range(self.steps):
                    await world.arrive(self.session, self.gateway, anew=step == 0)
                    await world.check()
            case "linger":
                await world.linger_no_more(self.session)
            case _:
                raise ValueError(self.what)


@dataclass(frozen=True)
class KillGateway:
    """A gateway dies, with the last results of its clients on their way."""

    gateway: int = 0
    unheard: int = 0

    async def happen(self, world: World) -> None:
        await world.kill_gateway(self.gateway, self.unheard)


@dataclass(frozen=True)
class Trouble:
    """Something befalls a transcriber or a lease."""

    what: str
    transcriber: int = 0
    place: int = 0

    async def happen(self, world: World) -> None:
        match self.what:
            case "expire":
                await world.expire(self.place)
                await world.beat(self.transcriber)
            case "beat":
                await world.beat(self.transcriber)
            case "take":
                await world.only_take(self.transcriber)
            case "freeze":
                world.freeze(self.transcriber)
            case "drain":
                world.drain(self.transcriber)
            case "kill":
                world.kill_transcriber(self.transcriber)
            case _:
                raise ValueError(self.what)


@dataclass(frozen=True)
class Forget:
    """The broker loses something: all of a part, or what has changed since a replica's copy."""

    what: str
    part: Part = Part.ALL

    async def happen(self, world: World) -> None:
        match self.what:
            case "copy":
                await world.copy()
            case "fail over":
                await world.fail_over(self.part)
            case "lose":
                await world.lose(self.part)
            case _:
                raise ValueError(self.what)


class Fault(StrEnum):
    """Kinds of faults; an example has some of them, so that it gets somewhere with the rest."""

    TARRY = "tarry"
    MOVE = "move"
    GATEWAY = "gateway"
    TRANSCRIBER = "transcriber"
    BROKER = "broker"


_WHICH: Final = st.integers(0, 2)
_PLACE: Final = st.integers(0, 3)
_ANSWERED: Final = st.sampled_from([True, True, True, False])
_ANSWER: Final = st.sampled_from([*3 * [Answer.ARRIVES], Answer.LOST, Answer.LATE])
_SAID: Final = st.tuples(
    st.sampled_from([0, 40, 70, 100, 100]),
    st.sampled_from([0, 1, 300, 512, 1700, 3000, 5000, 16_700]),
)
_CONTROL: Final = st.sampled_from(
    [*5 * [None], *2 * ["pause"], Reason.FINALIZE, Reason.IDLE, Reason.END]
)

_TALK: Final = st.builds(
    Talk, _WHICH, st.lists(_SAID, max_size=3).map(tuple), _CONTROL, st.integers(0, 8), _ANSWER
)
_TRANSCRIBE: Final = st.builds(
    Transcribe, _WHICH, _PLACE, st.integers(0, 8), st.integers(1, 8), _ANSWERED
)
_RELAY: Final = st.builds(
    Relay, st.sampled_from([*3 * ["ring"], "poll", "read"]), _WHICH, _PLACE, _ANSWER
)
_FAULTS: Final[dict[Fault, st.SearchStrategy[Event]]] = {
    Fault.TARRY: st.one_of(
        st.builds(Tarry, st.sampled_from(["hesitate", "write"]), _WHICH, _PLACE),
        st.builds(Relay, st.sampled_from(["lose ring", "repeated ring"]), _WHICH, _PLACE),
    ),
    Fault.MOVE: st.builds(
        Move,
        st.sampled_from(["break", *4 * ["arrive"], "linger"]),
        _WHICH,
        _WHICH,
        _WHICH,
        st.integers(1, 4),
    ),
    Fault.GATEWAY: st.builds(KillGateway, _WHICH, _WHICH),
    Fault.TRANSCRIBER: st.builds(
        Trouble,
        st.sampled_from(["expire", "beat", "take", "freeze", "drain", "kill"]),
        _WHICH,
        _PLACE,
    ),
    Fault.BROKER: st.builds(
        Forget, st.sampled_from(["copy", "copy", "fail over", "lose"]), st.sampled_from(Part)
    ),
}


def events(faults: frozenset[Fault]) -> st.SearchStrategy[Event]:
    """Returns what may happen next: mostly work, sometimes one of these faults."""
    work: list[st.SearchStrategy[Event]] = [*3 * [_TALK], *4 * [_TRANSCRIBE], *3 * [_RELAY]]
    return st.sampled_from([*work, *(_FAULTS[fault] for fault in sorted(faults))]).flatmap(
        lambda strategy: strategy
    )
