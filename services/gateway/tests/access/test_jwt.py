"""Callers with tokens of an identity provider, which is a server on loopback here."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from identity_provider import AUDIENCE, FIRST, SECOND, Place, caller_of, jwk
from jwt.utils import base64url_encode
from pydantic import ValidationError
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripta_common.errors import Unauthorized
from scripta_gateway.access import keyring
from scripta_gateway.access.caller import Caller, Quota, Scope
from scripta_gateway.access.keyfile import KeyFile, Limits, TenantEntry
from scripta_gateway.settings import GatewaySettings

pytestmark = pytest.mark.asgi


def by_hand(head: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """Returns a token that no library would make."""
    parts = [base64url_encode(json.dumps(part).encode()) for part in (head, claims)]
    signed = b".".join(parts)
    return b".".join((signed, base64url_encode(sign(signed)))).decode()


async def test_token_tells_who_calls_and_what_it_may(place: Place) -> None:
    place.file = KeyFile(tenants={"acme": TenantEntry(Limits(sessions=3))})
    caller = await caller_of(place.tokens(), place.sign())
    assert (caller.tenant, caller.issuer) == ("acme", place.address)
    assert caller.scopes == {Scope.TRANSCRIBE, Scope.USAGE}
    assert caller.shared == Quota(sessions=3)
    assert caller.models == ()


async def test_key_is_a_digest_that_whoever_knows_the_subject_can_make(place: Place) -> None:
    caller = await caller_of(place.tokens(), place.sign())
    digest = hashlib.sha256(f"{place.address} ann@example.com".encode()).hexdigest()
    assert caller.key == f"jwt-{digest[:24]}"
    assert (await caller_of(place.tokens(), place.sign(sub="bob"))).key != caller.key


async def test_claims_are_those_that_are_set(place: Place) -> None:
    tokens = place.tokens(
        jwt_tenant_claim="org.name",
        jwt_scope_claim="https://example.com/roles",
        jwt_scope_prefix="",
        jwt_models_claim="models",
        jwt_key_claim="azp",
    )
    claims = {"org": {"name": "rival"}, "https://example.com/roles": ["tokens"], "azp": "app"}
    caller = await caller_of(tokens, place.sign(models="small large", **claims))
    assert (caller.tenant, caller.scopes) == ("rival", {Scope.TOKENS})
    assert caller.models == ("small", "large")
    with pytest.raises(Unauthorized, match="models"):
        await tokens.verify(place.sign(**claims), 0)


async def test_without_a_claim_for_scopes_every_token_may_transcribe(place: Place) -> None:
    caller = await caller_of(place.tokens(jwt_scope_claim=""), place.sign(scope=None))
    assert caller.scopes == {Scope.TRANSCRIBE}


@pytest.mark.parametrize("scope", [None, "transcribe", "scripta:transcribed", 7, {"a": 1}])
async def test_scope_of_something_else_is_none(place: Place, scope: object) -> None:
    caller = await caller_of(place.tokens(), place.sign(scope=scope))
    assert caller.scopes == frozenset()


NOW = int(time.time())
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"iat": NOW - 200, "exp": NOW - 100}, "expired"),
    "not yet valid": ({"nbf": NOW + 1000}, "not valid yet"),
    "from the future": ({"iat": NOW + 1000}, "not valid yet"),
    "for another service": ({"aud": "mail"}, "another service"),
    "for nobody": ({"aud": None}, "not good"),
    "for ever": ({"exp": None}, "not good"),
    "of no time": ({"iat": None}, "not good"),
    "no tenant": ({"tenant": None}, "no tenant"),
    "several tenants": ({"tenant": ["acme"]}, "no tenant"),
    "tenant that breaks a key": ({"tenant": "a}:b"}, "no tenant"),
    "no subject": ({"sub": None}, "no sub"),
    "key of another": ({"key": SECOND}, "not good"),
    "key that is not listed": ({"key": SECOND, "kid": "second"}, "does not list"),
    "id of another key": ({"kid": "curve"}, "does not list"),
}


@pytest.mark.parametrize(("changed", "said"), BAD.values(), ids=BAD)
async def test_bad_token_is_refused(place: Place, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(Unauthorized, match=said):
        await place.tokens().verify(place.sign(**changed), time.time())


async def test_clocks_may_differ_by_what_is_set(place: Place) -> None:
    token = place.sign(iat=NOW - 100, exp=int(time.time()) - 20)
    assert await caller_of(place.tokens(), token)
    with pytest.raises(Unauthorized):
        await place.tokens(jwt_leeway_seconds=1).verify(token, time.time())


async def test_unsigned_token_is_refused(place: Place) -> None:
    token = jwt.encode(place.claims(), None, "none", {"kid": "first"})
    with pytest.raises(Unauthorized):
        await place.tokens().verify(token, time.time())


async def test_public_key_is_no_secret_to_sign_with(place: Place) -> None:
    """Guards algorithm confusion: HS256 with the provider's public key as its secret."""
    public = FIRST.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    head = {"alg": "HS256", "kid": "first"}
    token = by_hand(head, place.claims(), lambda data: hmac.digest(public, data, "sha256"))
    with pytest.raises(Unauthorized):
        await place.tokens().verify(token, time.time())


