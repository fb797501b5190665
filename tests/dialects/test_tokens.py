"""Short-lived tokens with the vendors' own packages, on the whole system: who makes one, who
shows it as a browser does, and what a package says to its user where a key is refused.
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
from recordings import shipped_path, words
from vendors import Heard, run

from scripta_gateway.access.keyfile import digest
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WAV = shipped_path("beckett.wav")
MINT, PLAIN = (secrets.token_urlsafe(32) for _ in range(2))
PAGES = {"ALLOWED_ORIGINS": "*"}
SESSION = json.dumps({"transcription": {"model": "gpt-4o-transcribe", "language": "en"}})


class Place:
    """A system that asks for keys, and the ways to it."""

    def __init__(self, url: str, secure: str, authority: Path) -> None:
        self.url = url
        self._secure = {"url": secure, "ca": str(authority)}

    async def run(self, name: str, mode: str, **options: Any) -> Heard:
        options = {"speed": 2.0, **options}
        if name == "openai-js":
            return await run(name, mode, wav=WAV, **{**options, **self._secure})
        return await run(name, mode, self.url, WAV, **options)

    async def made(self, name: str, mode: str, key: str = MINT, **options: Any) -> Any:
        heard = await self.run(name, mode, key=key, **options)
        assert heard.problems() == []
        (answer,) = heard.messages()
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tls: tuple[ssl.SSLContext, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    certificate, authority = tls
    path = tmp_path_factory.mktemp("access") / "keys.json"
    scopes = ["transcribe", "tokens"]
    keys = [
        {"id": "mint", "tenant": "acme", "hash": digest(MINT), "scopes": scopes},
        {"id": "plain", "tenant": "acme", "hash": digest(PLAIN)},
    ]
    signing = [{"id": "first", "secret": secrets.token_urlsafe(32)}]
    await asyncio.to_thread(path.write_text, json.dumps({"keys": keys, "signing": signing}))
    async with (
        Stack(env={"KEYS_FILE": str(path), **PAGES}) as stack,
        Forwarder([stack.port], certificate=certificate) as secure,
    ):
        yield Place(stack.url, f"https://127.0.0.1:{secure.port}", authority)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(place: Place) -> dict[str, Heard]:
    """What each package hears with a token; they speak at the same time."""
    secret, beta, grant = await asyncio.gather(
        place.made("openai", "secret", session=SESSION),
        place.made("openai", "beta-secret"),
        place.made("deepgram-7", "grant"),
    )
    assert secret["value"].startswith("ek_"), "the package lets nothing else into browsers"
    shown: dict[str, tuple[str, str, dict[str, str]]] = {
        "secret in a page": ("openai-js", "browser", {"key": secret["value"]}),
        "secret": ("openai", "live", {"key": secret["value"]}),
        "secret of the beta": ("openai", "beta", {"key": beta["client_secret"]["value"]}),
        "grant in a page": ("deepgram-js", "browser", {"token": grant["access_token"]}),
        "grant": ("deepgram-7", "live", {"token": grant["access_token"]}),
        "grant for a file": ("deepgram-7", "file", {"token": grant["access_token"]}),
    }
    found = await asyncio.gather(
        *(place.run(name, mode, **options) for name, mode, options in shown.values())
    )
    return dict(zip(shown, found, strict=True))


@pytest.mark.parametrize(
    "name",
    [
        *("secret in a page", "secret", "secret of the beta"),
        *("grant in a page", "grant", "grant for a file"),
    ],
)
async def test_package_is_heard_with_a_token(heard: dict[str, Heard], name: str) -> None:
    assert heard[name].errors() == []
    assert words(heard[name].words()).startswith("ever tried ever failed")


async def test_page_that_says_nothing_of_its_session_gets_that_of_its_secret(
    heard: dict[str, Heard],
) -> None:
    created = heard["secret in a page"].messages("session.created")[0]["session"]
    assert created["audio"]["input"]["transcription"] == json.loads(SESSION)["transcription"]


WRONG: dict[str, tuple[str, ...]] = {
    "openai": ("secret", "beta-secret", "live", "beta", "file", "models"),
    "deepgram-7": ("grant", "live", "file"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_package_tells_its_user_that_a_key_is_wrong(place: Place, name: str) -> None:
    found = await asyncio.gather(*(place.run(name, mode, key="wrong") for mode in WRONG[name]))
    statuses = [[error.get("status") for error in heard.errors()] for heard in found]
    assert statuses == [[401]] * len(found)


@pytest.mark.parametrize(("name", "mode"), [("openai", "secret"), ("deepgram-7", "grant")])
async def test_package_tells_its_user_that_a_key_makes_no_tokens(
    place: Place, name: str, mode: str
) -> None:
    heard = await place.run(name, mode, key=PLAIN)
    assert [error.get("status") for error in heard.errors()] == [403]
