"""The last seconds of a socket whose client is sent away.

A socket that is closed while bytes arrive is reset, and the client may lose what was written last:
why it was sent away. So what still arrives is read and thrown away for a moment.
"""

from __future__ import annotations

import asyncio

from scripta_gateway.bounds import FAREWELL_BYTES, FAREWELL_SECONDS
from scripta_gateway.transports.sockets import Sockets


class Farewell(asyncio.Protocol):
    """Takes a socket over and closes it once the client has, or after a moment.

    Args:
        transport: The socket, with everything written that its client is to read.
        sockets: Where it is counted.
    """

    def __init__(self, transport: asyncio.Transport, sockets: Sockets) -> None:
        self._transport = transport
        self._sockets = sockets
        self._taken = 0
        self._timer = asyncio.get_running_loop().call_later(FAREWELL_SECONDS, transport.abort)
        if transport.is_closing():  # its loss goes to whoever began to close it
            return
        transport.set_protocol(self)
        if transport.can_write_eof():
            transport.write_eof()
            transport.resume_reading()
        else:  # TLS says goodbye, reads on until the client has, and then closes
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Throws away what the client sends, up to a bound."""
        self._taken += len(data)
        if self._taken > FAREWELL_BYTES:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the socket."""
        self._timer.cancel()
        self._sockets.discard(self._transport)
