"""The doorbell: it rings, and says when rings may have been missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from scripta_common.broker import Broker
from scripta_common.sessionlog import Doorbell
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]


class House:
    """Runs a doorbell on a server of its own and keeps what it hears."""

    def __init__(self, process: BrokerProcess) -> None:
        self.rings: list[bytes] = []
        self.joins = 0
        self.broker = Broker(process.url, name="house")
        self.bell = Doorbell(self.broker, "door", on_ring=self.rings.append, on_join=self._joined)

    def _joined(self) -> None:
        self.joins += 1

    async def publish(self, message: str) -> int:
        return int(await self.broker.execute("PUBLISH", "door", message))


@pytest_asyncio.fixture
async def house(own_broker: BrokerProcess) -> AsyncIterator[House]:
    house = House(own_broker)
    running = asyncio.create_task(house.bell.run())
    await asyncio.wait_for(house.bell.wait_joined(), 10)
    yield house
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await house.broker.aclose()


async def test_bell_rings_in_order_once_it_says_it_has_joined(house: House, until: Until) -> None:
    assert house.joins == 1
    for n in range(50):
        assert await house.publish(str(n)) == 1
    await until(lambda: len(house.rings) == 50)
    assert house.rings == [str(n).encode() for n in range(50)]


async def test_bell_joins_again_after_a_restart_and_says_so(
    house: House, own_broker: BrokerProcess, until: Until
) -> None:
    own_broker.kill()
    own_broker.start()
    await until(lambda: house.joins == 2)
    await house.publish("again")
    await until(lambda: house.rings == [b"again"])


async def test_bell_joins_again_when_its_connection_is_cut(
    house: House, own_broker: BrokerProcess, until: Until
) -> None:
    client = Redis.from_url(own_broker.url)
    await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await client.aclose()
    await until(lambda: house.joins == 2)
    await house.publish("again")
    await until(lambda: house.rings == [b"again"])


async def test_bell_is_not_joined_while_the_broker_is_away(
    house: House, own_broker: BrokerProcess, until: Until
) -> None:
    own_broker.kill()

    async def away() -> bool:
        try:
            await asyncio.wait_for(house.bell.wait_joined(), 0.01)
        except TimeoutError:
            return True
        return False

    await until(away)
    own_broker.start()
    await asyncio.wait_for(house.bell.wait_joined(), 10)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bell that takes a connection for dead after a fraction of a second."""
    monkeypatch.setattr("scripta_common.sessionlog.doorbell._LISTEN_SECONDS", 0.2)
    monkeypatch.setattr("scripta_common.sessionlog.doorbell._DEAD_SECONDS", 0.5)


async def test_quiet_channel_is_not_taken_for_a_dead_one(
    impatient: None, house: House, own_broker: BrokerProcess, until: Until
) -> None:
    async with Redis.from_url(own_broker.url) as client:

        async def pinged() -> bool:
            stats = await client.info("commandstats")
            return bool(stats.get("cmdstat_ping", {"calls": 0})["calls"] >= 4)

        await until(pinged)
    assert house.joins == 1
    await house.publish("still there")
    await until(lambda: house.rings == [b"still there"])


async def test_connection_that_says_nothing_is_given_up(
    impatient: None, house: House, own_broker: BrokerProcess, until: Until
) -> None:
    own_broker.pause()

    async def given_up() -> bool:
        return not house.bell._joined.is_set()

    await until(given_up)
    own_broker.resume()
    await until(lambda: house.joins == 2)
