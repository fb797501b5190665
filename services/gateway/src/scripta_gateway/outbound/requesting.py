"""HTTP requests to targets that clients name: to addresses that were checked, and to no others.

A name is resolved and its addresses are checked before each request; the connection is then made
to the very address that was checked. So a name that has other addresses a moment later gains
nothing. A proxy, where one is set, resolves names itself: what it may reach is for it to say.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Final

import certifi
import httpx

from scripta_common.errors import ScriptaError
from scripta_gateway.bounds import OUTBOUND_CONNECT_SECONDS, OUTBOUND_READ_SECONDS
from scripta_gateway.outbound.resolving import Resolve
from scripta_gateway.outbound.targets import Address, Allowlist, Target

# They log whole URLs, in which there may be secrets.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_MOST_ADDRESSES: Final = 4
_TIMEOUT: Final = httpx.Timeout(OUTBOUND_READ_SECONDS, connect=OUTBOUND_CONNECT_SECONDS)
_HEADERS: Final = {"user-agent": "scripta", "accept-encoding": "identity"}


class Unreachable(ScriptaError):
    """A target does not answer as HTTP asks for; the message says how it failed, and no address."""

    code = "unreachable"
    close_code = 1008
    http_status = 400


class NotPublic(Unreachable):
    """A target has only addresses that are not to be called."""


class Requester:
    """Makes requests to one target after the other, mostly to the same.

    Args:
        allowed: Who may be called.
        resolve: Finds addresses.
        proxy: URL of the proxy that requests go through; empty: none.
    """

    def __init__(self, allowed: Allowlist, resolve: Resolve, proxy: str = "") -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._proxied = bool(proxy)
        self._client = httpx.AsyncClient(
            # The environment's proxies and passwords are meant for others.
            trust_env=False,
            proxy=proxy or None,
            verify=_trusted(),
            timeout=_TIMEOUT,
            headers=_HEADERS,
        )

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def request(
        self,
        method: str,
        target: Target,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Makes a request and yields the answer, of which only the head has been read.

        Redirects are not followed. Cancelled, the connection is closed.

        Raises:
            BadTarget: The target is not on the list.
            Unreachable: There is no answer.
        """
        self._allowed.check(target)
        response = await self._send(method, target, content, headers or {})
        try:
            yield response
        finally:
            await response.aclose()

    async def _send(
        self, method: str, target: Target, content: bytes | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        failure = "there is no such host"
        for url in await self._places(target):
            request = self._client.build_request(
                method,
                url,
                content=content,
                headers={**headers, "host": target.url.netloc.decode("ascii")},
                extensions={"sni_hostname": target.host},
            )
            try:
                return await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):  # nothing has been sent
                failure = "it can not be connected to"
            except httpx.HTTPError as error:
                raise Unreachable(f"{target.host} failed: {described(error)}") from None
        raise Unreachable(f"{target.host} can not be called: {failure}")

    async def _places(self, target: Target) -> list[httpx.URL]:
        """Returns the URLs by which a target is connected to, each with an address that may be."""
        if self._proxied:
            return [target.url]
        found = [target.address] if target.address else await self._addresses(target)
        checked = [address for address in found if self._allowed.reaches(address)]
        if not checked:
            raise NotPublic(
                f"{target.host} is at no public address; an operator can add the address it has "
                f"to {self._allowed.setting}"
            )
        each = dict.fromkeys(checked[:_MOST_ADDRESSES])
        return [target.url.copy_with(host=str(address)) for address in each]

    async def _addresses(self, target: Target) -> list[Address]:
        try:
            return await self._resolve(target.host, target.port)
        except (OSError, ValueError):
            raise Unreachable(f"{target.host} can not be called: there is no such host") from None


def described(error: httpx.HTTPError) -> str:
    """Returns what went wrong, in words that have nothing of the URL in them."""
    match error:
        case httpx.TimeoutException():
            return "it took too long"
        case httpx.RemoteProtocolError():
            return "it broke off, or does not speak HTTP"
        case _:
            return "the connection broke"


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Returns whom TLS trusts: the system's authorities, ``SSL_CERT_FILE``, and the web's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
