"""The keys that callers may show, read again whenever their file changes.

A file that can not be read, or is wrong, changes nothing: the keys of the former one go on to work.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripta_gateway.access.bounded_file import read_bounded
from scripta_gateway.access.caller import Caller
from scripta_gateway.access.keyfile import BadKeyFile, KeyFile, digest, parse
from scripta_gateway.telemetry import metrics

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 2.0
"""How often the file is looked at. A revoked key works for so long, at most."""

_LARGEST: Final = 32 * 1024 * 1024


class Keyring:
    """The keys of one file.

    Args:
        file: What the file has.

    Attributes:
        file: What the file has.
    """

    def __init__(self, file: KeyFile) -> None:
        self.file = file
        self._by_hash = {entry.hash: entry for entry in file.keys}
        self._by_id = {entry.id: entry for entry in file.keys}

    def find(self, key: str, now: float) -> Caller | None:
        """Returns who shows a key; ``None`` if there is none such, or it has expired.

        Args:
            key: What is shown.
            now: Unix time in seconds.
        """
        shown = digest(key)
        # Only the hash is looked up, which nobody can steer towards that of another key.
        entry = self._by_hash.get(shown)
        if entry is None or not hmac.compare_digest(entry.hash, shown):
            return None
        return self.by_id(entry.id, now)

    def by_id(self, name: str, now: float) -> Caller | None:
        """Returns the caller of the key with an id; ``None`` as ``find``."""
        entry = self._by_id.get(name)
        if entry is None or (entry.expires is not None and entry.expires.timestamp() <= now):
            return None
        return self.file.caller(entry)

    def tokens_not_before(self, tenant: str) -> float:
        """Returns the Unix time before which no token of a tenant may have been made."""
        entry = self.file.tenants.get(tenant)
        moment = entry.tokens_not_before if entry is not None else None
        return moment.timestamp() if moment is not None else 0.0


class WatchedKeyring:
    """The keyring of a file that may change.

    Args:
        path: The file; a link is followed, as a mounted Secret is one.

    Attributes:
        now: The keyring as it is.

    Raises:
        BadKeyFile: The file can not be read, or is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = read_bounded(path, _LARGEST, BadKeyFile)
        self.now = Keyring(parse(self._seen))
        # What is wrong with the file as it is; empty: nothing.
        self._trouble = ""
        logger.info("keys read", extra={"keys": len(self.now.file.keys)})

    async def watch(self, changed: Callable[[], None]) -> None:
        """Reads the file again when it changes, until cancelled.

        Args:
            changed: Called about as often as the file is looked at: keys may have expired, too.
        """
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await asyncio.to_thread(self.look)
            changed()

    def look(self) -> None:
        """Reads the file, and takes what it has if that has changed."""
        try:
            data = read_bounded(self._path, _LARGEST, BadKeyFile)
            if data != self._seen:
                self.now = Keyring(parse(data))
                self._seen = data
                logger.info("keys read", extra={"keys": len(self.now.file.keys)})
            trouble = ""
        except BadKeyFile as error:
            trouble = str(error)
        if trouble and trouble != self._trouble:
            logger.critical("key file not used", extra={"error": trouble})
        self._trouble = trouble
        metrics.KEY_FILE_FAILING.set(bool(trouble))
