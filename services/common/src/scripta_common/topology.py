"""Clients for every way to run Redis or Valkey: one server, Sentinel, Cluster, with TLS or not.

The URL's scheme says which::

    redis://[user:password@]host:port/db                      one server
    redis+sentinel://[user:password@]host:port,host:port/name  the primary that Sentinels name
    redis+cluster://[user:password@]host:port,host:port        a Cluster, found through any node

``rediss`` in place of ``redis`` is TLS; ``valkey`` and ``valkeys`` are accepted as other names.
Query parameters are passed on to the client (``ssl_ca_certs=/path/ca.pem``,
``ssl_cert_reqs=none``); ``sentinel_username`` and ``sentinel_password`` are for the Sentinels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.sentinel import Sentinel

_DEFAULT_PORT: Final = {"standalone": 6379, "cluster": 6379, "sentinel": 26379}
_TEXT_OPTIONS: Final = frozenset(
    {"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile", "ssl_ciphers"}
)

# Their answers differ between client versions, between single calls and pipelines and by how a
# command was called; the session log reads them as the server sends them.
_RAW: Final = (
    *("XADD", "XRANGE", "XREADGROUP", "XPENDING", "XCLAIM", "XAUTOCLAIM", "XGROUP CREATE"),
    *("XGROUP", "XACK", "XDEL", "XTRIM", "HGET", "HMGET", "EXISTS", "PEXPIRE", "EVAL", "EVALSHA"),
)

Client = Redis | RedisCluster


class BadBrokerUrl(ValueError):
    """The broker's URL can not be used; the message names what is wrong, never the password."""


@dataclass(frozen=True, slots=True)
class Topology:
    """A broker's URL, taken apart.

    Attributes:
        kind: ``standalone``, ``sentinel`` or ``cluster``.
        nodes: Hosts and ports.
        tls: Whether connections are encrypted.
        username: Of the servers.
        password: Of the servers.
        db: Database number; 0 in a Cluster.
        service: Name that the Sentinels know the primary by.
        options: Further options of the client.
        sentinel_options: Credentials of the Sentinels.
    """

    kind: str
    nodes: tuple[tuple[str, int], ...]
    tls: bool
    username: str | None
    password: str | None
    db: int
    service: str
    options: dict[str, Any]
    sentinel_options: dict[str, Any]

    @classmethod
    def parse(cls, url: str) -> Topology:
        """Returns what a URL says; raises ``BadBrokerUrl``."""
        parts = urlsplit(url)
        scheme, _, suffix = parts.scheme.partition("+")
        kind = suffix or "standalone"
        if scheme not in ("redis", "rediss", "valkey", "valkeys") or kind not in _DEFAULT_PORT:
            raise BadBrokerUrl(
                f"REDIS_URL has the scheme {parts.scheme!r}; known are redis, redis+sentinel and "
                "redis+cluster, and with TLS rediss, rediss+sentinel and rediss+cluster"
            )
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        path = [unquote(part) for part in parts.path.split("/") if part]
        if kind == "sentinel" and not path:
            raise BadBrokerUrl("REDIS_URL names no primary: redis+sentinel://host:26379/mymaster")
        service = path.pop(0) if kind == "sentinel" else ""
        options = dict(parse_qsl(parts.query))
        unknown = options.keys() - _TEXT_OPTIONS - {"sentinel_username", "sentinel_password"}
        if unknown:
            raise BadBrokerUrl(f"REDIS_URL has unknown parameters: {', '.join(sorted(unknown))}")
        sentinel = {
            name.removeprefix("sentinel_"): options.pop(name)
            for name in ("sentinel_username", "sentinel_password")
            if name in options
        }
        return cls(
            kind=kind,
            nodes=tuple(_node(host, _DEFAULT_PORT[kind]) for host in hosts.split(",")),
            tls=scheme in ("rediss", "valkeys"),
            username=unquote(username) or None,
            password=unquote(password) or None,
            db=_db(path),
            service=service,
            options=options,
            sentinel_options=sentinel,
        )

    def connect(self, **options: Any) -> Client:
        """Returns a client; it connects when it is first used.

        Args:
            options: Time-outs, retries and names, as redis-py calls them.
        """
        client = self._client({**self._access(), **self.options, **options})
        for name in _RAW:
            client.response_callbacks.pop(name, None)
        return client

    def _client(self, options: dict[str, Any]) -> Client:
        if self.kind == "cluster":
            nodes = [ClusterNode(host, port) for host, port in self.nodes]
            return RedisCluster(startup_nodes=nodes, ssl=self.tls, **options)
        if self.kind == "sentinel":
            tls = {"ssl": True, **self.options} if self.tls else {}
            waits = {key: value for key, value in options.items() if key.endswith("_timeout")}
            sentinel = Sentinel(  # type: ignore[no-untyped-call]
                self.nodes,
                sentinel_kwargs={**waits, **tls, **self.sentinel_options},
                db=self.db,
                ssl=self.tls,
                **options,
            )
            client: Redis = sentinel.master_for(self.service)
            return client
        ((host, port),) = self.nodes
        return Redis(host=host, port=port, db=self.db, ssl=self.tls, **options)

    def _access(self) -> dict[str, Any]:
        return {"username": self.username, "password": self.password}


def _node(address: str, default_port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port or default_port
    except ValueError as error:
        raise BadBrokerUrl(f"REDIS_URL has a bad address: {error}") from None
    if not host:
        raise BadBrokerUrl("REDIS_URL names no host")
    return host, port


def _db(path: list[str]) -> int:
    if not path:
        return 0
    if len(path) > 1 or not path[0].isdecimal():
        raise BadBrokerUrl(f"REDIS_URL has a bad database number: {'/'.join(path)!r}")
    return int(path[0])
