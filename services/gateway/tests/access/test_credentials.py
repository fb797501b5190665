"""Where callers show their keys, and that nothing behind sees them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripta_common.errors import Unauthorized
from scripta_gateway.access.credentials import Credential, take
from scripta_gateway.transports.base import Request

pytestmark = pytest.mark.unit

KEY = "scripta_k"
PREFIX = "insecure-key."
PLAIN = Request(id="0", at=0.0)


def header(value: str) -> Request:
    return replace(PLAIN, headers={"authorization": value, "host": "a"})


def offering(*names: str) -> Request:
    return replace(PLAIN, subprotocols=names)


@pytest.mark.parametrize(
    "value",
    [
        "Bearer scripta_k",
        "Token scripta_k",
        "bearer scripta_k",
        "TOKEN   scripta_k",
        " Token scripta_k ",
    ],
)
def test_header_shows_a_key(value: str) -> None:
    shown, rest = take(header(value))
    assert shown == Credential(KEY)
    assert rest.headers == {"host": "a"}


@pytest.mark.parametrize(
    "value",
    ["", "scripta_k", "Basic c2NyaXB0YV9r", "Bearer", "Bearer ", "Bearer a\x00b", "Token ä"],
)
def test_header_that_can_show_no_key_is_refused(value: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        take(header(value))
    assert not value.strip() or value not in str(refused.value)


@pytest.mark.parametrize("first", ["token", "bearer", "Token"])
def test_browser_shows_a_key_behind_a_word_that_is_answered(first: str) -> None:
    shown, rest = take(offering(first, KEY, "other"))
    assert shown == Credential(KEY)
    assert rest.subprotocols == (first, "other")


def test_browser_shows_a_key_behind_a_prefix() -> None:
    shown, rest = take(offering("realtime", PREFIX + KEY, "beta"), PREFIX)
    assert shown == Credential(KEY)
    assert list(rest.subprotocols) == ["realtime", "beta"]


@pytest.mark.parametrize("offered", [(), ("token",), ("chat", KEY), ("chat", "token", KEY)])
def test_other_subprotocols_show_none(offered: tuple[str, ...]) -> None:
    shown, rest = take(offering(*offered))
    assert shown is None
    assert tuple(rest.subprotocols) == offered


def test_token_in_the_url_is_marked_and_taken_out() -> None:
    query = [("language", "en"), ("access_token", KEY), ("tag", "a"), ("access_token", "b")]
    shown, rest = take(replace(PLAIN, query=query))
    assert shown == Credential(KEY, in_url=True)
    assert rest.query == [("language", "en"), ("tag", "a")]


def test_header_goes_before_all_others() -> None:
    request = replace(
        header("Bearer one"), query=[("access_token", "two")], subprotocols=("token", "three")
    )
    shown, rest = take(request)
    assert shown == Credential("one")
    assert rest.query == []
    assert rest.subprotocols == ("token",)


def test_key_of_any_length_is_bounded() -> None:
    with pytest.raises(Unauthorized):
        take(header("Bearer " + "k" * 10_000))


def test_key_is_not_shown() -> None:
    assert KEY not in repr(take(header(f"Bearer {KEY}"))[0])
