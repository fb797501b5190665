"""Makes keys, and the entries by which a gateway knows them. Pure, but for what is random."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from scripta_client.keys.arguments import SCOPES, KeysArguments

_PREFIX: Final = "scripta_"
"""By which scanners of repositories find a key that was committed."""
_SECRET_BYTES: Final = 32


def make_key() -> str:
    """Returns a key that nobody can guess: 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def entry_of(arguments: KeysArguments, key: str) -> str:
    """Returns the entry of the list ``keys`` by which a gateway knows a key; YAML."""
    hashed = hashlib.sha256(key.encode()).hexdigest()
    fields: dict[str, Any] = {
        "id": arguments.id,
        "tenant": arguments.tenant,
        "hash": f"sha256:{hashed}",
    }
    if arguments.scopes != SCOPES[:1]:
        fields["scopes"] = list(arguments.scopes)
    if arguments.models:
        fields["models"] = list(arguments.models)
    if arguments.origins:
        fields["origins"] = list(arguments.origins)
    if arguments.expires is not None:
        fields["expires"] = arguments.expires.isoformat()
    if arguments.limits:
        fields["limits"] = dict(arguments.limits)
    return _item(fields)


def signing_entry(name: str) -> str:
    """Returns an entry of the list ``signing``, with a secret of its own; YAML."""
    return _item({"id": name, "secret": secrets.token_urlsafe(_SECRET_BYTES)})


def _item(fields: Mapping[str, Any]) -> str:
    # JSON is YAML, and quotes whatever YAML would take for something else than a string.
    lines = [f"{name}: {json.dumps(value)}" for name, value in fields.items()]
    return "  - " + "\n    ".join(lines)
