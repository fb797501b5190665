"""A server on loopback that answers every request with JSON."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Answer = Callable[[str, Any], Any]
"""Returns what is said to a path and the JSON in the request's body; ``None`` is an error."""


@contextmanager
def serve_json(answer: Answer, *, error: int = 404) -> Iterator[str]:
    """Serves inside its block; yields the server's address.

    Args:
        answer: Says what is answered.
        error: The status of an answer that is ``None``.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            asked = json.loads(self.rfile.read(size)) if size else None
            said = answer(self.path.partition("?")[0], asked)
            body = json.dumps(said).encode()
            self.send_response(error if said is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
