"""Recordings that OpenAI's own packages post, on the whole system with real speech.

They are posted at the same time, so that the module takes as long as one of them.
"""

from __future__ import annotations

import io
import re
import wave
from functools import partial
from typing import Any

import httpx
import pytest
import pytest_asyncio
from posted import Until, disturbed, posted
from recordings import beckett, words
from vendors import Found, of

from scripta_gateway.bounds import FORM_HELD_BYTES
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ASKED: dict[str, dict[str, Any]] = {
    "json": {"format": "json"},
    "text": {"format": "text"},
    "srt": {"format": "srt"},
    "vtt": {"format": "vtt"},
    "verbose_json": {"format": "verbose_json", "granularity": ["word", "segment"]},
    "stream": {"stream": True},
}
OF_NODE = ("verbose_json", "stream")
"""Forms that are asked for by the package for Node as well."""
PLUGIN = "what livekit's plugin asks for"
HEAD = (
    b'--x\r\nContent-Disposition: form-data; name="response_format"\r\n\r\ntext\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)
MARKS = re.compile(r"^(WEBVTT|\d+|[\d:.,]+ --> .*)$", re.MULTILINE)
"""Lines of subtitles that nobody said."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard() -> Found:
    """What the clients have heard in each form, and the native dialect's words."""
    python = {form: ("openai", options) for form, options in ASKED.items()}
    node = {f"{form} of node": ("openai-js", ASKED[form]) for form in OF_NODE}
    plugin: tuple[str, dict[str, Any]] = ("livekit-openai", {})
    return await posted({**python, **node, PLUGIN: plugin})


@pytest.mark.parametrize("form", [*ASKED, *(f"{form} of node" for form in OF_NODE), PLUGIN])
async def test_each_form_has_the_words_of_the_native_dialect(heard: Found, form: str) -> None:
    client = of(heard, form)
    assert client.errors() == []
    assert client.problems() == []
    said = MARKS.sub("", client.words())
    assert words(said) == words(str(heard["native"]))


async def test_transcriber_that_dies_changes_no_word(until: Until) -> None:
    """Guards uploads: they are sessions like any other."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((1, 2, beckett().rate, 0, "NONE", ""))
        written.writeframes(beckett().repeated(5).pcm)
    # So long a file is heard before the form is complete.
    body = HEAD + file.getvalue() + b"\r\n--x--\r\n"
    middle = FORM_HELD_BYTES + 100_000
    async with Stack(restart=False) as stack, httpx.AsyncClient(timeout=60) as client:
        ask = partial(
            client.post,
            f"{stack.url}/v1/audio/transcriptions",
            headers={"content-type": "multipart/form-data; boundary=x"},
        )
        calm = await ask(content=body)
        answer = await ask(content=disturbed(stack, until, body[:middle], body[middle:]))
    assert len(words(calm.text)) >= 50
    assert answer.text == calm.text
