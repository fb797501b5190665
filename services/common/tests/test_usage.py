"""Usage on the broker: whatever is repeated, late or forgotten, each second is counted once."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.broker_clock import BrokerClock
from scripta_common.usage import Meter, UsageReader, UsageRow, Used, day_of, hour_of, total_field
from scripta_common.usage import meter as meter_module
from scripta_common.usage.rows import OTHERS, row_name, rows_of, summed
from scripta_common.wire import SAMPLE_RATE

pytestmark = pytest.mark.store

EVENING = 1_795_996_799.0
"""One second before midnight, UTC."""

SESSION = Used("a", "acme", "web", "tiny-en", samples=16_000, finals=1)


class FixedClock(BrokerClock):
    """Tells the time that it is set to."""

    now = EVENING

    def at(self, moment: float) -> float:
        return self.now


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def meter(broker: Broker, clock: FixedClock) -> Meter:
    return Meter(broker, clock, days=35)


@pytest.fixture
def reader(broker: Broker) -> UsageReader:
    return UsageReader(broker)


def at(samples: int, finals: int, *, over: bool = False) -> Used:
    return replace(SESSION, samples=samples, finals=finals, over=over)


async def test_counts_that_are_repeated_late_or_left_out_add_up_to_the_last(
    meter: Meter, reader: UsageReader
) -> None:
    """Guards against a second that is billed twice because a transcriber died before its commit."""
    positions = [(16_000, 1), (16_000, 1), (80_000, 3), (48_000, 2), (80_000, 3), (96_000, 3)]
    befores = [await meter.count(at(*position)) for position in positions]
    assert befores == [-1, 16_000, 16_000, 80_000, 80_000, 80_000]
    rows = await reader.rows("acme", [hour_of(EVENING), day_of(EVENING)])
    assert rows == [
        UsageRow(hour_of(EVENING), "web", "tiny-en", 96_000, 1, 3),
        UsageRow(day_of(EVENING), "web", "tiny-en", 96_000, 1, 3),
    ]
    assert rows[0].audio_seconds == 6.0


async def test_a_session_over_midnight_is_in_both_days_and_begins_in_the_first(
    meter: Meter, reader: UsageReader, clock: FixedClock
) -> None:
    await meter.count(at(32_000, 1))
    clock.now = EVENING + 1
    await meter.count(at(48_000, 2))
    days = await reader.rows("acme", [day_of(EVENING), day_of(EVENING + 1)])
    assert [(row.samples, row.sessions, row.finals) for row in days] == [
        (32_000, 1, 1),
        (16_000, 0, 1),
    ]
    hours = await reader.rows("acme", [hour_of(EVENING), hour_of(EVENING + 1)])
    assert [row.samples for row in hours] == [32_000, 16_000]
    assert hours[1].start.endswith("T00")


async def test_a_session_without_audio_is_one_session(meter: Meter, reader: UsageReader) -> None:
    await meter.count(at(0, 0, over=True))
    await meter.count(at(0, 0, over=True))
    (row,) = await reader.rows("acme", [hour_of(EVENING)])
    assert (row.samples, row.sessions, row.finals) == (0, 1, 0)


async def test_rows_are_kept_apart_by_tenant_key_and_model(
    meter: Meter, reader: UsageReader
) -> None:
    awkward = 'k"e}y, with\nall'
    await meter.count(replace(SESSION, sid="1"))
    await meter.count(replace(SESSION, sid="2", key=awkward))
    await meter.count(replace(SESSION, sid="3", model="large"))
    await meter.count(replace(SESSION, sid="4", tenant=""))
    rows = await reader.rows("acme", [hour_of(EVENING)])
    assert [(row.key, row.model) for row in rows] == sorted(
        [("web", "tiny-en"), (awkward, "tiny-en"), ("web", "large")]
    )
    assert len(await reader.rows("", [hour_of(EVENING)])) == 1
    assert not await reader.rows("nobody", [hour_of(EVENING)])


async def test_a_day_has_the_totals_that_limits_are_held_to(meter: Meter, redis: Redis) -> None:
    await meter.count(replace(SESSION, sid="1"))
    await meter.count(replace(SESSION, sid="2", key="phone", samples=8_000))
    day = keys.usage("acme", day_of(EVENING))
    fields = (total_field(), total_field("web"), total_field("phone"))
    assert await redis.hmget(day, *fields) == [b"24000", b"16000", b"8000"]


async def test_a_broker_that_comes_back_empty_counts_a_living_session_anew(
    meter: Meter, reader: UsageReader, redis: Redis
) -> None:
    await meter.count(at(32_000, 1))
    await redis.flushall()
    assert await meter.count(at(48_000, 2)) == -1
    (row,) = await reader.rows("acme", [hour_of(EVENING)])
    assert (row.samples, row.sessions, row.finals) == (48_000, 1, 2)


async def test_all_of_it_expires_and_of_a_session_that_is_over_soon(
    meter: Meter, redis: Redis
) -> None:
    await meter.count(at(32_000, 1))
    await meter.note(["acme"])
    kept = [await redis.pttl(name) for name in await redis.keys()]
    assert len(kept) == 4
    assert all(35 * 24 * 3600_000 < ttl <= 36 * 24 * 3600_000 for ttl in kept)
    await meter.count(at(32_000, 1, over=True))
    assert 0 < await redis.pttl(keys.counted("acme", "a")) <= 6 * 3600_000


async def test_keys_without_number_share_a_row_beyond_the_bound(
    meter: Meter, reader: UsageReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the broker's memory where each token has a key of its own."""
    monkeypatch.setattr(meter_module, "MOST_FIELDS", 6)
    for number in range(6):
        key = f"key-{number}"
        await meter.count(replace(SESSION, sid=f"{number}", key=key))
    await meter.count(replace(SESSION, sid="0", key="key-0", samples=20_000))
    rows = {row.key: row for row in await reader.rows("acme", [hour_of(EVENING)])}
    assert list(rows) == [OTHERS, "key-0", "key-1"]
    assert rows[OTHERS].sessions == 4
    assert rows["key-0"].samples == 20_000
    assert sum(row.samples for row in rows.values()) == 5 * 16_000 + 20_000


