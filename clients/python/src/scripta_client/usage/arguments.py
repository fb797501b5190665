"""The command line of ``scripta usage``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from enum import StrEnum

from scripta_client.trust import add_ca


class Form(StrEnum):
    """The form of the answer."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class UsageArguments:
    """A valid command line.

    Attributes:
        url: The gateway.
        key: The key that is shown; empty for none.
        everybody: Whether all tenants are asked about, on the operator's port.
        query: What is asked, by the names of the gateway's parameters.
        form: The form of the answer.
        ca: File of further authorities that are trusted.
    """

    url: str
    key: str
    everybody: bool
    query: dict[str, str]
    form: Form
    ca: str | None = None


def add_usage(parser: argparse.ArgumentParser, default_url: str, key: str) -> None:
    """Adds what may be said after ``usage``.

    Args:
        parser: The command's.
        default_url: The gateway that is asked if none is named.
        key: The key of the environment; empty for none.
    """
    parser.set_defaults(environment_key=key)
    add_ca(parser)
    parser.add_argument(
        "--url",
        default=default_url,
        help="the gateway (default: $SCRIPTA_URL, else this machine's)",
    )
    parser.add_argument(
        "--key", help="a key with the scope usage (default: $SCRIPTA_KEY, which others can not see)"
    )
    parser.add_argument(
        "--from",
        dest="since",
        metavar="TIME",
        help="a day or a time, such as 2026-11-29 or 2026-11-29T13:00Z",
    )
    parser.add_argument(
        "--to", metavar="TIME", help="the end, which is not included (default: now)"
    )
    parser.add_argument(
        "--by",
        choices=("hour", "day", "month"),
        default="day",
        help="length of a row (default: day)",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="of all tenants: the URL has the port of whoever runs the gateway (ADMIN_PORT)",
    )
    parser.add_argument("--tenant", metavar="NAME", help="of one tenant; only with --all")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--table", action="store_true", help="a table (default on a terminal)")
    form.add_argument("--csv", action="store_true", help="CSV with a heading")
    form.add_argument(
        "--jsonl", action="store_true", help="one JSON object a row (default elsewhere)"
    )


def usage_arguments(parser: argparse.ArgumentParser, given: argparse.Namespace) -> UsageArguments:
    """Returns the command line's meaning; ends the program with status 2 if it has none."""
    if given.tenant is not None and not given.all:
        parser.error("--tenant needs --all; a key is asked about its own tenant")
    asked = {"from": given.since, "to": given.to, "by": given.by, "tenant": given.tenant}
    return UsageArguments(
        url=given.url,
        key="" if given.all else given.key if given.key is not None else given.environment_key,
        everybody=given.all,
        query={name: value for name, value in asked.items() if value is not None},
        form=_form(given),
        ca=given.ca,
    )


def _form(given: argparse.Namespace) -> Form:
    for form in Form:
        if getattr(given, form):
            return form
    return Form.TABLE if sys.stdout.isatty() else Form.JSONL
