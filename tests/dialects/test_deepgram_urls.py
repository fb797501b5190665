"""Recordings that Deepgram's own packages name by a URL, and callbacks, with real speech.

All are asked for at the same time, so that the module takes as long as one of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from native import transcribe
from outside import Asked, Outside, outside
from posted import WAV
from recordings import beckett, text_of
from vendors import Found, attempt, of, run

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

Until = Callable[..., Awaitable[None]]

CLIENTS = ("deepgram-3", "deepgram-5", "deepgram-7", "deepgram-js")
CALLED_BACK = {"deepgram-7 url": "url", "deepgram-7 live": "live", "deepgram-5 url": "url"}
QUERY = {"model": "nova-3", "smart_format": "true"}


async def script(host: Outside, asked: Asked) -> None:
    """Gives the recording, and takes what is sent; the first of each path at the second try."""
    if asked.method == "GET":
        await asked.answer(body=WAV.read_bytes())
    else:
        tries = [each for each in host.asked if each.path == asked.path]
        await asked.answer(503 if len(tries) == 1 else 200)


def path_of(name: str) -> str:
    return f"/{name.replace(' ', '-')}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard() -> Found:
    """What each client has heard or had sent to its callback, and the native dialect's words."""
    async with outside(script) as host:
        there = f"127.0.0.1:{host.port}"
        async with Stack(env={"FETCH_HOSTS": there, "CALLBACK_HOSTS": there}) as stack:

            async def named(client: str, mode: str, **query: str) -> Any:
                wav = host.url("/speech.wav") if mode == "url" else WAV
                asked = {**QUERY, **query}
                return await attempt(
                    run(client, mode, stack.url, wav, strict=not query, query=asked, speed=3)
                )

            plain = [named(client, "url") for client in CLIENTS]
            called = [
                named(name.split()[0], mode, callback=host.url(path_of(name)))
                for name, mode in CALLED_BACK.items()
            ]
            found = await asyncio.gather(*plain, *called)
            native = text_of((await transcribe(stack.ws_url, beckett())).finals)
        sent: dict[str, Any] = {
            f"sent {name}": [
                json.loads(asked.body) for asked in host.asked if asked.path == path_of(name)
            ]
            for name in CALLED_BACK
        }
    return {**dict(zip((*CLIENTS, *CALLED_BACK), found, strict=True)), **sent, "native": native}


@pytest.mark.parametrize("name", CLIENTS)
async def test_recording_at_a_url_has_the_words_of_the_native_dialect(
    heard: Found, name: str
) -> None:
    client = of(heard, name)
    assert client.errors() == []
    assert client.problems() == []
    assert client.words() == heard["native"]


@pytest.mark.parametrize("name", [name for name, mode in CALLED_BACK.items() if mode == "url"])
async def test_callback_gets_the_answer_and_the_client_its_id(heard: Found, name: str) -> None:
    client = of(heard, name)
    assert client.errors() == []
    sent: Any = heard[f"sent {name}"]
    assert sent[0] == sent[1]  # the first try was answered with 503
    answer = sent[1]
    assert answer["metadata"]["request_id"] in str(client.messages())
    (channel,) = answer["results"]["channels"]
    assert channel["alternatives"][0]["transcript"] == heard["native"]


async def test_callback_gets_each_message_of_a_live_call_in_order(heard: Found) -> None:
    assert of(heard, "deepgram-7 live").errors() == []
    told: Any = heard["sent deepgram-7 live"]
    messages = [json.loads(each) for each in dict.fromkeys(json.dumps(each) for each in told)]
    finals = [message for message in messages if message.get("is_final")]
    starts = [final["start"] for final in finals]
    assert starts == sorted(starts)
    assert messages[-1]["type"] == "Metadata"
    said = " ".join(final["channel"]["alternatives"][0]["transcript"] for final in finals)
    assert beckett().error_rate(said) <= beckett().error_rate(str(heard["native"])) + 0.01
