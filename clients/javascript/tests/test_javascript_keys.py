"""Keys and tokens of the JavaScript client: where they are shown, and when they are asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from forwarder import Forwarder

from scripta_gateway.access.keyfile import digest
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

Start = Callable[..., Any]
KEY, OTHER, WRONG = (
    "scripta_good_key_of_a_test",
    "scripta_other_key_of_it",
    "scripta_wrong_key_of_it",
)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    keys = [
        {"id": name, "tenant": "acme", "hash": digest(key)}
        for name, key in {"good": KEY, "other": OTHER}.items()
    ]
    file.write_text(json.dumps({"keys": keys}), "utf-8")
    return file


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(key_file: Path) -> AsyncIterator[Stack]:
    async with Stack(engine="mock", env={"KEYS_FILE": str(key_file)}) as stack:
        yield stack


@pytest.mark.parametrize("subprotocol", [False, True])
async def test_key_is_shown_in_a_header_or_as_a_subprotocol(
    stack: Stack, talk: Start, subprotocol: bool
) -> None:
    async with talk(
        url=stack.ws_url, messages=2, options={"key": KEY}, subprotocol=subprotocol
    ) as program:
        told = await program.done()
    assert len(told.of("final")) == 2


@pytest.mark.parametrize("options", [{}, {"key": WRONG}])
@pytest.mark.parametrize("subprotocol", [False, True])
async def test_caller_without_a_good_key_hears_why(
    stack: Stack, talk: Start, options: dict[str, str], subprotocol: bool
) -> None:
    async with talk(url=stack.ws_url, options=options, subprotocol=subprotocol) as program:
        (failed,) = (await program.done()).of("failed")
    assert (failed["name"], failed["status"]) == ("Refused", 401)
    assert WRONG not in failed["message"]


async def test_token_is_asked_for_at_each_connection(stack: Stack, talk: Start) -> None:
    async with (
        Forwarder(stack.gateway_ports) as forwarder,
        talk(url=forwarder.ws_url, messages=20, pause=50, tokens=[KEY, OTHER]) as program,
    ):
        await program.until("final", 5)
        forwarder.cut()
        told = await program.done()
    assert len(told.of("final")) == 20
    assert told.of("done")[0]["tokens"] == 2
    assert told.of("resumed")


async def test_token_that_can_not_be_had_is_told(stack: Stack, talk: Start) -> None:
    async with talk(url=stack.ws_url, brokenToken="no tokens today") as program:
        (failed,) = (await program.done()).of("failed")
    assert failed["name"] == "TokenFailed"
    assert "no tokens today" in failed["message"]
