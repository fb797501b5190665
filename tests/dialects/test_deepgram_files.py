"""Recordings that Deepgram's own packages post, on the whole system with real speech.

They are posted at the same time, so that the module takes as long as one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from native import transcribe
from recordings import beckett, shipped_path, text_of
from vendors import Heard, run

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WAV = shipped_path("beckett.wav")
CLIENTS = ("deepgram-3", "deepgram-5", "deepgram-7", "deepgram-js")
QUERY = {"model": "nova-3", "smart_format": "true", "utterances": "true", "paragraphs": "true"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard() -> AsyncIterator[dict[str, Heard | str]]:
    """What each client has heard, or why it can not be installed."""

    async def one(stack: Stack, name: str) -> Heard | str:
        try:
            return await run(name, "file", stack.url, WAV, strict=True, query=QUERY)
        except pytest.skip.Exception as why:
            return str(why)

    async with Stack() as stack:
        found = await asyncio.gather(*(one(stack, name) for name in CLIENTS))
        native = await transcribe(stack.ws_url, beckett())
    results: dict[str, Heard | str] = dict(zip(CLIENTS, found, strict=True))
    results["native"] = text_of(native.finals)
    yield results


@pytest.mark.parametrize("name", CLIENTS)
async def test_answer_has_the_words_of_the_native_dialect(
    heard: dict[str, Heard | str], name: str
) -> None:
    client = heard[name]
    if isinstance(client, str):
        pytest.skip(client)
    assert client.errors() == []
    assert client.problems() == []
    assert beckett().error_rate(client.words()) <= beckett().error_rate(str(heard["native"])) + 0.01


async def test_transcriber_that_dies_changes_no_word(heard: dict[str, Heard | str]) -> None:
    """Guards uploads: they are sessions like any other."""
    data = WAV.read_bytes()
    async with Stack(restart=False) as stack, httpx.AsyncClient(timeout=60) as client:
        await stack.add_transcriber()

        async def body() -> AsyncIterator[bytes]:
            yield data[: len(data) // 2]
            await asyncio.sleep(0.5)  # it is being transcribed
            await stack.kill_transcriber(0)
            yield data[len(data) // 2 :]

        answer = await client.post(f"{stack.url}/v1/listen?smart_format=true", content=body())
    (channel,) = answer.json()["results"]["channels"]
    assert channel["alternatives"][0]["transcript"] == heard["native"]
