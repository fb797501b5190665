"""Stands in for a service: answers /readyz, and misbehaves as its environment says.

STANDIN=ready (default) | never-ready | dies | stubborn (ignores SIGTERM) | noisy
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = os.environ.get("STANDIN", "ready")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"waiting for the moon" if MODE == "never-ready" else b"ok"
        self.send_response(503 if MODE == "never-ready" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    gateway = "HEALTH_PORT" not in os.environ
    name = "gateway" if gateway else "transcriber"
    if MODE == "dies":
        sys.exit("there is no model")
    stop = signal.SIG_IGN if MODE == "stubborn" else lambda *_: (print(name, "drains"), sys.exit(0))
    signal.signal(signal.SIGTERM, stop)
    port = int(os.environ["APP_PORT" if gateway else "HEALTH_PORT"])
    print(name, "listens, log format", os.environ.get("LOG_FORMAT"), flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


main()
