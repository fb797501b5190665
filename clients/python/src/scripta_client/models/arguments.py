"""The command line of ``scripta models``.

What fetches models is a package of its own. Without it a gateway can still be asked for its models.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Final

from scripta_client.trust import add_ca

_FETCHING: Final = ("show", "fetch", "pin")


@dataclass(frozen=True, slots=True)
class ModelsArguments:
    """A valid command line.

    Attributes:
        given: All that was said, for the package that fetches models.
        url: The gateway that is asked; empty to look at the catalogue.
        key: The key that is shown to it; empty for none.
        ca: File of further authorities that are trusted.
        json: Whether the answer is for programs.
    """

    given: argparse.Namespace
    url: str
    key: str
    ca: str | None
    json: bool


def add_models(parser: argparse.ArgumentParser, key: str) -> None:
    """Adds what may be said after ``models``.

    Args:
        parser: The command's.
        key: The key of the environment; empty for none.
    """
    listing = _commands(parser)
    listing.set_defaults(environment_key=key)
    listing.add_argument(
        "--url",
        default="",
        help="list what this gateway serves, such as ws://localhost:8000/ws, and what each can do",
    )
    listing.add_argument(
        "--key", help="a key for that gateway (default: $SCRIPTA_KEY, which others can not see)"
    )
    add_ca(listing)


def models_arguments(given: argparse.Namespace) -> ModelsArguments:
    """Returns the command line's meaning."""
    url = getattr(given, "url", "")
    key = (given.key if given.key is not None else given.environment_key) if url else ""
    return ModelsArguments(
        given, url, key, getattr(given, "ca", None), getattr(given, "json", False)
    )


def _commands(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Adds the commands, and returns the parser of ``list``."""
    try:
        from scripta_models.arguments import add_commands
    except ImportError:
        commands = parser.add_subparsers(dest="models_command", required=True, metavar="COMMAND")
        for name in _FETCHING:
            missing = commands.add_parser(name, help="needs pip install 'scripta-client[models]'")
            missing.add_argument("rest", nargs=argparse.REMAINDER)
        listing = commands.add_parser("list", help="list the models that a gateway serves")
        listing.add_argument("--json", action="store_true", help="for programs")
        return listing
    return add_commands(parser)
