"""The requests of one socket as uvicorn's parser reads them, within bounds of their bytes."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from scripta_gateway.bounds import (
    HEAD_BYTES,
    HEADER_LINE_BYTES,
    HEADER_LINES,
    REQUEST_BODY_BYTES,
    REQUEST_LINE_BYTES,
    Bound,
)
from scripta_gateway.transports.upgrade import Answer, subprotocols

BAD_REQUEST: Final = Answer(400, "This is not an HTTP request")
_LONG_HEAD: Final = Answer(431, f"The head of a request has at most {HEAD_BYTES} bytes")
_NO_BODY: Final = Answer(413, "Requests here have no body")

Refusal = tuple[Bound | None, Answer]
"""Which bound a request meets, if it is one, and what is said to it."""


class _Refused(Exception):
    """A request is refused; what the parser calls raises it, and the parser ends with it."""


class BoundedRequests(HttpToolsProtocol):
    """Reads requests and refuses those that are too large.

    Attributes:
        taken: Bytes of this request's head, or then of its body.
        in_body: Whether its head is complete.
        began: Whether a request has begun that is not complete.
        begun: Requests that have begun; set to 0 by whoever counts them.
        body_limit: Largest body of the request at hand, in bytes.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.taken = 0
        self.in_body = False
        self.began = False
        self.begun = 0
        self.body_limit = REQUEST_BODY_BYTES
        self._refusal: Refusal | None = None
        self.url = b""  # none has come yet

    def feed(self, piece: bytes) -> Refusal | None:
        """Parses some bytes; returns why the request is refused, if it is.

        Raises:
            HttpParserUpgrade: The request asks for another protocol, and is complete.
        """
        self.taken += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            raise
        except httptools.HttpParserError:
            return self._refusal or (None, BAD_REQUEST)
        if self.in_body:
            return self._long_body() if self.taken > self.body_limit else None
        return (Bound.HEAD_BYTES, _LONG_HEAD) if self.taken > HEAD_BYTES else None

    def on_message_begin(self) -> None:
        """Begins a request."""
        super().on_message_begin()
        self.began = True
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        """Takes a part of the request line."""
        super().on_url(url)
        if len(self.url) > REQUEST_LINE_BYTES:
            self._raise(414, f"The request line has at most {REQUEST_LINE_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header, or a trailer, which nobody wants."""
        if self.in_body:
            return
        super().on_header(name, value)
        if len(self.headers) > HEADER_LINES:
            self._raise(431, f"A request has at most {HEADER_LINES} header lines")
        if len(name) + len(value) > HEADER_LINE_BYTES:
            self._raise(431, f"A header line has at most {HEADER_LINE_BYTES} bytes")

    def on_headers_complete(self) -> None:
        """Begins to answer, or to become a WebSocket."""
        self.in_body = True
        self.taken = 0
        path = httptools.parse_url(self.url).path or b"/"
        self.body_limit = self.largest_body(self.parser.get_method(), path)
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if any(int(length) > self.body_limit for length in lengths):
            self._refusal = self._long_body()
            raise _Refused
        super().on_headers_complete()
        if self.parser.should_upgrade() and not self._should_upgrade():
            self.cycle.keep_alive = False  # the parser is not to be used any further

    def on_message_complete(self) -> None:
        """Takes the end of the request."""
        self.in_body = self.began = False
        self.taken = 0
        if self.cycle is not None:  # there is none for a WebSocket's handshake
            super().on_message_complete()

    def _should_upgrade_to_ws(self) -> bool:
        return True

    def largest_body(self, method: bytes, path: bytes) -> int:
        """Returns how many bytes the body of a request may have."""
        return REQUEST_BODY_BYTES

    def _long_body(self) -> Refusal:
        if self.body_limit == REQUEST_BODY_BYTES:
            return Bound.BODY_BYTES, _NO_BODY
        return Bound.BODY_BYTES, Answer(413, f"A body here has at most {self.body_limit} bytes")

    def _raise(self, status: int, error: str) -> None:
        self._refusal = Bound.HEAD_BYTES, Answer(status, error)
        raise _Refused

    def websocket_scope(self) -> dict[str, Any]:
        """Returns the ASGI scope of a request that asks for a WebSocket.

        Raises:
            HttpParserError, UnicodeDecodeError: Its address makes no sense.
        """
        url = httptools.parse_url(self.url)
        path = url.path or b"/"
        return {
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if self.scheme == "https" else "ws",
            "server": self.server,
            "client": self.client,
            "root_path": self.root_path,
            "path": self.root_path + unquote(path.decode("ascii")),
            "raw_path": self.root_path.encode("ascii") + path,
            "query_string": url.query or b"",
            "headers": self.headers,
            "subprotocols": subprotocols(self.headers),
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }
