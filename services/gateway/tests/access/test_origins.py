"""Which pages a list of origins allows, and which names of hosts are no trick."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from scripta_gateway.access.browsers import BrowserRules, Visit
from scripta_gateway.access.hosts import HostPattern, host_allowed
from scripta_gateway.access.origins import is_own_origin, origin_allowed
from scripta_gateway.settings import GatewaySettings

pytestmark = pytest.mark.unit

APP = "https://app.example.com"


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        (APP, APP),
        (APP, "https://APP.Example.COM"),
        ("HTTPS://App.Example.com/", APP),
        (APP, "https://app.example.com:443"),
        (f"{APP}:443", APP),
        (APP, "https://app.example.com."),
        ("https://app.example.com.", APP),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("https://app.example.com:*", "https://app.example.com:8443"),
        ("https://app.example.com:*", APP),
        ("http://localhost:*", "http://localhost:5173"),
        ("app.example.com", APP),
        ("app.example.com", "http://app.example.com"),
        ("https://*.example.com", APP),
        ("https://*.example.com", "https://a.b.example.com"),
        ("https://*.example.com:8443", "https://a.example.com:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example", "https://bücher.example"),
        ("https://*.bücher.example", "https://a.xn--bcher-kva.example"),
        ("http://[::1]:3000", "http://[0:0:0:0:0:0:0:1]:3000"),
        ("null", "null"),
        ("*", APP),
        ("*", "null"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_entry_allows_the_origin(entry: str, origin: str) -> None:
    assert origin_allowed(origin, ["https://other.example", entry])


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        (APP, "http://app.example.com"),
        (APP, "https://app.example.com:8443"),
        (APP, "https://app.example.com.evil.example"),
        (APP, "https://evil.example/app.example.com"),
        (APP, "https://app.example.com@evil.example"),
        (APP, "https://evilapp.example.com"),
        (APP, f"{APP}/"),
        (APP, f"{APP} "),
        (APP, "https://app.example.com.."),
        (APP, "app.example.com"),
        (APP, "null"),
        (APP, ""),
        (APP, "https://"),
        (APP, "https://app.example.com:"),
        (APP, "https://app.example.com:99999999"),
        (APP, f"{APP}, https://evil.example"),
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://evilexample.com"),
        ("https://*.example.com", "https://a.example.com.evil.example"),
        ("https://*.example.com", "https://.example.com"),
        ("https://*.example.com", "http://a.example.com"),
        ("https://strasse.example", "https://straße.example"),
        ("app.example.com", "chrome-extension://app.example.com"),
        ("app.example.com", "https://app.example.com:8443"),
        ("self", APP),
        ("no origin at all", "null"),
        ("https://" + "a" * 300, "https://" + "a" * 300),
    ],
)
def test_entry_does_not_allow_the_origin(entry: str, origin: str) -> None:
    """Guards comparisons of texts, of their beginnings or of their ends."""
    assert not origin_allowed(origin, [entry])


@pytest.mark.parametrize(
    ("origin", "host", "secure", "own"),
    [
        ("https://speech.example", "speech.example", True, True),
        ("https://speech.example", "SPEECH.example.:443", True, True),
        ("http://speech.example", "speech.example", False, True),
        ("https://speech.example", "speech.example", False, True),  # a proxy has ended TLS
        ("http://speech.example", "speech.example", True, False),
        ("http://localhost:8000", "localhost:8000", False, True),
        ("http://localhost:8001", "localhost:8000", False, False),
        ("http://localhost:8000", "localhost", False, False),
        ("http://[::1]:8000", "[::1]:8000", False, True),
        ("https://evil.example", "speech.example", True, False),
        ("null", "null", False, False),
        ("null", "", False, False),
        ("chrome-extension://speech.example", "speech.example", False, False),
    ],
)
def test_page_is_of_the_host_that_it_calls(origin: str, host: str, secure: bool, own: bool) -> None:
    assert is_own_origin(origin, host, secure=secure) is own


LOCAL = ["localhost", "LOCALHOST:8000", "localhost.", "a.localhost", "127.0.0.1:8000", "[::1]:80"]
INNER = ["scripta-gateway", "scripta-gateway.speech.svc", "gateway.speech.svc.cluster.local"]
OUTER = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example.:80"]
NONE = ["a b", "a/b", "[::1", "a:b", "user@localhost", "..", "a..b", "*", "local\\host"]


def test_local_clients_use_names_that_nobody_can_register() -> None:
    """Guards a gateway on a laptop against pages whose name leads to it (DNS rebinding)."""
    assert all(host_allowed(host, (), local=True) for host in LOCAL + INNER)
    assert not any(host_allowed(host, (), local=True) for host in OUTER + NONE)


def test_other_clients_use_any_name_unless_some_are_listed() -> None:
    assert all(host_allowed(host, (), local=False) for host in LOCAL + INNER + OUTER)
    listed = [HostPattern.parse("speech.example"), HostPattern.parse("*.speech.example:8443")]
    for local in (False, True):
        for host in [*LOCAL, "Speech.Example:80", "a.speech.example:8443"]:
            assert host_allowed(host, listed, local=local)
        for host in [*INNER, *OUTER, *NONE, "a.speech.example", "speech.example.evil.example"]:
            assert not host_allowed(host, listed, local=local)


def test_every_name_may_be_used_if_that_is_listed() -> None:
    every = [HostPattern.parse("*")]
    assert all(host_allowed(host, every, local=True) for host in INNER + OUTER)
    assert not any(host_allowed(host, every, local=True) for host in NONE)


def test_two_hosts_or_two_origins_are_no_answerable_question() -> None:
    rules = BrowserRules.parse("*", "")
    assert rules.objection(Visit(["a.example"], [APP])) is None
    assert rules.objection(Visit([], [])) is None
    assert rules.objection(Visit(["a.example", "b.example"], [])) is not None
    assert rules.objection(Visit(["a.example"], [APP, APP])) is not None


@pytest.mark.parametrize(
    "settings",
    [
        {"allowed_origins": "https://a b"},
        {"allowed_origins": "self,https://a.example/path"},
        {"allowed_origins": "https://*.*.example"},
        {"allowed_origins": "https://*.10.0.0.1"},
        {"allowed_origins": "ht tp://a"},
        {"allowed_hosts": "https://a.example"},
        {"allowed_hosts": "a.*.example"},
    ],
)
def test_list_with_something_else_in_it_is_a_bad_setting(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(**settings)