async def test_tenants_are_found_until_their_usage_is_gone(
    meter: Meter, reader: UsageReader, clock: FixedClock
) -> None:
    await meter.note(["acme", ""])
    clock.now += 10 * 24 * 3600
    await meter.note(["beta"])
    assert await reader.tenants(EVENING - 1) == ["", "acme", "beta"]
    assert await reader.tenants(clock.now - 1) == ["beta"]
    clock.now += 30 * 24 * 3600
    await meter.note(["beta"])
    assert await reader.tenants(0) == ["beta"]


async def test_hours_go_by_the_brokers_clock_or_else_by_ours(
    broker: Broker, reader: UsageReader
) -> None:
    await Meter(broker, BrokerClock(), days=1).count(SESSION)
    now = time.time()
    hours = sorted({hour_of(now - 10), hour_of(now)})
    assert len(await reader.rows("acme", hours)) == 1


@pytest.mark.unit
@given(st.text(), st.text())
def test_rows_come_back_as_they_were_written(key: str, model: str) -> None:
    name = row_name(key, model).encode()
    fields = {b"a" + name: b"5", b"s" + name: b"1", b"total": b"5", b"new" + name: b"9"}
    assert rows_of("2026", fields) == [UsageRow("2026", key, model, 5, 1, 0)]


@pytest.mark.unit
def test_hours_add_up_to_longer_times() -> None:
    rows = [
        UsageRow("1", "k", "m", 1, 2, 3),
        UsageRow("2", "k", "m", 10, 0, 1),
        UsageRow("2", "a", "m"),
    ]
    assert summed("all", rows) == [UsageRow("all", "a", "m"), UsageRow("all", "k", "m", 11, 2, 4)]
    assert SAMPLE_RATE == 16_000
