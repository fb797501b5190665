"""One server: with passwords, over TLS, and Redis in place of Valkey."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from scripta_common.broker import Broker as Access
from scripta_common.broker_faults import describe
from scripta_common.errors import BrokerUnavailable
from scripta_common.sessionlog import Doorbell
from scripta_local.broker import Broker
from scripta_local.ports import free_port
from scripta_local.redis_check import check_redis

from .chatter import all_of, chatters
from .servers import SLOTS, ask, settled

pytestmark = pytest.mark.system

PASSWORD = "p@ss/w:rd?#[1]%"
REDIS = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(not REDIS, reason="there is no redis-server on this machine")


async def converse(stack: Any, messages: int = 20) -> None:
    async with chatters(stack, 4) as everybody:
        await all_of(everybody, lambda one: one.say(messages))
        await all_of(everybody, lambda one: one.until_heard())
        await all_of(everybody, lambda one: one.end())


async def use(url: str) -> None:
    """Does what Scripta does: looks at the broker, runs commands, waits, listens."""
    await check_redis(url)
    access = Access(url, name="test")
    stream, rings = "scripta:v1:stream", asyncio.Queue[bytes]()
    await access.ping()
    assert (await access.memory()).used > 0
    await access.execute("XGROUP", "CREATE", stream, "group", "0", "MKSTREAM")
    await asyncio.gather(*(access.execute("XADD", stream, "*", "n", n) for n in range(10)))
    read = ("XREADGROUP", "GROUP", "group", "me", "BLOCK", 1000, "STREAMS", stream, ">")
    answer = await access.execute_blocking(1, *read)
    numbers = [int(fields[1]) for _, fields in answer[stream.encode()]]
    assert sorted(numbers) == list(range(10))
    bell = Doorbell(access, "scripta:v1:bell", on_ring=rings.put_nowait, on_join=lambda: None)
    listening = asyncio.create_task(bell.run())
    await asyncio.wait_for(bell.wait_joined(), 10)
    await access.execute("PUBLISH", "scripta:v1:bell", "ring")
    assert await asyncio.wait_for(rings.get(), 10) == b"ring"
    listening.cancel()
    await asyncio.wait([listening])
    await access.aclose()


async def test_password_with_every_special_character(start_broker: Callable[..., Broker]) -> None:
    server = start_broker()
    ask(server, "CONFIG", "SET", "requirepass", PASSWORD)
    await use(server.url.replace("redis://", f"redis://:{quote(PASSWORD, safe='')}@"))


async def test_user_who_may_do_no_more_than_is_needed(
    start: Callable[..., Any], start_broker: Callable[..., Broker]
) -> None:
    server = start_broker()
    rules = ("~scripta:*", "&scripta:*", "+@all", "-@admin", "-@dangerous")
    ask(server, "ACL", "SETUSER", "scripta", "on", f">{PASSWORD}", *rules)
    ask(server, "ACL", "SETUSER", "default", "off")
    access = f"scripta:{quote(PASSWORD, safe='')}"
    await converse(await start(server.url.replace("redis://", f"redis://{access}@")))


@dataclass(frozen=True)
class Certificates:
    """Files that servers and clients need, for 127.0.0.1."""

    ca: Path
    key: Path
    chain: Path


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    files = Certificates(*(tmp_path / name for name in ("ca.pem", "key.pem", "chain.pem")))
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(files.ca)
    issued.private_key_pem.write_to_path(files.key)
    issued.cert_chain_pems[0].write_to_path(files.chain)
    return files


class TlsServer(Broker):
    """A Redis that speaks TLS on a port of its own, and with other servers."""

    def __init__(self, files: Certificates, *options: str, config: str = "") -> None:
        self.tls_port = free_port()
        tls = (
            *("--tls-port", str(self.tls_port), "--tls-auth-clients", "no"),
            *("--tls-ca-cert-file", str(files.ca)),
            *("--tls-key-file", str(files.key), "--tls-cert-file", str(files.chain)),
            *("--tls-replication", "yes", "--tls-cluster", "yes"),
        )
        super().__init__(program=REDIS, options=(*tls, *options), config=config)


@needs_redis
async def test_redis_over_tls(start: Callable[..., Any], certificates: Certificates) -> None:
    with TlsServer(certificates) as server:
        assert b"redis_version:7" in ask(server, "INFO", "server")
        url = f"rediss://127.0.0.1:{server.tls_port}?ssl_ca_certs={certificates.ca}"
        await converse(await start(url))


@needs_redis
async def test_server_that_nobody_vouches_for_is_refused_unless_told_otherwise(
    certificates: Certificates,
) -> None:
    with TlsServer(certificates) as server:
        url = f"rediss://127.0.0.1:{server.tls_port}"
        await use(f"{url}?ssl_cert_reqs=none")
        access = Access(url, name="test")
        with pytest.raises(BrokerUnavailable) as refused:
            await access.ping()
        assert "certificate" in describe(refused.value)
        await access.aclose()


@needs_redis
async def test_sentinel_over_tls_with_passwords(certificates: Certificates) -> None:
    with TlsServer(certificates) as primary:
        ask(primary, "CONFIG", "SET", "requirepass", "primary")
        config = (
            f"sentinel monitor scripta 127.0.0.1 {primary.tls_port} 1\n"
            "sentinel auth-pass scripta primary\n"
        )
        with TlsServer(certificates, "--sentinel", config=config) as sentinel:
            ask(sentinel, "ACL", "SETUSER", "default", "resetpass", ">watcher")
            query = f"sentinel_password=watcher&ssl_ca_certs={certificates.ca}"
            await use(f"rediss+sentinel://:primary@127.0.0.1:{sentinel.tls_port}/scripta?{query}")


@needs_redis
async def test_cluster_over_tls_with_a_user(certificates: Certificates) -> None:
    bus = ("--cluster-port", str(free_port()))
    with TlsServer(certificates, "--cluster-enabled", "yes", *bus) as server:
        ask(server, "CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
        await settled("slots", lambda: b"cluster_state:ok" in ask(server, "CLUSTER", "INFO"))
        ask(server, "ACL", "SETUSER", "me", "on", ">mine", "~*", "&*", "+@all")
        ask(server, "CONFIG", "SET", "requirepass", "other")
        query = f"ssl_ca_certs={certificates.ca}"
        await use(f"rediss+cluster://me:mine@127.0.0.1:{server.tls_port}?{query}")
