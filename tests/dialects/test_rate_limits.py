"""What the vendors' own packages say to their users where a limit is reached, and when they retry.

The words do not matter here, so the engine is the mock. All clients of a test run at the same time.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from forwarder import Forwarder
from recordings import shipped_path
from vendors import Found, Heard, attempt, of, run
from websockets.asyncio.client import connect

from scripta_gateway.access.keyfile import digest
from scripta_local.ports import free_port
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WAV = shipped_path("beckett.wav")
LIMIT = "The limit sessions of this tenant is 0 sessions at a time"
DAY = "The limit audio_seconds_a_day of this tenant is 1 seconds of audio a day"
RECORDINGS = {
    "openai": "RateLimitError",
    "openai-js": "RateLimitError",
    "deepgram-3": "DeepgramApiError",
    "deepgram-5": "ApiError",
    "deepgram-7": "ApiError",
    "deepgram-js": "DeepgramError",
}
"""The error that each package raises for a recording that is refused with 429."""
HANDSHAKES: dict[str, dict[str, Any]] = {
    "openai": {"kind": "InvalidStatus", "status": 429},
    "openai-js": {"kind": "OpenAIRealtimeError", "text": "Unexpected server response: 429"},
    "deepgram-3": {"kind": "start", "text": "start() returned False"},
    "deepgram-5": {"kind": "ApiError", "status": 429},
    "deepgram-7": {"kind": "ApiError", "status": 429},
    "deepgram-js": {"text": "Unexpected server response: 429"},
    "vosk": {"kind": "InvalidStatus", "status": 429},
}
"""What each package says of a handshake that is refused so."""
SPENT = ("openai", "openai-js", "deepgram-7", "deepgram-js")
RETRIES = ("openai", "deepgram-7")


class Place:
    """A system with a tenant that may open nothing, and two for each package.

    Of these one may use a second of audio a day, the other may have one session.
    """

    def __init__(self, folder: Path, tls: tuple[ssl.SSLContext, Path]) -> None:
        self.vosk = free_port()
        certificate, self._authority = tls
        limits = {"none": {"sessions": 0}, "anonymous": {"sessions": 0}}
        limits |= {f"spent.{name}": {"audio_seconds_a_day": 1} for name in SPENT}
        limits |= {f"one.{name}": {"sessions": 1} for name in RETRIES}
        self.keys = {name: secrets.token_urlsafe(32) for name in limits}
        entries = [
            {"id": name, "tenant": name, "hash": digest(key)}
            for name, key in self.keys.items()
            if name != "anonymous"
        ]
        tenants = {name: {"limits": each} for name, each in limits.items()}
        path = folder / "keys.json"
        path.write_text(json.dumps({"keys": entries, "tenants": tenants}), "utf-8")
        env = {"KEYS_FILE": str(path), "VOSK_PORT": str(self.vosk), "SLOTS": "16"}
        self.stack = Stack(engine="mock", port=free_port(), env=env)
        self.secure = Forwarder([self.stack.port], certificate=certificate)

    async def run(self, name: str, mode: str, tenant: str, **options: Any) -> Heard:
        """Runs a package with the key of a tenant."""
        options |= {"key": self.keys[tenant]}
        url = self.stack.url
        if name == "vosk":
            url = f"ws://127.0.0.1:{self.vosk}"
        elif name == "openai-js":
            url = f"https://127.0.0.1:{self.secure.port}"
            options["ca"] = str(self._authority)
        return await run(name, mode, url, WAV, **options)

    def refused(self, tenant: str) -> bool:
        """Returns whether the gateway's log has a refusal of a tenant."""
        lines = self.stack.log_of("gateway")
        return any("caller over a limit" in line and tenant in line for line in lines)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tls: tuple[ssl.SSLContext, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    there = await asyncio.to_thread(Place, tmp_path_factory.mktemp("limits"), tls)
    async with there.stack, there.secure:
        yield there


async def come_back(place: Place, name: str) -> Heard:
    """Runs a package that finds no place free, and makes room when it was refused."""
    tenant = f"one.{name}"
    shown = {"Authorization": f"Bearer {place.keys[tenant]}"}
    async with connect(place.stack.ws_url, proxy=None, additional_headers=shown):
        heard = asyncio.create_task(place.run(name, "file", tenant, retries=2))
        async with asyncio.timeout(60):
            while not (heard.done() or place.refused(tenant)):  # noqa: ASYNC110 - no event is set
                await asyncio.sleep(0.05)
        refused = place.refused(tenant)
    told = await heard
    assert refused
    return told


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(place: Place) -> Found:
    """What all packages hear; they run at the same time."""
    asked = {f"{name} recording": place.run(name, "file", "none") for name in RECORDINGS}
    asked |= {f"{name} handshake": place.run(name, "live", "none") for name in HANDSHAKES}
    speaks: dict[str, Any] = {"speed": 2.0, "silence": 12.0}
    for name in SPENT:
        asked[f"{name} spent"] = place.run(name, "live", f"spent.{name}", **speaks)
    asked |= {f"{name} retries": come_back(place, name) for name in RETRIES}
    found = await asyncio.gather(*map(attempt, asked.values()))
    return dict(zip(asked, found, strict=True))


@pytest.mark.parametrize("name", RECORDINGS)
async def test_recording_over_a_limit_is_the_packages_own_error(heard: Found, name: str) -> None:
    (error,) = of(heard, f"{name} recording").errors()
    assert (error["kind"], error["status"]) == (RECORDINGS[name], 429)
    assert LIMIT in json.dumps(error["body"])


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_handshake_over_a_limit_is_the_packages_own_error(heard: Found, name: str) -> None:
    told = of(heard, f"{name} handshake")
    (error,) = told.errors()
    assert HANDSHAKES[name].items() <= error.items()
    assert not told.of("open", "limit")


@pytest.mark.parametrize("name", SPENT)
async def test_session_that_is_ended_by_its_limit_is_told_why(heard: Found, name: str) -> None:
    """Guards users who hear of a close that they take for a lost connection."""
    told = of(heard, f"{name} spent")
    closes = told.of("closed")
    assert closes[0]["code"] == 1008
    assert closes[0]["reason"].startswith(DAY)
    assert not told.of("limit")
    if name.startswith("openai"):
        (event,) = told.messages("error")
        assert event["error"]["code"] == "rate_limit_exceeded"
        assert event["error"]["message"].startswith(DAY)


@pytest.mark.parametrize("name", RETRIES)
async def test_package_that_retries_comes_back_by_itself(heard: Found, name: str) -> None:
    """Guards a ``Retry-After`` that packages do not understand."""
    told = of(heard, f"{name} retries")
    assert told.errors() == []
    assert told.words()
