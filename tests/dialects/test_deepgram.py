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
from killed import ENV, heard_while_killed
from recordings import beckett, shipped_path, words
from vendors import ROOT, Found, Heard, attempt, environment, of, run, started

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PAGE = ROOT / "docs" / "clients.md"
WAV = shipped_path("beckett.wav")
EVENTS = {"vad_events": "true", "utterance_end_ms": "1000"}
FINALIZED = 2.8
"""Second of a finalize: so soon behind a word that silence has ended nothing yet."""
EARLY = 2.75
"""Asks for it there: it is sent behind the chunk in which this second lies."""
LATE = 3000
"""Milliseconds of silence that end a segment where only a finalize should."""
CLIENTS: dict[str, dict[str, Any]] = {
    "deepgram-3": {"finalize": EARLY, "query": {"punctuate": "true"}},
    "deepgram-5": {
        "finalize": EARLY,
        "query": {"smart_format": "true", "keyterm": ["a", "b"]},
    },
    "deepgram-7": {"finalize": EARLY, "query": EVENTS, "silence": 2.0},
    "deepgram-7 container": {"container": True},
    "deepgram-js": {"finalize": EARLY, "query": EVENTS, "silence": 2.0},
    "livekit-deepgram": {"finalize": EARLY, "query": {"endpointing_ms": LATE}},
    "pipecat-deepgram": {"finalize": EARLY, "query": {"endpointing": LATE}},
}
CHANNELS: dict[str, dict[str, Any]] = {
    "deepgram-3 channels": {"multichannel": True},
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
SAY_FINALIZE = tuple(name for name, options in CLIENTS.items() if "finalize" in options)


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
    left, right = (starts(client, channel) for channel in (0, 1))
    assert left[: len(right)] == pytest.approx(right, abs=0.05)


def starts(client: Heard, channel: int) -> list[float]:
    """Returns when the words of a channel begin: what is said on both is said at one time."""
    finals = [each for each in client.messages("Results") if each["is_final"]]
    return [
        word["start"]
        for each in finals
        if each["channel_index"][0] == channel
        for word in each["channel"]["alternatives"][0]["words"]
    ]


@pytest.mark.parametrize("name", SAY_FINALIZE)
async def test_finalize_is_answered(heard: Found, name: str) -> None:
    """The plugins keep ``from_finalize`` to themselves; nothing else ends their segment there."""
    client = of(heard, name)
    if name not in SDKS:
        assert words(client.of("final")[0]["text"]) == RIGHT
        return
    answers = [each for each in client.messages("Results") if each.get("from_finalize")]
    assert answers[0]["start"] + answers[0]["duration"] == pytest.approx(FINALIZED, abs=0.15)
    assert words(answers[0]["channel"]["alternatives"][0]["transcript"]).endswith("ever failed")


async def test_what_has_no_effect_is_named(heard: Found) -> None:
    (opened,) = of(heard, "deepgram-5").of("open")
    assert opened["headers"]["scripta-ignored"] == "keyterm"


def timed(client: Heard) -> list[dict[str, Any]]:
    """Returns the words of the finals with their times, as the client's user has them."""
    results = [each for each in client.messages("Results") if each["is_final"]]
    finals = [each["channel"]["alternatives"][0] for each in results]
    finals += [each["alternatives"][0] for each in client.messages("final_transcript")]
    finals += client.messages("TranscriptionFrame")
    return [word for each in finals for word in each["words"]]


@pytest.mark.parametrize("name", CLIENTS)
async def test_each_word_has_its_time(heard: Found, name: str) -> None:
    client = of(heard, name)
    told = timed(client)
    assert [words(word["word"]) for word in told] == words(client.words()).split()
    ends = [0.0, *(word["end"] for word in told)]
    assert all(
        end <= word["start"] + 0.05 and word["start"] < word["end"]
        for end, word in zip(ends, told, strict=False)
    )
    assert told[0]["start"] == pytest.approx(0.3, abs=0.25)
    assert told[-1]["end"] == pytest.approx(8.9, abs=0.25)


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def killed() -> Found:
    """What each client hears whose transcriber is killed in mid-sentence."""
    async with Stack(restart=False, env=ENV) as stack:
        clients = {
            name: started(name.partition(" ")[0], "live", stack.url, WAV, hold=True, **options)
            for name, options in CLIENTS.items()
        }
        return await heard_while_killed(stack, clients)


@pytest.mark.parametrize("name", CLIENTS)
async def test_transcriber_that_dies_is_not_noticed(heard: Found, killed: Found, name: str) -> None:
    """Guards each client's words, and its connection, while another transcriber takes over."""
    client = of(killed, name)
    assert client.errors() == []
    assert client.words().split() == of(heard, name).words().split()
    assert len(client.of("closed")) <= 1


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
