"""Which servers a URL names and how; what is wrong with it is said without its password."""

from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool

from scripta_common.settings import CommonSettings, mask_password
from scripta_common.topology import BadBrokerUrl, Topology

pytestmark = pytest.mark.unit


def test_one_server() -> None:
    topology = Topology.parse("redis://user:pass@host:1234/5")
    assert (topology.kind, topology.nodes, topology.tls) == ("standalone", (("host", 1234),), False)
    assert (topology.username, topology.password, topology.db) == ("user", "pass", 5)


def test_what_a_url_leaves_out_is_the_usual() -> None:
    topology = Topology.parse("redis://host")
    assert (topology.nodes, topology.db) == ((("host", 6379),), 0)
    assert (topology.username, topology.password) == (None, None)
    assert Topology.parse("redis+cluster://host").nodes == (("host", 6379),)
    assert Topology.parse("redis+sentinel://host/name").nodes == (("host", 26379),)


@pytest.mark.parametrize("scheme", ["rediss", "valkeys", "rediss+cluster", "valkeys+sentinel"])
def test_s_means_tls(scheme: str) -> None:
    assert Topology.parse(f"{scheme}://host/{'name' if 'sentinel' in scheme else ''}").tls
    plain = scheme.replace("s+", "+").removesuffix("s")
    assert not Topology.parse(f"{plain}://host/{'name' if 'sentinel' in plain else ''}").tls


def test_sentinels_and_the_name_they_know_the_primary_by() -> None:
    topology = Topology.parse(
        "redis+sentinel://:pass@one,[::2]:2,three:3/name/4?sentinel_username=u&sentinel_password=p"
    )
    assert topology.nodes == (("one", 26379), ("::2", 2), ("three", 3))
    assert (topology.kind, topology.service, topology.db) == ("sentinel", "name", 4)
    assert (topology.username, topology.password) == (None, "pass")
    assert topology.sentinel_options == {"username": "u", "password": "p"}


def test_cluster_and_any_of_its_nodes() -> None:
    topology = Topology.parse("redis+cluster://user:pass@one:1,two:2")
    assert (topology.kind, topology.nodes) == ("cluster", (("one", 1), ("two", 2)))


def test_options_of_tls_are_passed_on() -> None:
    topology = Topology.parse("rediss://host?ssl_ca_certs=/some/ca%20file.pem&ssl_cert_reqs=none")
    assert topology.options == {"ssl_ca_certs": "/some/ca file.pem", "ssl_cert_reqs": "none"}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "scheme ''"),
        ("http://host", "scheme 'http'"),
        ("host:6379", "scheme 'host'"),
        ("redis+ring://host", "scheme 'redis.ring'"),
        ("redis://", "names no host"),
        ("redis:///0", "names no host"),
        ("redis://host:port", "bad address"),
        ("redis://host:65536", "bad address"),
        ("redis://[::1", "bad address"),
        ("redis://host/zero", "bad database number"),
        ("redis://host/²", "bad database number"),
        ("redis://host/0/1", "bad database number"),
        ("redis://one,two", "several servers"),
        ("redis+sentinel://host", "names no primary"),
        ("redis+sentinel://host/name/zero", "bad database number"),
        ("redis+cluster://host/1", "a Cluster has only 0"),
        ("redis://host#1", "a bare #"),
        ("redis://host?ssl_ca_certs=/ca.pem", "not among: none"),
        ("rediss://host?retries=3", "not among: ssl_ca_certs, "),
        ("redis://host?sentinel_password=p", "not among: none"),
        ("redis+sentinel://host/name?socket_timeout=1", "not among: sentinel_username, "),
    ],
)
def test_unusable_url_is_refused_with_what_is_wrong(url: str, told: str) -> None:
    with pytest.raises(BadBrokerUrl, match=told):
        Topology.parse(url)


def test_setting_that_is_unusable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis+sentinel://host")
    with pytest.raises(ValueError, match="names no primary"):
        CommonSettings()


# Everything that a password can do to a URL that somebody forgot to escape.
unescaped = st.text(alphabet="xyz059/?#@:[]%&=,+", min_size=1, max_size=12).map(
    lambda text: f"Pw{text}Pw"
)
schemes = st.sampled_from(["redis", "rediss", "redis+cluster", "redis+sentinel"])


@example("Pw@0/Pw", "redis+sentinel", "")
@given(unescaped, schemes, st.sampled_from(["", "user"]))
def test_no_error_shows_a_piece_of_the_password(password: str, scheme: str, user: str) -> None:
    url = f"{scheme}://{user}:{password}@host:6379/0"
    try:
        topology = Topology.parse(url)
    except BadBrokerUrl as error:
        shown = "".join(traceback.format_exception(error))
    else:  # then it is understood as one
        assert "Pw" in (topology.password or "")
        shown = mask_password(url)
    assert "Pw" not in shown


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20),
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True),
            st.integers(1, 65535),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_escaped_url_comes_back_as_it_was_meant(
    user: str, password: str, nodes: list[tuple[str, int]]
) -> None:
    hosts = ",".join(f"{host}:{port}" for host, port in nodes)
    access = f"{quote(user, safe='')}:{quote(password, safe='')}"
    topology = Topology.parse(f"redis+sentinel://{access}@{hosts}/name")
    assert topology.nodes == tuple(nodes)
    assert (topology.username or "", topology.password or "") == (user, password)


def test_password_of_the_sentinels_is_masked_too() -> None:
    url = "redis+sentinel://:secret@one,two/name?sentinel_username=u&sentinel_password=secret"
    masked = "redis+sentinel://:***@one,two/name?sentinel_username=u&sentinel_password=***"
    assert mask_password(url) == masked


async def test_each_kind_has_its_client() -> None:
    one = Topology.parse("redis://host").connect()
    sentinel = Topology.parse("redis+sentinel://host/name").connect()
    cluster = Topology.parse("redis+cluster://host").connect()
    assert isinstance(one, Redis)
    assert isinstance(sentinel, Redis)
    assert isinstance(sentinel.connection_pool, SentinelConnectionPool)
    assert isinstance(cluster, RedisCluster)
    for client in (one, sentinel, cluster):
        await client.aclose()
