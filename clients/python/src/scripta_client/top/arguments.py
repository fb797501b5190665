"""The command line of ``scripta top``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from scripta_client.trust import add_ca

DEFAULT_INTERVAL = 2.0


@dataclass(frozen=True, slots=True)
class TopArguments:
    """A valid command line.

    Attributes:
        addresses: Services to ask; empty with a Prometheus.
        prometheus: Base URL of a Prometheus to ask instead.
        namespace: Whose series it is asked for.
        once: Whether one look is enough.
        as_json: Whether that is printed as JSON.
        interval: Seconds between looks.
        ca: File of further authorities that are trusted.
    """

    addresses: tuple[str, ...]
    prometheus: str | None
    namespace: str | None
    once: bool
    as_json: bool
    interval: float
    ca: str | None = None


def add_top(parser: argparse.ArgumentParser, default_url: str) -> None:
    """Adds what may be said after ``top``.

    Args:
        parser: The command's.
        default_url: The gateway to look at if none is named.
    """
    parser.set_defaults(default_url=default_url)
    add_ca(parser)
    parser.add_argument(
        "addresses",
        metavar="URL",
        nargs="*",
        help="a gateway or a transcriber, such as http://host:8000 "
        "(default: the gateway of $SCRIPTA_URL, else the one on this machine)",
    )
    parser.add_argument(
        "--prometheus", metavar="URL", help="ask this Prometheus for all of them instead"
    )
    parser.add_argument("--namespace", metavar="NAME", help="of the pods, in that Prometheus")
    parser.add_argument("--once", action="store_true", help="print one look and end")
    parser.add_argument("--json", action="store_true", help="one look, as one JSON object")
    parser.add_argument(
        "--interval",
        type=_interval,
        default=DEFAULT_INTERVAL,
        metavar="SECONDS",
        help=f"time between looks (default: {DEFAULT_INTERVAL:g})",
    )


def top_arguments(parser: argparse.ArgumentParser, given: argparse.Namespace) -> TopArguments:
    """Returns the command line's meaning; ends the program with status 2 if it has none."""
    if given.prometheus is not None and given.addresses:
        parser.error("name services or a Prometheus, not both")
    if given.namespace is not None and given.prometheus is None:
        parser.error("--namespace needs --prometheus")
    addresses = tuple(given.addresses)
    if not addresses and given.prometheus is None:
        addresses = (given.default_url,)
    return TopArguments(
        addresses=addresses,
        prometheus=given.prometheus,
        namespace=given.namespace,
        once=given.once or given.json,
        as_json=given.json,
        interval=given.interval,
        ca=given.ca,
    )


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0.1 and 3600")
    return seconds
