"""Recordings that Deepgram's own packages post, on the whole system with real speech.

They are posted at the same time, so that the module takes as long as one of them.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio
from posted import WAV, Until, disturbed, posted
from recordings import beckett
from vendors import Found, of

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

QUERY = {"model": "nova-3", "smart_format": "true", "utterances": "true", "paragraphs": "true"}
SDKS = ("deepgram-3", "deepgram-5", "deepgram-7", "deepgram-js")
CLIENTS: dict[str, dict[str, Any]] = {
    **{name: {"query": QUERY} for name in SDKS},
    "livekit-deepgram": {"query": {"smart_format": "true"}},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard() -> Found:
    """What each client has heard, and the native dialect's words."""
    return await posted({name: (name, options) for name, options in CLIENTS.items()})


@pytest.mark.parametrize("name", CLIENTS)
async def test_answer_has_the_words_of_the_native_dialect(heard: Found, name: str) -> None:
    client = of(heard, name)
    assert client.errors() == []
    assert client.problems() == []
    assert beckett().error_rate(client.words()) <= beckett().error_rate(str(heard["native"])) + 0.01


async def test_transcriber_that_dies_changes_no_word(heard: Found, until: Until) -> None:
    """Guards uploads: they are sessions like any other."""
    data = WAV.read_bytes()
    middle = len(data) // 2
    async with Stack(restart=False) as stack, httpx.AsyncClient(timeout=60) as client:
        body = disturbed(stack, until, data[:middle], data[middle:])
        answer = await client.post(f"{stack.url}/v1/listen?smart_format=true", content=body)
    (channel,) = answer.json()["results"]["channels"]
    assert channel["alternatives"][0]["transcript"] == heard["native"]
