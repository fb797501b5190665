"""The keys of an identity provider: fetched, renewed, and kept while it is away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from identity_provider import FIRST, SECOND, Place, caller_of, jwk

from scripta_common.errors import ProviderUnavailable, Unauthorized
from scripta_gateway.access import provider
from scripta_gateway.telemetry import metrics

pytestmark = pytest.mark.asgi


async def test_new_key_is_fetched_and_unknown_ones_make_nobody_ask_in_a_loop(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the provider, and us, against callers with made-up keys."""
    tokens = place.tokens()
    assert await caller_of(tokens, place.sign())
    place.keys.append(jwk(SECOND, "second"))
    unknown = [place.sign(SECOND, kid=str(number)) for number in range(50)]
    tried = await asyncio.gather(
        *(tokens.verify(token, 0) for token in unknown), return_exceptions=True
    )
    assert all(isinstance(error, Unauthorized) for error in tried)
    assert place.asked == 1
    tokens._provider._again_at = 0.0  # as time goes by
    tried = await asyncio.gather(
        *(tokens.verify(token, 0) for token in unknown), return_exceptions=True
    )
    assert place.asked == 2
    assert await caller_of(tokens, place.sign(SECOND, "second"))
    assert place.asked == 2


async def test_client_that_leaves_does_not_stop_the_keys_of_others(place: Place) -> None:
    tokens = place.tokens()
    leaving = asyncio.create_task(tokens.verify(place.sign(), 0))
    await asyncio.sleep(0)
    staying = asyncio.create_task(tokens.verify(place.sign(), 0))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying is not None
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_former_keys_count_while_the_provider_is_away(place: Place) -> None:
    tokens = place.tokens()
    assert await caller_of(tokens, place.sign())
    place.away = True
    tokens._provider._again_at = 0.0
    with pytest.raises(Unauthorized):
        await tokens.verify(place.sign(kid="new"), 0)
    assert await caller_of(tokens, place.sign())


async def test_provider_that_is_back_is_noticed_soon(
    place: Place, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """Guards the alert: a fetch that fails once would count until the next, minutes later."""
    monkeypatch.setattr(provider, "PROVIDER_AGAIN_SECONDS", 0.05)
    tokens = place.tokens()
    assert await caller_of(tokens, place.sign())
    place.away = True
    watching = asyncio.create_task(tokens._provider.watch())
    tokens._provider._again_at = 0.0
    await until(lambda: metrics.PROVIDER_FAILING._value.get() == 1)
    place.away = False
    await until(lambda: metrics.PROVIDER_FAILING._value.get() == 0)
    watching.cancel()


async def test_before_any_key_is_known_callers_may_come_again(place: Place) -> None:
    place.away = True
    tokens = place.tokens()
    with pytest.raises(ProviderUnavailable):
        await tokens.verify(place.sign(), 0)
    place.away = False
    tokens._provider._again_at = 0.0
    assert await caller_of(tokens, place.sign())


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://else.example"},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
        {"padding": "x" * 300_000},
    ],
)
async def test_discovery_that_can_not_be_trusted_is_not(
    place: Place, document: dict[str, Any]
) -> None:
    place.discovery = document
    with pytest.raises(ProviderUnavailable):
        await place.tokens().verify(place.sign(), 0)


async def test_provider_that_hangs_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "_FETCH_SECONDS", 0.2)
    hanging = await asyncio.start_server(lambda *_: asyncio.sleep(9), "127.0.0.1", 0)
    async with hanging:
        port = hanging.sockets[0].getsockname()[1]
        with pytest.raises(ProviderUnavailable):
            await place.tokens(f"http://127.0.0.1:{port}/keys").verify(place.sign(), 0)


async def test_keys_can_be_a_file_that_changes(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    write(path, [jwk(FIRST, "first")])
    tokens = place.tokens(str(path))
    assert await caller_of(tokens, place.sign())
    write(path, [jwk(SECOND, "second")])
    tokens._provider._again_at = 0.0
    assert await caller_of(tokens, place.sign(SECOND, "second"))
    with pytest.raises(Unauthorized):
        await tokens.verify(place.sign(), 0)
    assert place.asked == 0


def write(path: Path, keys: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps({"keys": keys}), "utf-8")
