"""The gatekeeper: who a caller is, before any dialect runs, on whatever transport it comes.

Always holds: what a caller shows goes no further than this; logs, metrics and errors have the key's
id at most.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from scripta_common.errors import Forbidden, ScriptaError, Unauthorized
from scripta_gateway.access.caller import ANONYMOUS, Caller, Scope
from scripta_gateway.access.credentials import Credential, take, without
from scripta_gateway.access.keyfile import ANONYMOUS_TENANT
from scripta_gateway.access.keyring import Keyring
from scripta_gateway.access.origins import origin_allowed
from scripta_gateway.access.short_tokens import OpenTokens
from scripta_gateway.access.throttle import Throttle
from scripta_gateway.transports.base import Request
from scripta_gateway.transports.rate import Allowance

logger = logging.getLogger(__name__)

_NO_KEY: Final = "A key is needed: send Authorization: Bearer KEY."
_BAD_KEY: Final = "This key is unknown, has expired or was revoked."
_IN_URL: Final = "A key does not belong into a URL; send it as Authorization."
_LINES_A_SECOND: Final = 5.0
_LINES_BURST: Final = 50.0


class Verifier(Protocol):
    """Knows callers by tokens that are signed."""

    @property
    def in_urls(self) -> bool:
        """Whether its tokens live so short that they may stand in a URL."""
        ...

    async def verify(self, token: str, now: float) -> Caller | None:
        """Returns who shows a token; ``None`` if it is none of its kind.

        Raises:
            Unauthorized: It is one of its kind, and not good, or not any more.
        """
        ...

    def admits(self, caller: Caller, now: float) -> bool | None:
        """Returns whether a caller that it has let in may stay; ``None`` if it was not it."""
        ...


class Gatekeeper:
    """Lets callers in.

    Args:
        keyring: Returns the keys as they are now; ``None``: nobody needs one.
        verifiers: Know tokens.
    """

    def __init__(
        self,
        keyring: Callable[[], Keyring] | None = None,
        verifiers: Sequence[Verifier] = (),
    ) -> None:
        self._keyring = keyring
        self._verifiers = verifiers
        self._throttle = Throttle()
        self._lines = Allowance(_LINES_A_SECOND, _LINES_BURST, time.monotonic())
        self._unwritten = 0

    @property
    def open(self) -> bool:
        """Whether nobody needs a key."""
        return self._keyring is None and not self._verifiers

    async def admit(
        self, request: Request, scope: Scope = Scope.TRANSCRIBE, *, prefix: str = ""
    ) -> tuple[Caller, Request]:
        """Returns who calls, and the request without what was shown.

        Cancelled while a wrong attempt is slowed, nothing is left.

        Args:
            request: How the call began.
            scope: What the caller wants to do.
            prefix: As ``credentials.take``.

        Raises:
            Unauthorized: It shows nothing, or nothing good.
            Forbidden: Its page may not call, or its key is not for this.
            OverLimit: Too many wrong keys are tried.
        """
        caller = ANONYMOUS
        try:
            request.check()
            if self.open:
                preset = _preset_of(request, prefix)
                return ANONYMOUS, replace(without(request, prefix), preset=preset)
            if request.keyless:
                return self._keyless(), without(request, prefix)
            shown, rest = take(request, prefix)
            caller = await self._identify(shown)
            caller.check(scope)
            _check_origin(request, caller)
        except ScriptaError as error:
            self._audit(request, caller, error)
            if isinstance(error, Unauthorized) and not self.open:
                await self._throttle.fail(request.client)
            raise
        return caller, replace(rest, preset=caller.preset)

    def admits(self, caller: Caller) -> bool:
        """Returns whether a caller that was let in may stay."""
        if self.open or caller.anonymous:
            return True
        now = time.time()
        for verifier in self._verifiers:
            if (stays := verifier.admits(caller, now)) is not None:
                return stays
        return self._keyring is not None and self._keyring().by_id(caller.key, now) is not None

    async def _identify(self, shown: Credential | None) -> Caller:
        if shown is None:
            raise Unauthorized(_NO_KEY)
        now = time.time()
        for verifier in self._verifiers:
            if (caller := await verifier.verify(shown.text, now)) is not None:
                if shown.in_url and not verifier.in_urls:
                    raise Unauthorized(_IN_URL)
                return caller
        caller = self._keyring().find(shown.text, now) if self._keyring is not None else None
        if caller is None:
            raise Unauthorized(_BAD_KEY)
        if shown.in_url:
            raise Unauthorized(_IN_URL)
        return caller

    def _keyless(self) -> Caller:
        if self._keyring is None:
            return ANONYMOUS
        return Caller(shared=self._keyring().file.quota_of(ANONYMOUS_TENANT))

    def _audit(self, request: Request, caller: Caller, error: ScriptaError) -> None:
        if self._lines.spend(0, time.monotonic()):
            self._unwritten += 1
            return
        self._lines.spend(1, time.monotonic())
        extra = {
            "reason": error.code,
            "key": caller.key,
            "tenant": caller.tenant,
            "address": request.client,
            "request": request.id,
            "unwritten": self._unwritten,
        }
        self._unwritten = 0
        logger.warning("caller refused", extra=extra)


def _preset_of(request: Request, prefix: str) -> str:
    """Returns how the call begins if what is shown says so, which may be no token or no key."""
    try:
        shown, _ = take(request, prefix)
    except Unauthorized:
        return ""
    return "" if shown is None else OpenTokens().preset_of(shown.text)


def _check_origin(request: Request, caller: Caller) -> None:
    """Raises ``Forbidden`` if the request comes from a page that the key is not for."""
    origin = request.headers.get("origin")  # programs that are no browsers send none
    if origin is not None and caller.origins and not origin_allowed(origin, caller.origins):
        raise Forbidden("This key is not for pages of this origin.")
