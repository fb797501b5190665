"""A gateway that asks for keys, its key file, and an identity provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from identity_provider import Place
from json_server import serve_json
from key_callers import ENTRIES, write

from scripta_gateway.access import keyring


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(keyring, "CHECK_SECONDS", 0.05)
    path = tmp_path / "keys.json"
    write(path, ENTRIES)
    return path


@pytest_asyncio.fixture
async def guarded(redis: object, start_server: Callable[..., Any], key_file: Path) -> Any:
    """A gateway that asks for keys."""
    return await start_server(
        keys_file=str(key_file), models=("mock", "spare"), allowed_origins="*"
    )


@pytest.fixture
def place() -> Iterator[Place]:
    there = Place()
    with serve_json(there.answer) as there.address:
        yield there
