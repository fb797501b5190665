"""The command ``scripta keys``."""

from __future__ import annotations

import sys

from scripta_client.errors import BadKey
from scripta_client.keys.arguments import KeysArguments
from scripta_client.keys.making import entry_of, make_key, signing_entry

_LEAST = 16


def run_keys(arguments: KeysArguments) -> None:
    """Prints an entry on standard output and, once, a new key on standard error.

    Raises:
        BadKey: The key on standard input is none.
    """
    if arguments.command == "signing":
        print(signing_entry(arguments.id))
        return
    key = _read_key() if arguments.given else make_key()
    print(entry_of(arguments, key), flush=True)
    if not arguments.given:
        print(f"scripta: the key, which is shown this once: {key}", file=sys.stderr)


def _read_key() -> str:
    key = sys.stdin.readline().strip()
    if len(key) < _LEAST or not key.isascii() or not key.isprintable() or " " in key:
        raise BadKey(f"standard input has to be a key: one line of at least {_LEAST} letters")
    return key
