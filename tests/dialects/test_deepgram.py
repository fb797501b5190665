"""Clients of Deepgram's live transcription, as their vendors ship them, on the whole system.

They speak at the same time, so that the module takes as long as one of them.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from recordings import beckett, shipped_path
from vendors import ROOT, Found, Heard, attempt, environment, of, run, started

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PAGE = ROOT / "docs" / "clients.md"
WAV = shipped_path("beckett.wav")
EVENTS = {"vad_events": "true", "utterance_end_ms": "1000"}
CLIENTS: dict[str, dict[str, Any]] = {
    "deepgram-3": {"query": {"punctuate": "true"}},
    "deepgram-5": {"finalize": [3.0], "query": {"smart_format": "true", "keyterm": ["a", "b"]}},
    "deepgram-7": {"query": EVENTS, "silence": 2.0},
    "deepgram-7 container": {"container": True},
    "deepgram-js": {"query": EVENTS, "silence": 2.0},
    "livekit-deepgram": {},
    "pipecat-deepgram": {},
}
CHANNELS: dict[str, dict[str, Any]] = {
    "deepgram-7 channels": {"multichannel": True},
    "deepgram-js channels": {"multichannel": True},
    "deepgram-5 channels of a file": {"multichannel": True, "container": True},
}
ALL = CLIENTS | CHANNELS
RIGHT = "ever tried ever failed"
"""What is said on the right; the left says all."""
OURS = {"Metadata: models", "Metadata: model_info"}
"""Keys that the vendor sends, too, and that some of its models lack."""
SDKS = tuple(name for name in CLIENTS if name.startswith("deepgram"))
DISTURBED = ("deepgram-3", "deepgram-7", "deepgram-js", "livekit-deepgram", "pipecat-deepgram")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Found]:
    """What each client has heard, or why it can not be installed."""
    both = stereo(tmp_path_factory.mktemp("channels") / "both.wav")

    async def one(stack: Stack, name: str) -> Heard | str:
        client, wav = name.partition(" ")[0], both if name in CHANNELS else WAV
        return await attempt(run(client, "live", stack.url, wav, strict=True, **ALL[name]))

    async with Stack() as stack:
        found = await asyncio.gather(*(one(stack, name) for name in ALL))
    yield dict(zip(ALL, found, strict=True))


def stereo(path: Path) -> Path:
    """Writes a recording with all sentences on the left and the first two on the right."""
    with wave.open(str(WAV)) as one, wave.open(str(path), "wb") as two:
        left = one.readframes(one.getnframes())
        right = left[: 2 * 3 * one.getframerate()].ljust(len(left), b"\0")
        two.setnchannels(2)
        two.setsampwidth(2)
        two.setframerate(one.getframerate())
        pairs = (left[at : at + 2] + right[at : at + 2] for at in range(0, len(left), 2))
        two.writeframes(b"".join(pairs))
    return path


@pytest.mark.parametrize("name", CLIENTS)
async def test_each_client_hears_the_words(heard: Found, name: str) -> None:
    """Guards the promise: only the address is changed."""
    client = of(heard, name)
    assert client.errors() == []
    assert beckett().error_rate(client.words()) == 0.0, client.words()
    assert client.interims()


@pytest.mark.parametrize("name", SDKS)
async def test_every_message_fits_the_vendors_own_model(heard: Found, name: str) -> None:
    client = of(heard, name)
    assert client.problems() == []
    assert set(client.unknown()) <= OURS
    assert client.closed()[0] == 1000
    (metadata,) = client.messages("Metadata")
    ends = [each["start"] + each["duration"] for each in client.messages("Results")]
    assert ends[-1] == pytest.approx(metadata["duration"], abs=0.002)


@pytest.mark.parametrize("name", CHANNELS)
async def test_each_channel_has_its_own_words(heard: Found, name: str) -> None:
    client = of(heard, name)
    assert (client.errors(), client.problems()) == ([], [])
    assert beckett().error_rate(client.words(channel=0)) == 0.0
    assert client.words(channel=1).split() == RIGHT.split()
    assert all(each["channel_index"][1] == 2 for each in client.messages("Results"))
    (metadata,) = client.messages("Metadata")
    assert metadata["channels"] == 2


async def test_finalize_is_answered(heard: Found) -> None:
    client = of(heard, "deepgram-5")
    (answer,) = [each for each in client.messages("Results") if each.get("from_finalize")]
    assert answer["start"] + answer["duration"] == pytest.approx(3.0, abs=0.2)
    (opened,) = client.of("open")
    assert opened["headers"]["scripta-ignored"] == "keyterm"


@pytest.mark.parametrize("name", ["deepgram-7", "deepgram-js"])
async def test_speech_is_told_when_it_begins_and_when_it_is_over(heard: Found, name: str) -> None:
    client = of(heard, name)
    assert len(client.messages("SpeechStarted")) >= 5
    over = client.messages("UtteranceEnd")[-1]
    spoken = [
        each for each in client.messages("Results") if each["channel"]["alternatives"][0]["words"]
    ]
    last = spoken[-1]["channel"]["alternatives"][0]["words"][-1]
    assert (over["channel"], over["last_word_end"]) == ([0, 1], last["end"])


async def test_transcriber_that_dies_in_mid_sentence_is_not_noticed(
    heard: Found,
) -> None:
    """Guards each client's words, and its connection, while another transcriber takes over."""
    there = [name for name in DISTURBED if not isinstance(heard[name], str)]
    async with Stack(restart=False, env={"IDLE_FLUSH_SECONDS": "30"}) as stack:
        await stack.add_transcriber()

        async def one(name: str, speaking: asyncio.Barrier) -> Heard:
            async with started(name, "live", stack.url, WAV, **CLIENTS[name]) as running:
                await running.sent(3.0)
                await speaking.wait()
                return await running.done()

        speaking = asyncio.Barrier(len(there) + 1)
        tasks = [asyncio.create_task(one(name, speaking)) for name in there]
        await speaking.wait()
        await stack.kill_transcriber(0)
        for name, found in zip(there, await asyncio.gather(*tasks), strict=True):
            assert found.errors() == [], name
            assert found.words().split() == of(heard, name).words().split(), name
            assert len(found.of("closed")) <= 1, name


EXAMPLES = {
    "deepgram python": ("deepgram-7", "python", "-c"),
    "deepgram python 3": ("deepgram-3", "python", "-c"),
    "deepgram node": ("deepgram-js", "node", "-e"),
}


async def printed_by(stack: Stack, name: str) -> str:
    """Returns what an example of the page prints; nothing where its package can not be had."""
    client, program, option = EXAMPLES[name]
    try:
        home = await environment(client)
    except pytest.skip.Exception:
        return ""
    marked = rf"<!-- example: {name} -->\s*```\w+\n(.*?)^```"
    [code] = re.findall(marked, PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    process = await asyncio.create_subprocess_exec(
        *(home / "bin" / program if program == "python" else program, option),
        *(code.replace("localhost:8000", f"localhost:{stack.port}"), WAV),
        env={**os.environ, "NODE_PATH": str(home / "node_modules")},
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    return printed.decode()


async def test_the_examples_of_the_page_print_the_words() -> None:
    async with Stack() as stack:
        printed = await asyncio.gather(*(printed_by(stack, name) for name in EXAMPLES))
    if not any(printed):
        pytest.skip("no package of the vendor can be installed here")
    for name, text in zip(EXAMPLES, printed, strict=True):
        assert not text or beckett().error_rate(text) == 0.0, (name, text)
