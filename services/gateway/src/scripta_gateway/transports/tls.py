"""The certificate that the gateway shows: read from files, and read again when they change.

Always holds: a connection keeps what it began with, and a pair that does not fit replaces nothing.
Whoever renews the files changes them one after the other, or swaps a link to both (Kubernetes).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography import x509

from scripta_gateway.settings import GatewaySettings
from scripta_gateway.telemetry import metrics

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""How often the files are looked at."""


class BadCertificate(Exception):
    """The files can not be used; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificate and its key are, and who may connect.

    Attributes:
        certificate: Certificate and those between it and its root, PEM.
        key: Its key, PEM, without a password.
        client_ca: Who signs the certificates of clients, PEM; ``None``: clients need none.
        required: Whether a client without a certificate is refused.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None
    required: bool = True

    @classmethod
    def of(cls, settings: GatewaySettings) -> Self | None:
        """Returns the files of a gateway with these settings; ``None`` without TLS."""
        if not settings.tls_cert_file:
            return None
        return cls(
            Path(settings.tls_cert_file),
            Path(settings.tls_key_file),
            Path(settings.tls_client_ca_file) if settings.tls_client_ca_file else None,
            settings.tls_client_auth == "required",
        )

    def read(self) -> tuple[bytes, ...]:
        """Returns the contents of all files; raises ``OSError``."""
        paths = (self.certificate, self.key, self.client_ca)
        return tuple(path.read_bytes() for path in paths if path is not None)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What new connections use.

    Attributes:
        context: Certificate, key and rules of TLS.
        expires_at: Unix time in seconds at which the certificate expires.
        contents: What was in the files.
    """

    context: ssl.SSLContext
    expires_at: float
    contents: tuple[bytes, ...]

    @classmethod
    def read(cls, files: TlsFiles) -> Self:
        """Returns what the files hold.

        Raises:
            BadCertificate: They do not fit, can not be read, or change meanwhile.
        """
        try:
            contents = files.read()
            context = _context(files)
            certificate = x509.load_pem_x509_certificates(contents[0])[0]
            if files.read() != contents:
                raise BadCertificate("The files of the certificate are being changed")
        except (OSError, ValueError) as error:  # of TLS and of PEM, too
            reason = getattr(error, "reason", None) or str(error)
            raise BadCertificate(f"{files.certificate} and {files.key}: {reason}") from error
        return cls(context, certificate.not_valid_after_utc.timestamp(), contents)


class Certificates:
    """The certificate in use.

    Args:
        files: Where it is.

    Raises:
        BadCertificate: There is none that can be used.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._loaded = Loaded.read(files)
        # Contents that were refused: they are complained of once, and not while they change.
        self._doubted: tuple[bytes, ...] | None = None
        self._refused: tuple[bytes, ...] | None = None
        self._publish(failing=False)

    @property
    def context(self) -> ssl.SSLContext:
        """What a new connection uses."""
        return self._loaded.context

    async def watch(self) -> None:
        """Reads the files again when they change; runs until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Takes what is in the files, if it has changed and fits."""
        try:
            contents = self._files.read()
        except OSError:
            contents = ()
        if contents == self._loaded.contents:
            if self._refused is not None:
                self._publish(failing=False)
            self._doubted = self._refused = None
            return
        if contents == self._refused:
            return
        try:
            self._loaded = Loaded.read(self._files)
        except BadCertificate as error:
            self._doubt(contents, error)
            return
        self._doubted = self._refused = None
        self._publish(failing=False)
        logger.info("certificate replaced", extra={"expires_at": self._loaded.expires_at})

    def _doubt(self, contents: tuple[bytes, ...], error: BadCertificate) -> None:
        """Refuses contents that have been there twice; before that they may be half written."""
        if contents != self._doubted:
            self._doubted = contents
            return
        self._refused = contents
        self._publish(failing=True)
        logger.error("certificate refused, the former stays", extra={"error": str(error)})

    def _publish(self, *, failing: bool) -> None:
        metrics.TLS_EXPIRY.set(self._loaded.expires_at)
        metrics.TLS_FILES_FAILING.set(failing)


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # work that a client could ask for without end
    context.set_alpn_protocols(["http/1.1"])
    # Without a function for the password OpenSSL would ask at the terminal, and wait.
    context.load_cert_chain(files.certificate, files.key, password=lambda: b"")
    if files.client_ca is not None:
        context.load_verify_locations(files.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if files.required else ssl.CERT_OPTIONAL
    return context
