"""A broker of the person's own: looked at before anything starts, its password never shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from scripta_local.broker import Broker
from scripta_local.errors import BrokerError
from scripta_local.ports import free_port
from scripta_local.redis_check import check_redis

pytestmark = pytest.mark.store


@pytest.fixture
def guarded() -> Iterator[Broker]:
    """A broker that asks for the password ``s3cret``."""
    with Broker() as broker:
        with redis.Redis.from_url(broker.url, protocol=3, legacy_responses=False) as client:
            client.config_set("requirepass", "s3cret")
        yield broker


async def test_broker_that_answers_passes(guarded: Broker) -> None:
    await check_redis(f"redis://:s3cret@127.0.0.1:{guarded.port}/0")


@pytest.mark.parametrize("password", ["", ":wr0ng@"])
async def test_missing_or_wrong_password_is_told(guarded: Broker, password: str) -> None:
    with pytest.raises(BrokerError, match="refuses user or password") as caught:
        await check_redis(f"redis://{password}127.0.0.1:{guarded.port}/0")
    assert "wr0ng" not in str(caught.value)


async def test_frozen_broker_is_told_in_time(guarded: Broker) -> None:
    guarded.pause()
    with pytest.raises(BrokerError, match="does not answer"):
        await check_redis(f"redis://:s3cret@127.0.0.1:{guarded.port}/0")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://user:s3cret@127.0.0.1:{port}/0", "redis://user:***@127.0.0.1:{port}/0 does not"),
        ("redis://user:s3cret/tail@127.0.0.1:{port}/0", "not a broker's address"),
        ("redis://user:s3cret@127.0.0.1:{port}/zero", "does not answer|not a broker's address"),
        ("http://:s3cret@127.0.0.1", "not a broker's address"),
        ("localhost:6379", "not a broker's address"),
    ],
)
async def test_address_without_a_broker_is_told_without_its_password(url: str, told: str) -> None:
    port = free_port()
    with pytest.raises(BrokerError) as caught:
        await check_redis(url.format(port=port))
    alternatives = told.format(port=port).split("|")
    assert any(words in str(caught.value) for words in alternatives)
    assert "s3cret" not in str(caught.value)
    assert "REDIS_URL" in str(caught.value)
    # What the library said may quote the password; no traceback may show it.
    assert caught.value.__suppress_context__
