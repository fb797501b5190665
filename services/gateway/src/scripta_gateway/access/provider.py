"""An identity provider: fetches its keys, and fetches them again when they may have changed.

A provider that does not answer changes nothing: the keys of before go on to count. Nobody who
calls can make us ask more often than the bounds say, whatever keys tokens name.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import msgspec

from scripta_common.errors import ProviderUnavailable
from scripta_gateway.access.bounded_file import read_bounded
from scripta_gateway.access.provider_keys import BadKeys, ProviderKeys
from scripta_gateway.bounds import PROVIDER_AGAIN_SECONDS
from scripta_gateway.telemetry import metrics

logger = logging.getLogger(__name__)

_DISCOVERY: Final = "/.well-known/openid-configuration"
_LARGEST: Final = 256 * 1024
_STEP_SECONDS: Final = 5.0
_FETCH_SECONDS: Final = 10.0
"""Time for both documents together."""
_FRESH_SECONDS: Final = 300.0
"""How often keys are fetched: one that the provider has withdrawn counts for so long, at most."""
_URL: Final = ("http://", "https://")


class CannotRead(Exception):
    """The keys can not be read; the message says why."""


class Provider:
    """The keys of one provider.

    Args:
        issuer: Its name in tokens: the address of its discovery document, if that is needed.
        source: URL or file of its keys; empty: what its discovery document names.
        algorithms: The algorithms that are allowed.
    """

    def __init__(self, issuer: str, source: str, algorithms: frozenset[str]) -> None:
        self._issuer = issuer
        self._source = source
        self._algorithms = algorithms
        self._keys: ProviderKeys | None = None
        self._failing = True
        self._fetching: asyncio.Task[None] | None = None
        self._again_at = 0.0

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Returns the key that a token may be signed with; as ``ProviderKeys.find``.

        Raises:
            ProviderUnavailable: No keys could be fetched yet.
        """
        if self._keys is not None and (found := self._keys.find(kid, algorithm)) is not None:
            return found
        await self._refresh()
        if self._keys is None:
            raise ProviderUnavailable
        return self._keys.find(kid, algorithm)

    async def watch(self) -> None:
        """Fetches the keys now and then, and soon again where that fails, until cancelled."""
        while True:
            await self._refresh()
            await asyncio.sleep(PROVIDER_AGAIN_SECONDS if self._failing else _FRESH_SECONDS)

    async def _refresh(self) -> None:
        """Fetches the keys, unless that was tried just now."""
        if self._fetching is None or self._fetching.done():
            now = time.monotonic()
            if now < self._again_at:
                return
            self._again_at = now + PROVIDER_AGAIN_SECONDS
            self._fetching = asyncio.create_task(self._fetch(), name="provider's keys")
        # Cancelled, since one client has gone, the keys come for all others.
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        keys, trouble = None, ""
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                data = await self._read()
                # Off the loop: a hundred keys take some hundredths of a second.
                keys = await asyncio.to_thread(ProviderKeys.parse, data, self._algorithms)
        except (CannotRead, BadKeys, TimeoutError) as error:
            trouble = str(error) or "it does not answer in time"
        self._failing = bool(trouble)
        metrics.PROVIDER_FAILING.set(self._failing)
        if trouble:
            logger.error("keys of the identity provider not read", extra={"error": trouble})
        elif self._keys is None and keys is not None:
            logger.info("keys of the identity provider read", extra={"keys": len(keys.keys)})
        self._keys = keys or self._keys

    async def _read(self) -> bytes:
        if self._source and not self._source.startswith(_URL):
            return await asyncio.to_thread(read_bounded, Path(self._source), _LARGEST, CannotRead)
        # Proxies and authorities are those of the environment. Off the loop, since all authorities
        # are read.
        client = await asyncio.to_thread(httpx.AsyncClient, timeout=_STEP_SECONDS)
        async with client:
            return await _get(client, self._source or await self._discover(client))

    async def _discover(self, client: httpx.AsyncClient) -> str:
        address = self._issuer.rstrip("/") + _DISCOVERY
        try:
            document = msgspec.json.decode(await _get(client, address), type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            raise CannotRead(f"{address} is not JSON") from None
        if document.get("issuer") != self._issuer:
            raise CannotRead(f"{address} is of another issuer than JWT_ISSUER")
        found = document.get("jwks_uri")
        secure = self._issuer.startswith("https:")
        if not isinstance(found, str) or not found.startswith("https:" if secure else _URL):
            raise CannotRead(f"{address} names no jwks_uri that can be trusted")
        return found


async def _get(client: httpx.AsyncClient, address: str) -> bytes:
    body = bytearray()
    try:
        async with client.stream("GET", address) as response:
            if response.status_code != httpx.codes.OK:
                raise CannotRead(f"{address} answers {response.status_code}")
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    raise CannotRead(f"{address} has more than {_LARGEST} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CannotRead(f"{address} does not answer: {type(error).__name__}") from None
    return bytes(body)
