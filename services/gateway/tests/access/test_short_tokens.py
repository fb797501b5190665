"""Short-lived tokens: what they are good for, and what they are not, whoever made them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import jwt
import msgspec
import pytest

from scripta_common.errors import BadRequest, Forbidden, ScriptaError, Unauthorized
from scripta_gateway.access.caller import Caller, Quota, Scope
from scripta_gateway.access.keyfile import digest, parse
from scripta_gateway.access.keyring import Keyring
from scripta_gateway.access.minting import Wish
from scripta_gateway.access.short_tokens import KIND, OpenTokens, ShortTokens
from scripta_gateway.bounds import TOKEN_CHARACTERS

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0
FIRST, SECOND = ({"id": name, "secret": name * 64} for name in "ab")
ENTRY: dict[str, Any] = {
    "id": "web",
    "tenant": "acme",
    "hash": digest("key"),
    "scopes": ["transcribe", "tokens"],
    "models": ["small", "large"],
    "origins": ["https://*.acme.example", "https://acme.example"],
    "limits": {"sessions": 5, "share": 0.5},
}
WISH = Wish(60)


class Place:
    """A gateway's keys, which may change."""

    def __init__(self) -> None:
        self.entry = dict(ENTRY)
        self.signing = [FIRST]
        self.tenants: dict[str, Any] = {}
        self.tokens = ShortTokens(self.ring)

    def ring(self) -> Keyring:
        keys = [self.entry] if self.entry else []
        file = {"keys": keys, "signing": self.signing, "tenants": self.tenants}
        return Keyring(parse(msgspec.json.encode(file)))

    def mint(self, wish: Wish = WISH, now: float = NOW) -> str:
        caller = self.ring().by_id("web", now)
        assert caller is not None
        return self.tokens.mint(caller, wish, now).text

    def verify(self, token: str, now: float = NOW) -> Caller | None:
        return asyncio.run(self.tokens.verify(token, now))

    def admits(self, caller: Caller, now: float = NOW) -> bool | None:
        return self.tokens.admits(caller, now)


@pytest.fixture
def place() -> Place:
    return Place()


def caller_of(place: Place, token: str, now: float = NOW) -> Caller:
    caller = place.verify(token, now)
    assert caller is not None
    return caller


def test_token_is_its_key_without_the_right_to_make_tokens(place: Place) -> None:
    caller = caller_of(place, place.mint())
    assert (caller.key, caller.tenant, caller.issued_at) == ("web", "acme", NOW)
    assert caller.scopes == {Scope.TRANSCRIBE}
    assert caller.models == ("small", "large")
    assert caller.origins == tuple(ENTRY["origins"])
    assert caller.own == Quota(sessions=5, share=0.5)


def test_token_has_less_than_its_key_if_that_is_asked_for(place: Place) -> None:
    limits = Quota(sessions=9, share=0.1, upload_bytes=7)
    wish = Wish(60, ("small",), ("https://app.acme.example",), limits, "how it begins")
    caller = caller_of(place, place.mint(wish))
    assert caller.models == ("small",)
    assert caller.origins == ("https://app.acme.example",)
    assert caller.own == Quota(sessions=5, share=0.1, upload_bytes=7)
    assert caller.preset == "how it begins"


@pytest.mark.parametrize(
    "wish",
    [
        Wish(60, ("other",)),
        Wish(60, ("small", "other")),
        Wish(60, origins=("https://evil.example",)),
        Wish(60, origins=("https://app.acme.example", "*")),
        Wish(60, origins=("https://*.example",)),
    ],
)
def test_nothing_is_made_that_has_more_than_the_key(place: Place, wish: Wish) -> None:
    with pytest.raises(Forbidden):
        place.mint(wish)


def test_key_that_may_not_transcribe_makes_no_token_that_may(place: Place) -> None:
    place.entry["scopes"] = ["tokens"]
    with pytest.raises(Forbidden, match="transcribe"):
        place.mint()


@pytest.mark.parametrize(
    ("change", "token_has"),
    [
        ({"models": ["large", "huge"]}, {"models": ("large",)}),
        ({"origins": ["https://a.acme.example"]}, {"origins": ("https://a.acme.example",)}),
        ({"limits": {"sessions": 1}}, {"own": Quota(sessions=1)}),
        ({"scopes": ["usage"]}, {"scopes": frozenset()}),
    ],
)
def test_token_has_no_more_than_its_key_has_now(
    place: Place, change: dict[str, Any], token_has: dict[str, Any]
) -> None:
    origins = ("https://a.acme.example", "https://b.acme.example")
    token = place.mint(Wish(60, ("small", "large"), origins))
    place.entry |= change
    caller = caller_of(place, token)
    assert {name: getattr(caller, name) for name in token_has} == token_has


@pytest.mark.parametrize("change", [{"models": ["huge"]}, {"origins": ["https://a.example"]}])
def test_token_of_which_nothing_is_left_is_not_one_for_everything(
    place: Place, change: dict[str, Any]
) -> None:
    token = place.mint(Wish(60, ("small",), ("https://acme.example",)))
    place.entry |= change
    with pytest.raises(Forbidden):
        place.verify(token)


def test_token_expires_and_its_session_goes_on(place: Place) -> None:
    token = place.mint()
    caller = caller_of(place, token, NOW + 59)
    with pytest.raises(Unauthorized, match="expired"):
        place.verify(token, NOW + 60)
    assert place.admits(caller, NOW + 10_000) is True


def revoke_key(place: Place) -> None:
    place.entry = {}


