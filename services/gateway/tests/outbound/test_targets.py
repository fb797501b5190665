"""Which URLs that a client names may be called, and at which addresses."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis.strategies import builds, lists, sampled_from, text

from scripta_gateway.outbound.targets import Allowlist, BadTarget, Target, is_public
from scripta_gateway.settings import GatewaySettings

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://a.example/x?y=z", "a.example", 80),
        ("https://A.Example./", "a.example", 443),
        ("https://user:password@a.example:8443/", "a.example", 8443),
        ("http://bücher.example/", "xn--bcher-kva.example", 80),
        ("http://a.example\\@127.0.0.1/", "127.0.0.1", 80),
        ("http://[::1]:81/", "::1", 81),
        ("http://2130706433/", "2130706433", 80),
    ],
)
def test_a_target_is_what_is_connected_to(url: str, host: str, port: int) -> None:
    """Guards a URL that one reader takes for one host and the next for another."""
    target = Target.parse(url)
    assert (target.host, target.port) == (host, port)
    assert "password" not in repr(target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "//a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "http:///x",
        "http://a b/",
        "http://a%2eexample/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://a.example:99999/",
        "http://a.example:0/",
        "http://a.example/\n",
        f"http://a.example/{'x' * 5000}",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
    ],
)
def test_what_is_no_target_is_refused(url: str) -> None:
    with pytest.raises(BadTarget):
        Target.parse(url)


LIST = "a.example,*.b.example,c.example:8443,10.1.0.0/16,[fd00::1]:81,Bücher.example"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://a.example/", True),
        ("https://a.example/", True),
        ("https://a.example:443/", True),
        ("https://a.example:80/", False),
        ("http://a.example:8080/", False),
        ("http://a.example.evil.example/", False),
        ("http://evil-a.example/", False),
        ("http://a.example@evil.example/", False),
        ("http://x.b.example/", True),
        ("http://x.y.b.example/", True),
        ("http://b.example/", False),
        ("http://xb.example/", False),
        ("https://c.example:8443/", True),
        ("https://c.example/", False),
        ("http://10.1.2.3/", True),
        ("http://10.2.2.3/", False),
        ("http://[fd00::1]:81/", True),
        ("http://[fd00::1]/", False),
        ("http://xn--bcher-kva.example/", True),
        ("http://127.0.0.1/", False),
        ("http://2130706433/", False),
    ],
)
def test_hosts_and_ports_are_matched_as_listed(url: str, allowed: bool) -> None:
    hosts = Allowlist.parse("FETCH_HOSTS", LIST)
    if allowed:
        hosts.check(Target.parse(url))
    else:
        with pytest.raises(BadTarget, match="FETCH_HOSTS"):
            hosts.check(Target.parse(url))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1"),
        *("169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "224.0.0.1"),
        *("240.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1", "fe80::1", "fd00::1"),
        *("fec0::1", "ff0e::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "fd00:ec2::254", "2001:db8::1"),
    ],
)
def test_an_address_that_is_not_public_is_reached_only_where_it_is_listed(address: str) -> None:
    """Guards metadata services, neighbours in the cluster, and the gateway itself."""
    there = ip_address(address)
    assert not is_public(there)
    assert not Allowlist.parse("X", "*").reaches(there)
    assert Allowlist.parse("X", f"a.example,{address}").reaches(there)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "64:ff9b::808:808"])
def test_a_public_address_is_reached(address: str) -> None:
    assert Allowlist.parse("X", "a.example").reaches(ip_address(address))


@pytest.mark.parametrize("hosts", ["http://a.example", "a b", "[a.example]", "a.example:x", "a*"])
def test_a_list_that_is_not_understood_stops_the_gateway(hosts: str) -> None:
    with pytest.raises(ValueError, match="fetch_hosts"):
        GatewaySettings(fetch_hosts=hosts)


def test_an_empty_list_is_nobody() -> None:
    assert not Allowlist.parse("X", "")


@search(max_examples=1000, deadline=None, derandomize=True)
@given(
    text()
    | builds("".join, lists(sampled_from([*"/:@[]%?#.\\x1- é", "http", "://", "::1", "127.0.0.1"])))
)
def test_any_text_is_a_target_or_is_refused(url: str) -> None:
    """Guards the answer to nonsense: it is 400, and no traceback."""
    with suppress(BadTarget):
        target = Target.parse(url)
        assert target.host
        assert 0 < target.port < 65_536


@search(max_examples=300, deadline=None, derandomize=True)
@given(text(alphabet="ab.*:/[]0123456789é-", max_size=20))
def test_any_list_is_understood_or_named_as_bad(hosts: str) -> None:
    with suppress(ValueError):
        Allowlist.parse("X", hosts)
