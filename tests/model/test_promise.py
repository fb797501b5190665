"""The promise, over any interleaving: every final once and in order, as if nothing had happened."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from redis.asyncio import Redis

from scripta_common.broker import Broker
from scripta_local.broker import Broker as BrokerProcess

from .events import Fault, events
from .listening import Cutting
from .world import World

pytestmark = pytest.mark.store


class Promise(RuleBasedStateMachine):
    """Draws what happens next; whatever it is, the promise holds."""

    def __init__(self, runner: asyncio.Runner, url: str) -> None:
        super().__init__()
        self._runner = runner
        self._broker = Broker(url, name="model")
        self._redis = Redis.from_url(url, protocol=3, decode_responses=False)
        self._started: World | None = None
        # The same, while it is as it should be.
        self._world: World | None = None
        self._faults: frozenset[Fault] = frozenset()

    @initialize(
        cuttings=st.lists(st.sampled_from(Cutting), min_size=1, max_size=2),
        slots=st.integers(1, 2),
        faults=st.frozensets(st.sampled_from(Fault)),
    )
    def start(self, cuttings: list[Cutting], slots: int, faults: frozenset[Fault]) -> None:
        self._faults = faults
        self._started = world = World(self._broker, self._redis, cuttings, slots)
        self._run(world.start())
        self._world = world

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        world, self._world = self._world, None
        assert world is not None
        event = data.draw(events(self._faults))
        self._run(event.happen(world))
        self._run(world.check())
        self._world = world

    def teardown(self) -> None:
        try:
            if self._world is not None:
                self._run(self._world.settle())
        finally:
            if self._started is not None:
                self._run(self._started.aclose())
            self._run(self._redis.aclose())
            self._run(self._broker.aclose())

    def _run(self, step: Coroutine[Any, Any, None]) -> None:
        self._runner.run(step)


def test_every_final_comes_once_and_in_order_whatever_happens(
    shared_broker: BrokerProcess, search: settings
) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        def make() -> Promise:
            return Promise(runner, shared_broker.url)

        run_state_machine_as_test(make, settings=search)  # type: ignore[arg-type]
