"""Recordings that OpenAI's own packages post, on the whole system with real speech.

They are posted at the same time, so that the module takes as long as one of them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from native import transcribe
from recordings import beckett, shipped_path, text_of, words
from vendors import Heard, run

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WAV = shipped_path("beckett.wav")
ASKED: dict[str, dict[str, Any]] = {
    "json": {"format": "json"},
    "text": {"format": "text"},
    "srt": {"format": "srt"},
    "vtt": {"format": "vtt"},
    "verbose_json": {"format": "verbose_json", "granularity": ["word", "segment"]},
    "stream": {"stream": True},
}
MARKS = re.compile(r"^(WEBVTT|\d+|[\d:.,]+ --> .*)$", re.MULTILINE)
"""Lines of subtitles that nobody said."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard() -> AsyncIterator[dict[str, Heard | str]]:
    """What the client has heard in each form, or why it can not be installed."""

    async def one(stack: Stack, options: dict[str, Any]) -> Heard | str:
        try:
            return await run("openai", "file", stack.url, WAV, strict=True, **options)
        except pytest.skip.Exception as why:
            return str(why)

    async with Stack() as stack:
        found = await asyncio.gather(*(one(stack, options) for options in ASKED.values()))
        native = await transcribe(stack.ws_url, beckett())
    results: dict[str, Heard | str] = dict(zip(ASKED, found, strict=True))
    results["native"] = text_of(native.finals)
    yield results


@pytest.mark.parametrize("form", ASKED)
async def test_each_form_has_the_words_of_the_native_dialect(
    heard: dict[str, Heard | str], form: str
) -> None:
    client = heard[form]
    if isinstance(client, str):
        pytest.skip(client)
    assert client.errors() == []
    assert client.problems() == []
    said = MARKS.sub("", client.words())
    assert words(said) == words(str(heard["native"]))


async def test_transcriber_that_dies_changes_no_word(heard: dict[str, Heard | str]) -> None:
    """Guards uploads: they are sessions like any other."""
    data = WAV.read_bytes()
    head = (
        b'--x\r\nContent-Disposition: form-data; name="response_format"\r\n\r\ntext\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    )
    async with Stack(restart=False) as stack, httpx.AsyncClient(timeout=60) as client:
        await stack.add_transcriber()

        async def body() -> AsyncIterator[bytes]:
            yield head + data[: len(data) // 2]
            await asyncio.sleep(0.5)  # it is being transcribed
            await stack.kill_transcriber(0)
            yield data[len(data) // 2 :] + b"\r\n--x--\r\n"

        answer = await client.post(
            f"{stack.url}/v1/audio/transcriptions",
            content=body(),
            headers={"content-type": "multipart/form-data; boundary=x"},
        )
    assert words(answer.text) == words(str(heard["native"]))
