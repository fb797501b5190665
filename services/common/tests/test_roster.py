"""The roster on a real broker: who is written down, what is asked of each pool, what is kept."""

from __future__ import annotations

import json

import msgspec
import pytest
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.fleet import ALIVE_MS, REMEMBER_MS, Member
from scripta_common.models import Model
from scripta_common.sessionlog import GatewayLog, Roster, SessionOptions, TranscriberLog

pytestmark = pytest.mark.store

CPU = Member("default", ("moonshine", "moonshine-tiny-en"), ("en",), 8)
GPU = Member("gpu", ("whisper",), (), 30)


@pytest.fixture
def roster(broker: Broker) -> Roster:
    return Roster(broker)


async def age(redis: Redis, field: str, milliseconds: int) -> None:
    """Makes what stands in a field look so old."""
    record = json.loads(await redis.hget(keys.FLEET, field) or b"")
    record["at"] -= milliseconds
    await redis.hset(keys.FLEET, field, json.dumps(record, separators=(",", ":")))


async def test_enlisted_transcribers_are_seen_with_their_pools(roster: Roster) -> None:
    await roster.enlist("one", CPU)
    await roster.enlist("two", CPU)
    await roster.enlist("three", GPU)
    pools = (await roster.observe()).pools
    assert {name: (p.transcribers, p.slots, p.models) for name, p in pools.items()} == {
        "default": (2, 16, {"moonshine", "moonshine-tiny-en"}),
        "gpu": (1, 30, {"whisper"}),
    }


async def test_record_has_the_brokers_time_and_the_hash_a_ttl(roster: Roster, redis: Redis) -> None:
    """Guards judging who is alive by a transcriber's own clock."""
    await roster.enlist("one", CPU)
    seconds, microseconds = await redis.time()
    record = json.loads(await redis.hget(keys.FLEET, "one") or b"")
    assert 0 <= seconds * 1000 + microseconds / 1000 - record.pop("at") < 10_000
    assert record == {
        "pool": "default",
        "models": ["moonshine", "moonshine-tiny-en"],
        "languages": ["en"],
        "slots": 8,
        "served": [],
        "finished": 0,
        "meters": False,
        "uploads": 0,
    }
    assert REMEMBER_MS - 10_000 < await redis.pttl(keys.FLEET) <= REMEMBER_MS


async def test_models_are_told_each_with_its_languages(roster: Roster) -> None:
    served = (Model(("moonshine", "moonshine-tiny-en"), ("en",)), Model(("whisper",), ()))
    await roster.enlist("one", Member("default", ("moonshine",), (), 8, served=served))
    assert (await roster.observe()).pools["default"].served == served


class FormerMember(msgspec.Struct, frozen=True):
    """What a gateway of the version before several models knows of a transcriber."""

    pool: str
    models: tuple[str, ...]
    languages: tuple[str, ...]
    slots: int
    at: int = 0


async def test_former_gateway_reads_what_a_transcriber_with_several_models_says(
    roster: Roster, redis: Redis
) -> None:
    served = (Model(("moonshine",), ("en",)), Model(("whisper",), ("de", "en")))
    several = Member("default", ("moonshine", "whisper"), ("de", "en"), 8, served=served)
    await roster.enlist("one", several)
    record = await redis.hget(keys.FLEET, "one") or b""
    seen = msgspec.json.decode(record, type=FormerMember)
    assert (seen.models, seen.languages) == (("moonshine", "whisper"), ("de", "en"))


async def test_former_transcriber_is_read_as_one_with_one_model(
    roster: Roster, redis: Redis
) -> None:
    seconds, _ = await redis.time()
    former = FormerMember(
        "default", ("whisper", "base", "whisper-base"), ("de",), 8, seconds * 1000
    )
    await redis.hset(keys.FLEET, "one", msgspec.json.encode(former))
    (model,) = (await roster.observe()).pools["default"].served
    assert (model.own_name, model.languages) == ("whisper-base", ("de",))


