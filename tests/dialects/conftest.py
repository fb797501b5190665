"""What tests of dialects share."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A certificate for loopback, and the file of the authority that signed it."""
    signed, path = trustme.CA(), tmp_path_factory.mktemp("tls") / "authority.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signed.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    signed.cert_pem.write_to_path(str(path))
    return context, path