async def test_token_brings_no_key_of_its_own(place: Place) -> None:
    head = {"kid": "mine", "jwk": jwk(SECOND, "mine"), "jku": f"{place.address}/mine"}
    token = jwt.encode(place.claims(), SECOND, "RS256", head)
    with pytest.raises(Unauthorized, match="does not list"):
        await place.tokens().verify(token, time.time())


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": True}])
async def test_header_that_has_to_be_understood_opens_nothing(
    place: Place, extension: dict[str, Any]
) -> None:
    head = {"alg": "RS256", "kid": "first", **extension}
    token = by_hand(head, place.claims(), lambda data: FIRST.sign(data, PKCS1v15(), SHA256()))
    with suppress(Unauthorized):
        assert await place.tokens().verify(token, time.time()) is None


async def test_tokens_of_others_are_for_others_to_know(place: Place) -> None:
    tokens = place.tokens()
    for shown in ("scripta_key", "a.b.c", "", place.sign(iss="https://else.example")):
        assert await tokens.verify(shown, time.time()) is None
    assert place.asked == 0
    assert tokens.admits(Caller("web", "acme"), time.time()) is None


async def test_tokens_of_a_tenant_are_revoked_together(place: Place) -> None:
    tokens = place.tokens()
    caller = await caller_of(tokens, place.sign())
    assert tokens.admits(caller, time.time()) is True
    later = datetime.fromtimestamp(time.time() + 1, UTC)
    place.file = KeyFile(tenants={"acme": TenantEntry(tokens_not_before=later)})
    assert tokens.admits(caller, time.time()) is False
    with pytest.raises(Unauthorized, match="revoked"):
        await tokens.verify(place.sign(), time.time())


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"jwt_issuer": "https://id.example"}, "jwt_audience"),
        ({"jwt_issuer": "https://id.example", "jwt_audience": " , "}, "jwt_audience"),
        ({"jwt_issuer": "id.example", "jwt_audience": "a"}, "jwt_jwks"),
        ({"jwt_algorithms": "HS256"}, "jwt_algorithms"),
        ({"jwt_algorithms": "RS256,none"}, "jwt_algorithms"),
        ({"jwt_algorithms": ""}, "jwt_algorithms"),
        ({"jwt_tenant_claim": ""}, "jwt_tenant_claim"),
    ],
)
def test_settings_that_would_let_in_others_are_refused(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        GatewaySettings(**settings)
    assert [error["loc"] for error in refused.value.errors()] == [(named,)]


async def test_gateway_knows_callers_by_their_tokens(
    redis: object,
    place: Place,
    start_server: Callable[..., Any],
    mock_worker: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards that a provider alone asks for tokens, and that a key file beside it revokes them."""
    monkeypatch.setattr(keyring, "CHECK_SECONDS", 0.05)
    path = tmp_path / "keys.json"
    path.write_text("{}", "utf-8")
    jwt_only = {"jwt_issuer": place.address, "jwt_audience": AUDIENCE}
    for settings in (jwt_only, {**jwt_only, "keys_file": str(path)}):
        server = await start_server(**settings)
        await refused(server, None, 401)
        await refused(server, "some-key", 401)
        await refused(server, place.sign(exp=NOW - 100), 401)
        await refused(server, place.sign(scope="openid"), 403)
        with pytest.raises(InvalidStatus) as in_url:
            await server.connect(f"access_token={place.sign()}")
        assert in_url.value.response.status_code == 401
        shown = {"Authorization": f"Bearer {place.sign()}"}
        async with server.connect("events=true", additional_headers=shown) as client:
            (session,) = server.hub.held.by_id.values()
            assert session.options.tenant == "acme"
            assert session.options.key.startswith("jwt-")
            if settings is jwt_only:
                continue
            later = datetime.fromtimestamp(int(time.time()) + 1, UTC).isoformat()
            tenants = {"acme": {"tokens_not_before": later}}
            path.write_text(json.dumps({"tenants": tenants}), "utf-8")
            async with asyncio.timeout(10):
                frames = [json.loads(frame) async for frame in until_closed(client)]
            assert frames[-1]["code"] == "unauthorized"


async def test_gateway_that_has_no_keys_yet_asks_to_come_again(
    redis: object, place: Place, start_server: Callable[..., Any]
) -> None:
    place.away = True
    server = await start_server(jwt_issuer=place.address, jwt_audience=AUDIENCE)
    response = await refused(server, place.sign(), 503)
    assert response.headers["retry-after"]


async def refused(server: Any, token: str | None, status: int) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with pytest.raises(InvalidStatus) as error:
        await server.connect(additional_headers=headers)
    response = error.value.response
    assert response.status_code == status
    assert not token or token not in str(response.body)
    return response


async def until_closed(client: Any) -> AsyncIterator[str]:
    with suppress(ConnectionClosed):
        while True:
            yield await client.recv()
