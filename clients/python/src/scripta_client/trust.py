"""Which certificates of gateways are trusted: those of the system, and those of one more file."""

from __future__ import annotations

import argparse
import ssl

from scripta_client.errors import BadAuthorities
from scripta_client.settings import ca_file


def trusting(extra: str | None = None) -> ssl.SSLContext | None:
    """Returns how TLS is spoken; ``None`` leaves it to the library, which trusts the system's.

    Args:
        extra: A file with certificates of authorities, PEM; by default ``SCRIPTA_CA_FILE``.

    Raises:
        BadAuthorities: The file can not be read, or has no certificate.
    """
    path = extra or ca_file()
    if not path:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(path)
    except OSError as error:  # of TLS, too
        reason = error.strerror or getattr(error, "reason", None) or str(error)
        raise BadAuthorities(f"cannot read certificates from {path}: {reason}") from error
    return context


def add_ca(parser: argparse.ArgumentParser) -> None:
    """Adds the option that names the file."""
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="trust the authorities in this PEM file, too (default: $SCRIPTA_CA_FILE)",
    )
