from __future__ import annotations

import hashlib
import http.server
import io
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripta_models.download import Download, Patience
from scripta_models.fetch import Fetch
from scripta_models.progress import Progress
from scripta_models.settings import Settings
from scripta_models.wanted import Asked, Wanted, wanted
from scripta_models.web import Web

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Seen:
    """A request that came to the server."""

    path: str
    headers: dict[str, str]


@dataclass
class Server:
    """A server of files that does what a test tells it.

    Attributes:
        files: Content by path.
        acts: What it does with the next requests, one each, instead of serving them.
        seen: Requests that came.
        ranges: Whether it serves parts of files.
        tags: Whether it names the state of a file.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    acts: deque[Callable[[http.server.BaseHTTPRequestHandler, bytes], None]] = field(
        default_factory=deque
    )
    seen: list[Seen] = field(default_factory=list)
    ranges: bool = True
    tags: bool = True

    def tag(self, content: bytes) -> str:
        return '"' + hashlib.md5(content).hexdigest() + '"'


Handler = http.server.BaseHTTPRequestHandler


class _Handler(http.server.BaseHTTPRequestHandler):
    files: Server

    def do_GET(self) -> None:
        server = self.files
        server.seen.append(Seen(self.path, dict(self.headers)))
        content = server.files.get(self.path.partition("?")[0], b"")
        if server.acts:
            server.acts.popleft()(self, content)
            return
        if not content:
            self.send_error(404)
            return
        send(self, server, content)

    do_CONNECT = do_GET

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def send(handler: http.server.BaseHTTPRequestHandler, server: Server, content: bytes) -> None:
    """Answers as a good server does."""
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    same = handler.headers.get("If-Range", server.tag(content)) == server.tag(content)
    start = int(asked[1]) if asked and server.ranges and same else 0
    if start >= len(content):
        handler.send_error(416)
        return
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    if server.tags:
        handler.send_header("ETag", server.tag(content))
    handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    handler.wfile.write(content[start:])


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of files on a port of this machine."""
    files = Server()
    handler = type("Handler", (_Handler,), {"files": files})
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    web.daemon_threads = True
    files.url = f"http://127.0.0.1:{web.server_port}"
    threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True).start()
    yield files
    web.shutdown()
    web.server_close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def model(server: Server, *, size: int = 600_000, **more: bytes) -> Wanted:
    """Puts a model on the server, and returns what to ask for."""
    contents = {"model.bin": bytes(range(256)) * (size // 256), "tokens.txt": b"a 1\n"} | more
    server.files |= {f"/m/{name}": content for name, content in contents.items()}
    sums = [f"{name}={sha256(content)}" for name, content in contents.items()]
    return wanted(Asked("m", f"{server.url}/m", sums), None)


class Fetching:
    """Fetches with little patience, and keeps what was said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = io.StringIO()
        self.settings = Settings(folder)
        self.read_seconds = 0.5
        self.tries = 4
        self.waits: list[float] = []

    def __call__(self, model: Wanted) -> Path:
        progress = Progress(self.log, model.name)
        web = Web(self.settings, self.read_seconds)
        try:
            patience = Patience(self.tries, first_seconds=0.001)
            download = Download(model.name, web, progress, patience, self.waits.append)
            return Fetch(download, progress, 20.0, self.settings.mirror).run(model, self.folder)
        finally:
            web.close()


@pytest.fixture
def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetching:
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in ("HF_TOKEN", "HF_ENDPOINT", *proxies, *map(str.upper, proxies)):
        monkeypatch.delenv(name, raising=False)
    return Fetching(tmp_path / "models")


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition; fails if it does not come true in time."""

    def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.005)

    return wait


def hidden(folder: Path) -> list[str]:
    """Returns what is left beside finished models, but for locks."""
    return sorted(path.name for path in folder.glob(".*") if not path.name.endswith(".lock"))