def expire_key(place: Place) -> None:
    place.entry["expires"] = "2020-01-01T00:00:00Z"


def give_key_away(place: Place) -> None:
    place.entry["tenant"] = "rival"


def revoke_tenant(place: Place) -> None:
    place.tenants = {"acme": {"tokens_not_before": "2027-01-15T08:00:01Z"}}  # a second later


@pytest.mark.parametrize("revoke", [revoke_key, expire_key, give_key_away, revoke_tenant])
def test_revoked_token_opens_nothing_and_ends_what_it_has_opened(
    place: Place, revoke: Callable[[Place], None]
) -> None:
    token = place.mint()
    caller = caller_of(place, token)
    assert place.admits(caller) is True
    revoke(place)
    with pytest.raises(Unauthorized, match="revoked"):
        place.verify(token)
    assert place.admits(caller) is False


def test_tokens_that_are_made_after_all_were_revoked_work(place: Place) -> None:
    revoke_tenant(place)
    assert caller_of(place, place.mint(now=NOW + 1), NOW + 2)


def test_others_know_whom_they_have_let_in(place: Place) -> None:
    assert place.admits(Caller("web", "acme")) is None
    assert place.admits(Caller("web", "acme", issued_at=NOW, issuer="https://id.example")) is None


def test_secrets_can_be_changed_while_tokens_are_out(place: Place) -> None:
    token = place.mint()
    place.signing = [SECOND, FIRST]
    assert jwt.get_unverified_header(place.mint())["kid"] == "b"
    assert caller_of(place, token)
    place.signing = [SECOND]
    with pytest.raises(Unauthorized):
        place.verify(token)


def test_without_a_secret_it_is_said_what_to_add(place: Place) -> None:
    place.signing = []
    with pytest.raises(Forbidden, match="signing"):
        place.mint()


def claims(**changed: Any) -> dict[str, Any]:
    said = {"sub": "web", "tenant": "acme", "iat": NOW, "exp": NOW + 60, **changed}
    return {name: int(value) if name in ("iat", "exp") else value for name, value in said.items()}


FORGED: dict[str, tuple[dict[str, Any], dict[str, Any], str | None, str]] = {
    "other secret": (claims(), {"typ": KIND, "kid": "a"}, "x" * 64, "HS256"),
    "unknown secret": (claims(), {"typ": KIND, "kid": "z"}, "a" * 64, "HS256"),
    "no secret named": (claims(), {"typ": KIND}, "a" * 64, "HS256"),
    "unsigned": (claims(), {"typ": KIND, "kid": "a"}, None, "none"),
    "other algorithm": (claims(), {"typ": KIND, "kid": "a"}, "a" * 64, "HS512"),
    "from the future": (claims(iat=NOW + 6), {"typ": KIND, "kid": "a"}, "a" * 64, "HS256"),
    "for days": (claims(exp=NOW + 86400), {"typ": KIND, "kid": "a"}, "a" * 64, "HS256"),
    "no time": ({"sub": "web", "tenant": "acme"}, {"typ": KIND, "kid": "a"}, "a" * 64, "HS256"),
    "no tenant": (claims(tenant=None), {"typ": KIND, "kid": "a"}, "a" * 64, "HS256"),
}  # fmt: skip


@pytest.mark.parametrize(("said", "head", "secret", "algorithm"), FORGED.values(), ids=FORGED)
def test_forged_token_is_refused(
    place: Place,
    said: dict[str, Any],
    head: dict[str, Any],
    secret: str | None,
    algorithm: str,
) -> None:
    place.signing = [FIRST, SECOND]
    with pytest.raises(Unauthorized):
        place.verify(jwt.encode(said, secret, algorithm, head))


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", None])
def test_no_other_jwt_is_taken_for_one_even_with_the_same_secret(
    place: Place, kind: str | None
) -> None:
    token = jwt.encode(claims(), FIRST["secret"], "HS256", {"typ": kind, "kid": "a"})
    assert place.verify(token) is None


@pytest.mark.parametrize(
    "text", ["", "scripta_key", "a.b.c", "..", "e30.e30.", "é.é.é", "a" * 8192]
)
def test_key_is_none_of_its_tokens(place: Place, text: str) -> None:
    assert place.verify(text) is None


def test_clocks_of_gateways_may_be_seconds_apart(place: Place) -> None:
    assert caller_of(place, place.mint(now=NOW + 4.9))


def test_token_that_no_url_could_bring_is_not_made(place: Place) -> None:
    with pytest.raises(BadRequest, match=str(TOKEN_CHARACTERS)):
        place.mint(Wish(60, preset="x" * TOKEN_CHARACTERS))


def test_token_of_an_open_gateway_opens_no_other(place: Place) -> None:
    tokens = OpenTokens()
    made = tokens.mint(Caller(), Wish(60, preset="how it begins"), NOW)
    assert tokens.preset_of(made.text) == "how it begins"
    with pytest.raises(ScriptaError):
        place.verify(made.text)
    for shown in ("key", place.mint(), jwt.encode(claims(), "x" * 64, headers={"typ": KIND})):
        assert tokens.preset_of(shown) == ""


def test_nothing_shows_a_token_by_accident(place: Place) -> None:
    caller = place.ring().by_id("web", NOW)
    assert caller is not None
    minted = place.tokens.mint(caller, Wish(60, preset="secret words"), NOW)
    assert minted.text not in repr(minted)
    assert "secret words" not in repr(minted) + repr(caller_of(place, minted.text))
