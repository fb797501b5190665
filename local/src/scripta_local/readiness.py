"""Asks a service whether it is ready: one small HTTP request, no client library."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

PROBE_SECONDS = 2.0
_ANSWER_BYTES = 65_536
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Probe:
    """What ``/readyz`` answered.

    Attributes:
        status: HTTP status; 0 if nobody answered.
        body: Its body, in which a service says why it is not ready.
    """

    status: int
    body: str = ""

    @property
    def ready(self) -> bool:
        """Whether the service can take work."""
        return self.status == 200

    def __str__(self) -> str:
        if self.status == 0:
            return "it answers nothing on its port"
        return f"/readyz answers {self.status} {self.body}".strip()


def reachable_host(host: str) -> str:
    """Returns the address at which a server that listens on ``host`` is reached from here."""
    return _WILDCARDS.get(host, host)


async def probe(host: str, port: int, *, secured: bool = False) -> Probe:
    """Asks ``/readyz`` once; never raises and never takes longer than ``PROBE_SECONDS``.

    Args:
        host: Address that the service listens on.
        port: Port.
        secured: Whether it speaks TLS there.
    """
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            answer = await _get(reachable_host(host), port, _trusting() if secured else None)
    except (OSError, TimeoutError):
        return Probe(0)
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return Probe(status, body.decode(errors="replace").strip())


def _trusting() -> ssl.SSLContext:
    """Returns how TLS is spoken with a process of our own, whatever its certificate is for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _get(host: str, port: int, tls: ssl.SSLContext | None) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        request = f"GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        answer = b""
        while len(answer) < _ANSWER_BYTES and (data := await reader.read(_ANSWER_BYTES)):
            answer += data
        return answer
    finally:
        writer.close()
