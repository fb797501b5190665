"""One server: with passwords, over TLS, and Redis in place of Valkey."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from scripta_common.broker import Broker as Access
from scripta_common.errors import BrokerUnavailable
from scripta_local.broker import Broker
from scripta_local.ports import free_port

from .chatter import all_of, chatters
from .servers import ask

pytestmark = pytest.mark.e2e

PASSWORD = "p@ss/w:rd?#[1]%"
REDIS = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(not REDIS, reason="there is no redis-server on this machine")


async def converse(stack: Any, messages: int = 20) -> None:
    async with chatters(stack, 4) as everybody:
        await all_of(everybody, lambda one: one.say(messages))
        await all_of(everybody, lambda one: one.until_heard())
        await all_of(everybody, lambda one: one.end())


def guard(server: Broker, how: str) -> str:
    """Puts a password on a server; returns the URL that has it."""
    access = f":{quote(PASSWORD, safe='')}@"
    if how == "requirepass":
        ask(server, "CONFIG", "SET", "requirepass", PASSWORD)
    else:
        # Exactly what Scripta uses: keys and channels of its own, no administration.
        rules = (f">{PASSWORD}", "~scripta:*", "&scripta:*", "+@all", "-@admin", "-@dangerous")
        ask(server, "ACL", "SETUSER", "scripta", "reset", "on", *rules)
        ask(server, "ACL", "SETUSER", "default", "off")
        access = f"scripta{access}"
    return server.url.replace("redis://", f"redis://{access}")


@pytest.mark.parametrize("how", ["requirepass", "acl"])
async def test_password_with_every_special_character(
    start: Callable[..., Any], start_broker: Callable[..., Broker], how: str
) -> None:
    url = guard(start_broker(), how)
    await converse(await start(url))


class TlsServer(Broker):
    """A Redis that also speaks TLS, with a certificate for 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        certificate = self.authority.issue_cert("127.0.0.1")
        self.ca, key, chain = (folder / name for name in ("ca.pem", "key.pem", "chain.pem"))
        self.authority.cert_pem.write_to_path(self.ca)
        certificate.private_key_pem.write_to_path(key)
        certificate.cert_chain_pems[0].write_to_path(chain)
        self.tls_port = free_port()
        files = ("--tls-key-file", str(key), "--tls-cert-file", str(chain))
        options = ("--tls-port", str(self.tls_port), *files, "--tls-auth-clients", "no")
        super().__init__(program=REDIS, options=(*options, "--tls-ca-cert-file", str(self.ca)))

    def secure_url(self, **query: object) -> str:
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return f"rediss://127.0.0.1:{self.tls_port}/0?{parameters}"


@needs_redis
async def test_redis_over_tls(start: Callable[..., Any], tmp_path: Path) -> None:
    with TlsServer(tmp_path) as server:
        await converse(await start(server.secure_url(ssl_ca_certs=server.ca)))


@needs_redis
@pytest.mark.parametrize("trusted", [True, False])
async def test_server_that_nobody_vouches_for_is_refused_unless_told_otherwise(
    tmp_path: Path, trusted: bool
) -> None:
    with TlsServer(tmp_path) as server:
        query = {"ssl_cert_reqs": "none"} if trusted else {}
        access = Access(server.secure_url(**query), name="test")
        if trusted:
            await access.ping()
        else:
            with pytest.raises(BrokerUnavailable) as refused:
                await access.ping()
            assert isinstance(refused.value.__cause__.__context__, ssl.SSLError)
        await access.aclose()


@needs_redis
async def test_redis_in_place_of_valkey(start: Callable[..., Any]) -> None:
    with Broker(program=REDIS) as server:
        assert b"redis_version:7" in ask(server, "INFO", "server")
        await converse(await start(server.url))
