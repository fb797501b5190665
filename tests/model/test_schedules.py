"""Schedules written out: faults that once broke the promise, each as small as it gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from scripta_common.broker import Broker
from scripta_common.wire import Ended, Reason

from .client import Client
from .events import Event, Forget, Move, Relay, Talk, Transcribe, Trouble
from .gateways import Answer
from .listening import Cutting
from .store import Part
from .world import World

pytestmark = pytest.mark.store

Play = Callable[..., Awaitable[Client]]

SPEECH = ((100, 3000), (0, 3000))
SPLIT = ((100, 16_700),)
"""A message that takes two entries."""


@pytest.fixture
def play(broker: Broker, redis: Redis) -> Play:
    """Plays a schedule to its end and returns the client of its first session."""

    async def do(
        *schedule: Event,
        cuttings: tuple[Cutting, ...] = (Cutting.SPEECH,),
        slots: int = 2,
        meanwhile: Callable[[World], None] = lambda world: None,
    ) -> Client:
        world = World(broker, redis, list(cuttings), slots)
        await world.start()
        try:
            for event in schedule:
                await event.happen(world)
                await world.check()
            meanwhile(world)
            await world.settle()
        finally:
            await world.aclose()
        return world.clients[0]

    return do


async def test_undisturbed_session_is_told_everything(play: Play) -> None:
    """The model itself: work alone brings finals and the end, without what settles the rest."""
    told: list[int] = []
    client = await play(
        Talk(messages=SPEECH, control=Reason.FINALIZE, writes=9),
        Transcribe(),
        Relay("ring"),
        Talk(messages=SPEECH, control=Reason.END, writes=9),
        Transcribe(),
        Relay("ring"),
        meanwhile=lambda world: told.append(world.clients[0].index),
    )
    assert told == [client.index]
    assert client.index >= 3
    assert isinstance(client.told[-1], Ended)


@pytest.mark.parametrize("part", [Part.ALL, Part.SESSIONS])
async def test_failover_that_forgets_the_end_of_a_stream_is_healed(play: Play, part: Part) -> None:
    """Guards against a client that has said everything and waits for ever."""
    client = await play(
        Talk(messages=SPEECH),
        Forget("copy"),
        Talk(control=Reason.END),
        Forget("fail over", part),
    )
    assert isinstance(client.told[-1], Ended)


async def test_failover_that_forgets_a_return_leaves_the_session_to_who_came_back(
    play: Play,
) -> None:
    """Guards against calling the newest connection superseded by the one before it."""
    client = await play(
        Forget("copy"), Talk(messages=SPEECH, writes=0), Move("arrive"), Forget("fail over"), Talk()
    )
    assert client.gave_up is None


async def test_results_that_were_not_read_yet_come_again_from_their_audio(play: Play) -> None:
    """Guards against a checkpoint that is ahead of the results up to it."""
    client = await play(
        Talk(messages=SPEECH, control=Reason.FINALIZE),
        Transcribe(),
        Relay("poll"),
        Forget("lose"),
        Talk(messages=SPEECH),
    )
    assert client.gave_up is None


async def test_session_in_line_twice_ends_with_one_owner(play: Play) -> None:
    """Guards against an owner that reads past what another one has decided."""
    await play(
        Forget("lose"),
        Trouble("beat", 1),
        Talk(messages=SPLIT, writes=2, answer=Answer.LOST),
        Transcribe(1, steps=0),
        Talk(messages=SPLIT),
        Transcribe(2, steps=6, count=2),
        Transcribe(1),
    )


@pytest.mark.parametrize("what", ["lose", "fail over"])
async def test_lost_line_is_formed_again(play: Play, what: str) -> None:
    """Guards against sessions that nobody takes up: one was leased, one waited."""
    await play(
        Transcribe(0, steps=0),
        Talk(0, SPEECH),
        Talk(1, SPEECH),
        Forget(what, Part.LINE),
        cuttings=(Cutting.SPEECH, Cutting.MESSAGE),
        slots=1,
    )


async def test_owner_of_before_a_failover_does_not_drop_the_session(play: Play) -> None:
    """Its lease comes to it as new, while its work goes on under an epoch the log never gave."""
    await play(
        Forget("copy"),
        Talk(messages=SPEECH, control=Reason.FINALIZE),
        Transcribe(0, steps=2),
        Forget("fail over"),
        Trouble("take", 0),
        Transcribe(0),
        Talk(messages=SPEECH, control=Reason.END),
    )
