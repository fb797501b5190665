"""Recordings that are fetched from a URL: read as they are transcribed, never held as a whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import httpx

from scripta_common.errors import BadRequest, ScriptaError
from scripta_gateway.bounds import (
    BODY_PIECE_BYTES,
    FETCH_REDIRECTS,
    FETCH_SECONDS,
    MIB,
    OUTBOUND_READ_SECONDS,
    Bound,
)
from scripta_gateway.outbound.requesting import Requester, Unreachable, described
from scripta_gateway.outbound.resolving import Resolve
from scripta_gateway.outbound.targets import Allowlist, BadTarget, Target
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Fetched

logger = logging.getLogger(__name__)

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class CannotFetch(BadRequest):
    """A recording can not be fetched; the message says why."""

    code = "cannot_fetch"


class Recording:
    """A recording that is being fetched.

    Args:
        host: Where from; for logs.
        body: Its bytes.
        largest: Most bytes that it may have.
        closing: What ends the request.
    """

    def __init__(
        self, host: str, body: AsyncIterator[bytes], largest: int, closing: AsyncExitStack
    ) -> None:
        self._host = host
        self._body = body
        self._largest = largest
        self._closing = closing
        self._size = 0
        self._ends_at = asyncio.get_running_loop().time() + FETCH_SECONDS
        self._outcome = Fetched.LEFT

    async def read(self) -> bytes | None:
        """Returns the next piece, or ``None`` at the end; cancelled, the rest is lost.

        Nothing more is read from the target than what is asked for here, and what the network
        holds.

        Raises:
            CannotFetch: The target broke off, was too slow, or sends too much.
        """
        try:
            async with asyncio.timeout_at(self._ends_at):
                piece = await anext(self._body, None)
        except TimeoutError:
            metrics.BOUNDS_HIT[Bound.FETCH_SECONDS].inc()
            raise self._failed(f"it took more than {FETCH_SECONDS / 3600:.0f} hours") from None
        except httpx.HTTPError as error:
            raise self._failed(described(error)) from None
        if piece is None:
            self._outcome = Fetched.COMPLETE
            return None
        self._size += len(piece)
        if self._size > self._largest:
            metrics.BOUNDS_HIT[Bound.BODY_BYTES].inc()
            raise self._failed(_too_large(self._largest))
        return piece

    async def close(self) -> None:
        """Ends the request, complete or not."""
        await self._closing.aclose()
        metrics.FETCHES[self._outcome].inc()
        extra = {"host": self._host, "bytes": self._size, "outcome": self._outcome.value}
        logger.info("fetch ended", extra=extra)

    def _failed(self, why: str) -> CannotFetch:
        self._outcome = Fetched.FAILED
        return CannotFetch(f"The recording can not be fetched: {why}")


class Fetcher:
    """Fetches recordings.

    Args:
        allowed: Where they may be fetched from.
        resolve: Finds addresses.
        largest: Most bytes of one.
        proxy: URL of the proxy that requests go through; empty: none.
    """

    def __init__(
        self, allowed: Allowlist, resolve: Resolve, *, largest: int, proxy: str = ""
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._largest = largest
        self._proxy = proxy

    async def fetch(self, url: str, largest: int | None = None) -> Recording:
        """Returns the recording at a URL, once its first bytes are on their way.

        Args:
            url: The URL.
            largest: Most bytes that its caller may have fetched; ``None``: as many as anybody.

        Raises:
            BadTarget: It may not be fetched from there, or from where that redirects to.
            CannotFetch: It is not there, or is too large.
        """
        if not self._allowed:
            raise BadTarget(
                "Recordings are not fetched from a URL here; post their bytes, or have an operator "
                f"name the host in {self._allowed.setting}"
            )
        largest = self._largest if largest is None else min(self._largest, largest)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(OUTBOUND_READ_SECONDS):
                    target, response = await self._follow(Target.parse(url), stack)
                _check(target, response, largest)
            except TimeoutError:
                metrics.FETCHES[Fetched.FAILED].inc()
                raise CannotFetch("The recording can not be fetched: it took too long") from None
            except BadTarget:
                metrics.FETCHES[Fetched.REFUSED].inc()
                raise
            except ScriptaError:
                metrics.FETCHES[Fetched.FAILED].inc()
                raise
            body = response.aiter_raw(BODY_PIECE_BYTES)
            return Recording(target.host, body, largest, stack.pop_all())

    async def _follow(self, target: Target, stack: AsyncExitStack) -> tuple[Target, httpx.Response]:
        requester = Requester(self._allowed, self._resolve, self._proxy)
        stack.push_async_callback(requester.close)
        for _ in range(FETCH_REDIRECTS + 1):
            try:
                response = await stack.enter_async_context(requester.request("GET", target))
            except Unreachable as error:
                raise CannotFetch(f"The recording can not be fetched: {error}") from None
            if response.status_code not in _REDIRECTS:
                return target, response
            await response.aclose()
            target = _next(target, response)
        metrics.BOUNDS_HIT[Bound.REDIRECTS].inc()
        raise CannotFetch(f"The URL redirects more than {FETCH_REDIRECTS} times")


def _check(target: Target, response: httpx.Response, largest: int) -> None:
    if response.status_code != httpx.codes.OK:
        raise CannotFetch(
            f"The recording can not be fetched: {target.host} answers {response.status_code}"
        )
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > largest:
        metrics.BOUNDS_HIT[Bound.BODY_BYTES].inc()
        raise CannotFetch(f"The recording can not be fetched: {_too_large(largest)}")


def _next(target: Target, response: httpx.Response) -> Target:
    try:
        return Target.parse(str(target.url.join(response.headers["location"])))
    except (KeyError, httpx.InvalidURL):
        raise CannotFetch("The URL redirects to nowhere") from None


def _too_large(largest: int) -> str:
    size = f"{largest} bytes" if largest % MIB else f"{largest // MIB} MiB"
    return f"it has more than {size}"