async def test_uploads_of_a_transcriber_are_known(roster: Roster) -> None:
    await roster.enlist("one", msgspec.structs.replace(CPU, uploads=3))
    (said,) = (await roster.observe()).roll.members.values()
    assert said.uploads == 3


async def test_struck_transcriber_is_gone_at_once_and_its_pool_still_known(roster: Roster) -> None:
    await roster.enlist("one", GPU)
    await roster.strike("one")
    pool, _ = (await roster.observe()).route("whisper")
    assert (pool.name, pool.transcribers, pool.slots) == ("gpu", 0, 0)


async def test_transcriber_that_is_silent_does_not_count(roster: Roster, redis: Redis) -> None:
    await roster.enlist("one", GPU)
    await age(redis, "one", ALIVE_MS + 1000)
    assert (await roster.observe()).pools["gpu"].transcribers == 0
    await roster.enlist("one", GPU)
    assert (await roster.observe()).pools["gpu"].transcribers == 1


async def test_newcomer_clears_away_what_is_long_silent(roster: Roster, redis: Redis) -> None:
    for name in ("dead", "quiet"):
        await roster.enlist(name, GPU)
    await age(redis, "dead", 61_000)
    await age(redis, "quiet", 50_000)
    await age(redis, "pool:gpu", 61_000)
    await roster.enlist("new", CPU)
    fields = {b"quiet", b"pool:gpu", b"new", b"pool:default"}
    assert set(await redis.hkeys(keys.FLEET)) == fields
    await age(redis, "pool:gpu", REMEMBER_MS)
    await roster.enlist("newer", CPU)
    assert b"pool:gpu" not in await redis.hkeys(keys.FLEET)


async def test_record_that_is_not_understood_is_passed_over(roster: Roster, redis: Redis) -> None:
    await redis.hset(keys.FLEET, "newer-version", "[]")
    await roster.enlist("one", CPU)
    assert (await roster.observe()).pools["default"].transcribers == 1


async def test_demand_is_what_waits_and_what_is_leased_by_the_living(
    roster: Roster, gateway: GatewayLog, transcriber: TranscriberLog
) -> None:
    await roster.enlist("tr", CPU)
    for number in range(3):
        assert await gateway.open(f"session-{number}", SessionOptions())
    assignment = await transcriber.next_assignment(2)
    assert assignment is not None
    pool = (await roster.observe()).pools["default"]
    assert (pool.demand, pool.leased, pool.waiting) == (3, 1, 2)

    await transcriber.drop(assignment.entry_id)
    pool = (await roster.observe()).pools["default"]
    assert (pool.demand, pool.leased, pool.waiting) == (2, 0, 2)

    assert await transcriber.next_assignment(2) is not None
    await roster.strike("tr")
    pool = (await roster.observe()).pools["default"]
    assert (pool.demand, pool.leased, pool.waiting) == (2, 0, 2)


async def test_each_pool_has_its_own_line(
    roster: Roster, gateway: GatewayLog, broker: Broker, transcriber: TranscriberLog
) -> None:
    on_gpu = TranscriberLog(broker, "gpu-tr", lease=60, ttl=60, pool="gpu")
    await on_gpu.join()
    await roster.enlist("tr", CPU)
    await roster.enlist("gpu-tr", GPU)
    assert await gateway.open("on-gpu", SessionOptions(pool="gpu", model="whisper"))
    assert await gateway.open("on-cpu", SessionOptions())
    first, second = await transcriber.next_assignment(2), await on_gpu.next_assignment(2)
    assert first is not None
    assert second is not None
    assert (first.sid, second.sid) == ("on-cpu", "on-gpu")
    pools = (await roster.observe()).pools
    assert {name: (p.demand, p.leased) for name, p in pools.items()} == {
        "default": (1, 1),
        "gpu": (1, 1),
    }


async def test_pools_are_known_although_the_broker_came_back_empty(
    roster: Roster, redis: Redis
) -> None:
    await roster.enlist("one", GPU)
    former = await roster.observe()
    await redis.flushall()
    assert (await roster.observe(former)).route("whisper")[0].name == "gpu"
    assert (await roster.observe()).models == []
