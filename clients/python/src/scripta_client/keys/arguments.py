"""What may be said to ``scripta keys``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

SCOPES: Final = ("transcribe", "tokens", "usage")
_COUNTED: Final = ("sessions", "sessions_a_minute", "upload_bytes")
_MEASURED: Final = ("audio_seconds_a_day", "share")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DAYS: Final = re.compile(r"(\d{1,5})d")

DESCRIPTION: Final = """\
Makes a key. The key is shown once, on standard error; the gateway is given its hash only. Standard
output is the entry for the key file, which begins with a line "keys:".
"""
EXAMPLE: Final = """\
example:
  echo "keys:" > keys.yaml
  scripta keys create --id acme-web --tenant acme >> keys.yaml
"""


@dataclass(frozen=True, slots=True)
class KeysArguments:
    """A valid command line of ``scripta keys``.

    Attributes:
        command: ``create`` or ``signing``.
        id: Name of the key.
        tenant: For whom it is.
        scopes: What it may do.
        models: Models that it may use; empty: all.
        origins: Origins of pages that may use it.
        expires: When it stops to work; ``None``: never.
        limits: What it may use.
        given: Whether the key is not made but read from standard input.
    """

    command: str
    id: str
    tenant: str = ""
    scopes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    expires: datetime | None = None
    limits: Mapping[str, float] | None = None
    given: bool = False


def add_keys(parser: argparse.ArgumentParser) -> None:
    """Adds the commands of ``scripta keys``."""
    commands = parser.add_subparsers(dest="keys_command", required=True, metavar="COMMAND")
    create = commands.add_parser(
        "create",
        help="make a key",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    create.add_argument(
        "--id", required=True, type=_name, help="name of the key, in logs and usage"
    )
    create.add_argument("--tenant", required=True, type=_name, help="team or customer it is for")
    create.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        help="what it may do, several times for more (default: transcribe)",
    )
    create.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="a model it may use (default: all)",
    )
    create.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="a page it may be used from, such as https://app.example.com",
    )
    create.add_argument(
        "--expires",
        type=_moment,
        metavar="WHEN",
        help="90d, or a time such as 2027-01-01T00:00:00Z",
    )
    create.add_argument(
        "--limit",
        action="append",
        default=[],
        type=_limit,
        metavar="NAME=VALUE",
        help=f"what it may use: {', '.join((*_COUNTED, *_MEASURED))}",
    )
    create.add_argument(
        "--stdin",
        action="store_true",
        help="read a key that clients have already, instead of making one",
    )
    signing = commands.add_parser(
        "signing",
        help="make a secret that short-lived tokens are signed with",
        description="Makes an entry for the list `signing` of the key file. It is a secret.",
    )
    signing.add_argument("--id", type=_name, default=datetime.now(UTC).strftime("%Y-%m-%d"))


def keys_arguments(given: argparse.Namespace) -> KeysArguments:
    """Returns the command line's meaning."""
    if given.keys_command == "signing":
        return KeysArguments("signing", given.id)
    return KeysArguments(
        command="create",
        id=given.id,
        tenant=given.tenant,
        scopes=tuple(dict.fromkeys(given.scope or SCOPES[:1])),
        models=tuple(given.model),
        origins=tuple(given.origin),
        expires=given.expires,
        limits=dict(given.limit) or None,
        given=given.stdin,
    )


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} has to be letters, digits, dots, dashes and underscores, 64 at most"
        )
    return text


def _moment(text: str) -> datetime:
    if days := _DAYS.fullmatch(text):
        return (datetime.now(UTC) + timedelta(days=int(days[1]))).replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 90d nor a time") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    name = name.replace("-", "_")
    if name in _COUNTED and value.isdecimal():
        return name, int(value)
    if name in _MEASURED:
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if 0 <= number <= (1 if name == "share" else 1e12) and (name != "share" or number):
            return name, number
    raise argparse.ArgumentTypeError(
        f"{text!r} is none of {', '.join((*_COUNTED, *_MEASURED))}, with = and a number"
    )
