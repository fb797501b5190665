"""Dialects are pure codecs, each by itself, and the core of the gateway knows none of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

GATEWAY = Path(__file__).parents[1] / "services/gateway/src/scripta_gateway"
DIALECTS = GATEWAY / "dialects"
NAMES = sorted(path.name for path in DIALECTS.iterdir() if (path / "__init__.py").is_file())
MOST_LINES = 600
PROTOCOLS = {
    "deepgram": {
        "live": ("live.py",),
        "prerecorded": ("prerecorded.py",),
        "tokens": ("tokens.py",),
    },
    "openai": {
        "realtime": ("realtime.py", "sessions.py", "results.py"),
        "recordings": ("recordings",),
        "listing": ("listing.py",),
        "secrets": ("secrets.py", "sessions.py"),
    },
}
"""A vendor with several protocols: each is a dialect of its own, besides what they share."""
IMPURE = frozenset(
    (
        *("asyncio", "time", "random", "secrets", "os", "io", "socket", "ssl", "threading"),
        *("logging", "subprocess", "httpx", "starlette", "fastapi", "redis", "pathlib"),
    )
)
WORDS = ("deepgram", "openai", "vosk", "wyoming", "whisper-1", "nova-3", "livekit", "pipecat")
COMPOSITION = {
    "app.py": "says which dialect is served where",
    "server.py": "listens on the ports that app.py and the settings name",
    "settings.py": "describes what an operator can set",
}


def modules(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def lines(*paths: Path) -> int:
    files = (file for path in paths for file in (modules(path) if path.is_dir() else [path]))
    return sum(len(file.read_text("utf-8").splitlines()) for file in files)


def test_there_are_dialects() -> None:
    assert {"native", "deepgram", "openai", "vosk", "wyoming"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_dialect_imports_no_other(name: str) -> None:
    others = [f"scripta_gateway.dialects.{other}" for other in NAMES if other != name]
    for path in modules(DIALECTS / name):
        for module in imported(path):
            assert not any(module == other or module.startswith(f"{other}.") for other in others)


@pytest.mark.parametrize("path", list(modules(DIALECTS)), ids=lambda path: path.stem)
def test_dialect_does_no_input_or_output_and_has_no_clock(path: Path) -> None:
    assert {module.partition(".")[0] for module in imported(path)}.isdisjoint(IMPURE)
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    assert not any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in tree)


@pytest.mark.parametrize("name", NAMES)
def test_dialect_is_small(name: str) -> None:
    folder = DIALECTS / name
    protocols = PROTOCOLS.get(name)
    if protocols is None:
        assert lines(folder) <= MOST_LINES
        return
    own = {path for files in protocols.values() for path in (folder / file for file in files)}
    shared = [path for path in folder.iterdir() if path.suffix == ".py" and path not in own]
    for files in protocols.values():
        assert lines(*shared, *(folder / file for file in files)) <= MOST_LINES


def test_core_has_no_word_of_a_vendor() -> None:
    for path in modules(GATEWAY):
        inside = path.relative_to(GATEWAY)
        if inside.parts[0] == "dialects" or str(inside) in COMPOSITION:
            continue
        text = path.read_text("utf-8").lower()
        assert not [word for word in WORDS if word in text], inside
