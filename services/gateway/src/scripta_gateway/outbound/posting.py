"""Results that are sent to a URL in place of a client: in order, and with patience within bounds.

Each call has a queue of its own, so that a target which is slow holds up its own call alone. What
can not be delivered is given up after a bounded time, and counted.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, field
from typing import Final

import httpx

from scripta_common.errors import NoCapacity, ScriptaError
from scripta_gateway.bounds import (
    CALLBACK_BYTES,
    CALLBACK_QUEUE,
    CALLBACK_SECONDS,
    CALLBACK_TRY_SECONDS,
    CALLBACKS_AT_ONCE,
    CALLBACKS_FAILING,
    Bound,
)
from scripta_gateway.dialects.asks import Callback
from scripta_gateway.outbound.requesting import Requester
from scripta_gateway.outbound.resolving import Resolve
from scripta_gateway.outbound.targets import Allowlist, BadTarget, Target
from scripta_gateway.telemetry import metrics
from scripta_gateway.telemetry.metrics import Posted

logger = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 8.0
_WORTH_A_RETRY: Final = frozenset({408, 425, 429})
_JSON: Final = {"content-type": "application/json"}


class Posts:
    """What is sent for one call.

    Args:
        poster: Whose it is.
        method: HTTP method.
        target: Where to.
        requester: Makes the requests.
    """

    def __init__(self, poster: Poster, method: str, target: Target, requester: Requester) -> None:
        self._poster = poster
        self._method = method
        self._target = target
        self._requester = requester
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(CALLBACK_QUEUE)
        self._ended = False
        # Whether the last try failed, and whether all tries of one did: the next one is then tried
        # once only.
        self._failing = self._doubtful = False
        self._delivered = self._given_up = 0

    async def put(self, body: bytes) -> None:
        """Puts a body in line; waits while too many wait. Cancelled, it is not in line."""
        await self._room.acquire()
        self._queue.put_nowait(body)
        self._poster.hold(len(body))

    def end(self) -> None:
        """Ends the queue: no further result is added, and those that wait are still sent."""
        if not self._ended:
            self._queue.put_nowait(None)
            self._ended = True

    async def run(self) -> None:
        """Sends until the end; cancelled, gives up what is in line."""
        try:
            while (body := await self._queue.get()) is not None:
                try:
                    self._count(delivered=await self._deliver(body))
                except BaseException:
                    self._count(delivered=False)
                    raise
                finally:
                    self._poster.hold(-len(body))
                    self._room.release()
        finally:
            self._give_up_rest()
            await self._requester.close()
            extra = {"delivered": self._delivered, "given_up": self._given_up}
            logger.info("callback ended", extra={"host": self._target.host, **extra})

    async def _deliver(self, body: bytes) -> bool:
        """Returns whether the target took it, after as many tries as there is time for."""
        ends_at = asyncio.get_running_loop().time() + CALLBACK_SECONDS
        pause = _FIRST_PAUSE
        while True:
            why, final = await self._try(body, ends_at)
            self._failing = bool(why)
            if not why:
                self._doubtful = False
                return True
            wait = random.uniform(pause / 2, pause)
            late = asyncio.get_running_loop().time() + wait + CALLBACK_TRY_SECONDS > ends_at
            if final or late or self._doubtful:
                self._doubtful = True
                extra = {"host": self._target.host, "reason": why, "bytes": len(body)}
                logger.warning("callback given up", extra=extra)
                return False
            metrics.CALLBACK_RETRIES.inc()
            await asyncio.sleep(wait)  # cancelled, it is given up
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _try(self, body: bytes, ends_at: float) -> tuple[str, bool]:
        """Returns why the target did not take it, if so, and whether another try is pointless."""
        turns = self._poster.second_turns if self._failing else self._poster.turns
        try:
            async with (
                asyncio.timeout_at(ends_at),
                turns,
                asyncio.timeout(CALLBACK_TRY_SECONDS),
                self._requester.request(
                    self._method, self._target, content=body, headers=_JSON
                ) as response,
            ):
                status = response.status_code
        except (TimeoutError, httpx.HTTPError):
            return "no answer in time", False
        except ScriptaError as error:
            return error.code, False
        if httpx.codes.is_success(status):
            return "", False
        return str(status), status < 500 and status not in _WORTH_A_RETRY

    def _count(self, *, delivered: bool) -> None:
        self._delivered += delivered
        self._given_up += not delivered
        metrics.CALLBACKS[Posted.DELIVERED if delivered else Posted.GIVEN_UP].inc()

    def _give_up_rest(self) -> None:
        while not self._queue.empty():
            body = self._queue.get_nowait()
            if body is not None:
                self._poster.hold(-len(body))
                self._count(delivered=False)


@dataclass
class Poster:
    """Sends results of calls to URLs.

    Args:
        allowed: Where they may be sent.
        resolve: Finds addresses.
        proxy: URL of the proxy that requests go through; empty: none.

    Attributes:
        turns: Requests that may be under way at the same time.
        second_turns: The same to targets that failed: they hold up nobody else.
    """

    allowed: Allowlist
    resolve: Resolve
    proxy: str = ""
    turns: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(CALLBACKS_AT_ONCE), init=False
    )
    second_turns: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(CALLBACKS_FAILING), init=False
    )
    _held: int = field(default=0, init=False)
    _running: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    def check(self, callback: Callback | None) -> None:
        """Checks where a call wants its results sent, if it does.

        Raises:
            BadTarget: They may not be sent there.
            NoCapacity: Too much waits for other targets.
        """
        if callback is None:
            return
        if not self.allowed:
            raise BadTarget(
                "Results are not sent to a callback here; take them from this connection, or have "
                f"an operator name the host in {self.allowed.setting}"
            )
        self.allowed.check(Target.parse(callback.url))
        if self._held > CALLBACK_BYTES:
            metrics.BOUNDS_HIT[Bound.CALLBACK_BYTES].inc()
            raise NoCapacity("Too many results wait for callbacks; try again later.")

    def open(self, callback: Callback) -> Posts:
        """Returns what the results of a call are put into; it has to be ended."""
        requester = Requester(self.allowed, self.resolve, self.proxy)
        posts = Posts(self, callback.method, Target.parse(callback.url), requester)
        task = asyncio.create_task(posts.run(), name="callback")
        self._running.add(task)
        metrics.CALLBACKS_OPEN.inc()
        task.add_done_callback(self._forget)
        return posts

    def hold(self, size: int) -> None:
        """Counts bytes that wait, or (negative) do not wait any more."""
        self._held += size

    async def drain(self, seconds: float) -> None:
        """Waits so long for what is in line, and gives the rest up."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=max(0.0, seconds))
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            logger.warning("callbacks given up", extra={"calls": len(late)})

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        metrics.CALLBACKS_OPEN.dec()
        if not task.cancelled() and task.exception() is not None:
            logger.error("callback failed", exc_info=task.exception())
