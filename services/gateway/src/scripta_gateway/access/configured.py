"""Access as it is set: who knows callers, and what has to run beside that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from scripta_gateway.access.gatekeeper import Gatekeeper
from scripta_gateway.access.keyring import WatchedKeyring
from scripta_gateway.access.minting import Mint
from scripta_gateway.access.short_tokens import OpenTokens, ShortTokens
from scripta_gateway.settings import GatewaySettings

logger = logging.getLogger(__name__)


class Access:
    """Access of one gateway.

    Args:
        keyring: The keys; ``None``: nobody needs one.

    Attributes:
        gatekeeper: Lets callers in.
        mint: Makes short-lived tokens.
    """

    mint: Mint

    def __init__(self, keyring: WatchedKeyring | None = None) -> None:
        self._keyring = keyring
        if keyring is None:
            self.gatekeeper, self.mint = Gatekeeper(), OpenTokens()
            return
        tokens = self.mint = ShortTokens(lambda: keyring.now)
        self.gatekeeper = Gatekeeper(lambda: keyring.now, [tokens])

    @classmethod
    def of(cls, settings: GatewaySettings) -> Access:
        """Returns access as it is set; raises ``BadKeyFile`` if that can not be used."""
        return cls(WatchedKeyring(Path(settings.keys_file)) if settings.keys_file else None)

    async def watch(self, changed: Callable[[], None]) -> None:
        """Follows what callers are known by, until cancelled.

        Args:
            changed: Called when callers that were let in may not be any more.
        """
        if self._keyring is None:
            logger.warning("everybody may call; set KEYS_FILE to ask for keys")
            await asyncio.Event().wait()
        else:
            await self._keyring.watch(changed)
