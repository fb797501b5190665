"""Access as it is set: who knows callers, and what has to run beside that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from scripta_gateway.access.gatekeeper import Gatekeeper, Verifier
from scripta_gateway.access.jwt import ProviderTokens, Rules
from scripta_gateway.access.keyfile import KeyFile
from scripta_gateway.access.keyring import Keyring, WatchedKeyring
from scripta_gateway.access.minting import Mint
from scripta_gateway.access.provider import Provider
from scripta_gateway.access.short_tokens import OpenTokens, ShortTokens
from scripta_gateway.settings import GatewaySettings

logger = logging.getLogger(__name__)


class Access:
    """Access of one gateway.

    Args:
        keyring: The key file; ``None``: there is none.
        provider: An identity provider, and what is asked of its tokens; ``None``: there is none.

    Attributes:
        gatekeeper: Lets callers in.
        mint: Makes short-lived tokens.
    """

    mint: Mint

    def __init__(
        self,
        keyring: WatchedKeyring | None = None,
        provider: tuple[Provider, Rules] | None = None,
    ) -> None:
        self._keyring = keyring
        self._provider = provider and provider[0]
        if keyring is None and provider is None:
            self.gatekeeper, self.mint = Gatekeeper(), OpenTokens()
            return
        none = Keyring(KeyFile())

        def now() -> Keyring:
            return none if keyring is None else keyring.now

        tokens = self.mint = ShortTokens(now)
        verifiers: list[Verifier] = [tokens]
        if provider is not None:
            verifiers.append(ProviderTokens(provider[1], provider[0], now))
        self.gatekeeper = Gatekeeper(now, verifiers)

    @classmethod
    def of(cls, settings: GatewaySettings) -> Access:
        """Returns access as it is set; raises ``BadKeyFile`` if that can not be used."""
        return cls(
            WatchedKeyring(Path(settings.keys_file)) if settings.keys_file else None,
            (settings.jwt_provider(), settings.jwt_rules()) if settings.jwt_issuer else None,
        )

    async def watch(self, changed: Callable[[], None]) -> None:
        """Follows what callers are known by, until cancelled.

        Args:
            changed: Called when callers that were let in may not be any more.
        """
        async with asyncio.TaskGroup() as tasks:
            if self._keyring is not None:
                tasks.create_task(self._keyring.watch(changed))
            if self._provider is not None:
                tasks.create_task(self._provider.watch())
            if self.gatekeeper.open:
                logger.warning("everybody may call; set KEYS_FILE or JWT_ISSUER to ask for keys")
