"""Access to the broker: batches, few connections, and what happens when it does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from scripta_common.broker import Broker, Script
from scripta_common.errors import BrokerUnavailable
from scripta_common.lanes import LANES, MAX_BATCH, Lanes
from scripta_common.metrics import BROKER_SECONDS, Command
from scripta_common.servers import COMMAND_TIMEOUT
from scripta_local.broker import Broker as BrokerProcess

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]
ECHO = Script("echo", "return {KEYS[1], ARGV[1]}")


@pytest_asyncio.fixture
async def access(own_broker: BrokerProcess) -> AsyncIterator[Broker]:
    """Access to a server that the test may kill or pause."""
    broker = Broker(own_broker.url, name="test")
    yield broker
    own_broker.resume()
    await broker.aclose()


async def test_answers_stay_with_their_callers(broker: Broker) -> None:
    answers = await asyncio.gather(*(broker.execute("ECHO", str(n)) for n in range(1000)))
    assert answers == [str(n).encode() for n in range(1000)]


async def test_answers_stay_with_their_callers_when_some_give_up(broker: Broker) -> None:
    tasks = [asyncio.create_task(broker.execute("ECHO", str(n))) for n in range(300)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for n, answer in enumerate(answers):
        if n % 3:
            assert answer == str(n).encode()
        else:
            assert isinstance(answer, asyncio.CancelledError)


async def test_refused_command_hurts_none_of_its_batch(broker: Broker, redis: Redis) -> None:
    await redis.set("text", "no list")
    answers = await asyncio.gather(
        *(broker.execute("ECHO", str(n)) for n in range(5)),
        broker.execute("LPUSH", "text", "x"),
        broker.execute("NOSUCHCOMMAND"),
        *(broker.execute("ECHO", str(n)) for n in range(5, 10)),
        return_exceptions=True,
    )
    refused = answers[5:7]
    assert all(isinstance(answer, ResponseError) for answer in refused)
    assert "WRONGTYPE" in str(refused[0])
    assert answers[:5] + answers[7:] == [str(n).encode() for n in range(10)]


async def test_command_refused_alone_is_the_same_error(broker: Broker, redis: Redis) -> None:
    await redis.set("text", "no list")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await broker.execute("LPUSH", "text", "x")


async def test_commands_of_many_callers_share_few_connections(broker: Broker, redis: Redis) -> None:
    before = {client["id"] for client in await redis.client_list()}
    await asyncio.gather(*(broker.execute("ECHO", str(n)) for n in range(500)))
    clients = await redis.client_list()
    ours = [c for c in clients if c["id"] not in before and c["name"] == "test"]
    assert 1 <= len(ours) <= LANES


async def test_command_is_served_when_all_lanes_end_in_the_same_turn() -> None:
    """The next command of a caller came between the end of the lanes and the word of it."""

    async def echo(batch: Sequence[Any]) -> list[Any]:
        return [command[1] for command in batch]

    lanes = Lanes(echo)

    async def chain(name: str) -> None:
        for _ in range(20):
            await lanes.issue(BROKER_SECONDS[Command.OTHER], ("ECHO", name))

    # Two lanes under way at once, each the only one to serve its caller.
    await asyncio.wait_for(asyncio.gather(chain("a"), chain("b"), chain("c")), 5)
    for delay in range(4):
        first = asyncio.create_task(chain("a"))
        for _ in range(delay):
            await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(first, chain("x")), 5)


async def test_script_that_the_server_does_not_know_is_sent_whole(
    broker: Broker, redis: Redis
) -> None:
    for _ in range(2):
        await redis.script_flush()
        answers = await asyncio.gather(*(broker.run(ECHO, ["k"], n) for n in range(10)))
        assert answers == [[b"k", str(n).encode()] for n in range(10)]


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_broker_that_is_gone_is_unavailable_and_works_again_after_a_restart(
    access: Broker, own_broker: BrokerProcess, end: str
) -> None:
    await asyncio.gather(*(access.execute("ECHO", str(n)) for n in range(20)))
    getattr(own_broker, end)()
    answers = await asyncio.gather(
        *(access.execute("ECHO", str(n)) for n in range(50)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {BrokerUnavailable}
    with pytest.raises(BrokerUnavailable):
        await access.ping()
    with pytest.raises(BrokerUnavailable):
        await access.execute_blocking(0.1, "BLPOP", "list", "0.1")

    own_broker.start()
    assert await access.execute("ECHO", "back") == b"back"
    assert await access.execute_blocking(0.1, "BLPOP", "list", "0.05") is None
    assert await access.run(ECHO, ["k"], "v") == [b"k", b"v"]


async def test_commands_under_way_when_the_broker_is_killed_fail(
    access: Broker, own_broker: BrokerProcess
) -> None:
    await access.ping()
    own_broker.pause()
    waiting = [asyncio.create_task(access.execute("ECHO", str(n))) for n in range(20)]
    blocked = asyncio.create_task(access.execute_blocking(30, "BLPOP", "list", "30"))
    await asyncio.sleep(0.05)  # so that they are sent; too early would do as well
    own_broker.kill()
    answers = await asyncio.wait_for(asyncio.gather(*waiting, blocked, return_exceptions=True), 10)
    assert {type(answer) for answer in answers} == {BrokerUnavailable}


async def test_broker_that_hangs_is_unavailable_in_bounded_time(
    access: Broker, own_broker: BrokerProcess
) -> None:
    await access.ping()
    own_broker.pause()
    began = time.monotonic()
    answers = await asyncio.gather(
        *(access.execute("ECHO", str(n)) for n in range(10)),
        access.execute_blocking(0.5, "BLPOP", "list", "0.5"),
        return_exceptions=True,
    )
    assert {type(answer) for answer in answers} == {BrokerUnavailable}
    # One repetition on a new connection is allowed for.
    assert COMMAND_TIMEOUT * 0.9 <= time.monotonic() - began <= 2 * COMMAND_TIMEOUT + 3
    own_broker.resume()
    assert await access.execute("ECHO", "back") == b"back"


async def test_full_broker_is_unavailable(
    start_broker: Callable[..., BrokerProcess],
) -> None:
    process = start_broker(options=("--maxmemory", "1", "--maxmemory-policy", "noeviction"))
    full = Broker(process.url, name="test")
    with pytest.raises(BrokerUnavailable):
        await full.execute("SET", "key", "value")
    with pytest.raises(BrokerUnavailable):
        await full.run(Script("set", "return redis.call('SET', KEYS[1], 'v')"), ["key"])
    await full.aclose()


async def test_error_never_quotes_the_password(start_broker: Callable[..., BrokerProcess]) -> None:
    process = start_broker()
    open_door = Redis.from_url(process.url)
    await open_door.config_set("requirepass", "right")
    await open_door.aclose()
    url = process.url.replace("redis://", "redis://:hunter2@")
    refused = Broker(url, name="test")
    with pytest.raises(BrokerUnavailable) as wrong:
        await refused.ping()
    process.kill()
    with pytest.raises(BrokerUnavailable) as gone:
        await refused.ping()
    await refused.aclose()
    assert "hunter2" not in f"{wrong.value!r} {gone.value!r}"


async def test_closing_lets_no_caller_wait(access: Broker, own_broker: BrokerProcess) -> None:
    await access.ping()
    own_broker.pause()
    count = LANES * MAX_BATCH + 50  # more than are on their way
    tasks = [asyncio.create_task(access.execute("ECHO", str(n))) for n in range(count)]
    await asyncio.sleep(0.02)  # so that some are sent; too early would do as well
    await asyncio.wait_for(access.aclose(), 5)
    done, pending = await asyncio.wait(tasks, timeout=5)
    assert not pending
    assert all(task.cancelled() for task in done)
