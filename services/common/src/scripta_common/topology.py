"""Clients for every way to run Redis or Valkey: one server, Sentinel, Cluster, with TLS or not.

The URL's scheme says which::

    redis://[user:password@]host:port/db                      one server
    redis+sentinel://[user:password@]host:port,host:port/name  the primary that Sentinels name
    redis+cluster://[user:password@]host:port,host:port        a Cluster, found through any node

``rediss`` in place of ``redis`` is TLS; ``valkey`` and ``valkeys`` are accepted as other names.
Query parameters are passed on to the client (``ssl_ca_certs=/path/ca.pem``,
``ssl_cert_reqs=none``; only with TLS); ``sentinel_username`` and ``sentinel_password`` are for
the Sentinels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

SENTINEL_TIMEOUT: Final = 0.5
"""Seconds a Sentinel may take to name the primary; it knows it by heart."""

_DEFAULT_PORT: Final = {"standalone": 6379, "cluster": 6379, "sentinel": 26379}
_TEXT_OPTIONS: Final = frozenset(
    {"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile", "ssl_ciphers"}
)

SHOWN_OPTIONS: Final = _TEXT_OPTIONS | {"sentinel_username"}
"""Options whose values are no secrets."""

_SENTINEL_OPTIONS: Final = ("sentinel_username", "sentinel_password")

_FORM: Final = (
    "it looks like redis://user:password@host:6379/0, with special characters of a password as %XX"
)

# Their answers differ between client versions, between single calls and pipelines and by how a
# command was called; the session log reads them as the server sends them.
_RAW: Final = (
    *("XADD", "XRANGE", "XREADGROUP", "XPENDING", "XCLAIM", "XAUTOCLAIM", "XGROUP CREATE"),
    *("XGROUP", "XACK", "XDEL", "XTRIM", "HGET", "HMGET", "EXISTS", "PEXPIRE", "EVAL", "EVALSHA"),
    "CLUSTER SLOTS",
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
        # By hand: the library's reading of several hosts, one in brackets, depends on its version.
        name, separator, rest = url.partition("://")
        if not separator:
            name = url.partition(":")[0] if ":" in url else ""
        if "#" in rest:
            raise BadBrokerUrl(f"REDIS_URL has a bare #; {_FORM}")
        rest, _, query = rest.partition("?")
        netloc, _, place = rest.partition("/")
        scheme, _, suffix = name.lower().partition("+")
        kind = suffix or "standalone"
        if scheme not in ("redis", "rediss", "valkey", "valkeys") or kind not in _DEFAULT_PORT:
            raise BadBrokerUrl(
                f"REDIS_URL has the scheme {name!r}; known are redis, redis+sentinel and "
                "redis+cluster, and with TLS rediss, rediss+sentinel and rediss+cluster"
            )
        credentials, _, hosts = netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        if "@" in place:  # what looked like the host was the start of a password
            raise BadBrokerUrl(f"REDIS_URL has a bare / or @; {_FORM}")
        path = [unquote(part) for part in place.split("/") if part]
        if kind == "sentinel" and not path:
            raise BadBrokerUrl("REDIS_URL names no primary: redis+sentinel://host:26379/mymaster")
        service = path.pop(0) if kind == "sentinel" else ""
        nodes = tuple(_node(host, _DEFAULT_PORT[kind]) for host in hosts.split(","))
        if kind == "standalone" and len(nodes) > 1:
            raise BadBrokerUrl(
                "REDIS_URL names several servers; that takes redis+sentinel or redis+cluster"
            )
        tls = scheme in ("rediss", "valkeys")
        options, sentinel = _options(query, kind, tls=tls)
        return cls(
            kind=kind,
            nodes=nodes,
            tls=tls,
            username=unquote(username) or None,
            password=unquote(password) or None,
            db=_db(path, kind),
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

    def connect_to(self, host: str, port: int, **options: Any) -> Redis:
        """Returns a client of one server of a Cluster; otherwise as ``connect``."""
        options = {**self._access(), **self.options, **options}
        client = Redis(host=host, port=port, ssl=self.tls, **options)
        for name in _RAW:
            client.response_callbacks.pop(name, None)
        return client

    def _client(self, options: dict[str, Any]) -> Client:
        if self.kind == "cluster":
            nodes = [ClusterNode(host, port) for host, port in self.nodes]
            return RedisCluster(startup_nodes=nodes, ssl=self.tls, **options)
        if self.kind == "sentinel":
            tls = {"ssl": True, **self.options} if self.tls else {}
            # One Sentinel that is gone or hangs must not use up the time for asking the next.
            waits = {"socket_timeout": SENTINEL_TIMEOUT, "socket_connect_timeout": SENTINEL_TIMEOUT}
            sentinel = Sentinel(  # type: ignore[no-untyped-call]
                self.nodes,
                sentinel_kwargs={
                    **waits,
                    "retry": Retry(NoBackoff(), 0),
                    **tls,
                    **self.sentinel_options,
                },
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
    except ValueError:
        raise BadBrokerUrl(f"REDIS_URL has a bad address; {_FORM}") from None
    if not host:
        raise BadBrokerUrl("REDIS_URL names no host")
    return host, port


def _db(path: list[str], kind: str) -> int:
    if not path:
        return 0
    if len(path) > 1 or not (path[0].isascii() and path[0].isdecimal()):
        raise BadBrokerUrl(f"REDIS_URL has a bad database number; {_FORM}")
    number = int(path[0])
    if number and kind == "cluster":
        raise BadBrokerUrl("REDIS_URL has a database number; a Cluster has only 0")
    return number


def _options(query: str, kind: str, *, tls: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    sentinel = {
        name.removeprefix("sentinel_"): options.pop(name)
        for name in _SENTINEL_OPTIONS
        if kind == "sentinel" and name in options
    }
    known = _TEXT_OPTIONS if tls else frozenset[str]()
    if not options.keys() <= known:
        # Not which one: it may be the end of a password with a question mark in it.
        allowed = [*sorted(known), *(_SENTINEL_OPTIONS if kind == "sentinel" else ())]
        raise BadBrokerUrl(
            f"REDIS_URL has a parameter that is not among: {', '.join(allowed) or 'none'}; {_FORM}"
        )
    return options, sentinel
