"""``make run MODEL=whisper-base`` as a person meets it: another language by one more word."""

from __future__ import annotations

import asyncio
import os
import sys
import wave
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from recordings import shared, two_cities, words

from scripta_local.models import FOLDER
from scripta_local.ports import free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]

UP_SECONDS = 90.0
SCRIPTA = Path(sys.executable).with_name("scripta")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[int, str]]:
    """The port of a system that was started so, and what it printed until it was up."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripta_local"),
        env={
            **os.environ,
            "MODEL": "whisper-base",
            "ENGINE": "",
            "DEMO": "0",
            "APP_PORT": str(port),
        },
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        async with asyncio.timeout(UP_SECONDS):
            printed = await read_until(process, "Scripta is up")
        yield port, printed
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(UP_SECONDS):
            await process.communicate()


async def read_until(process: Process, phrase: str) -> str:
    """Returns what it printed up to the end of the paragraph with a phrase."""
    assert process.stdout is not None
    output = ""
    while line := (await process.stdout.readline()).decode():
        output += line
        if phrase in output and not line.strip():
            return output
    raise AssertionError(f"it ended without saying {phrase!r}:\n{output}")


async def transcribe(port: int, file: Path, *options: str) -> tuple[int, str]:
    """Returns the exit code of ``scripta transcribe``, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(SCRIPTA, "transcribe", "--url", f"ws://127.0.0.1:{port}/ws", *options, file),
        stdout=PIPE,
        stderr=STDOUT,
    )
    async with asyncio.timeout(UP_SECONDS):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def written(folder: Path, pcm: bytes, rate: int) -> Path:
    path = folder / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


async def test_both_models_are_listed_with_what_they_can_do(running: tuple[int, str]) -> None:
    port, printed = running
    assert "with the engines moonshine and whisper" in printed
    assert "--language ru" in printed
    assert (FOLDER / "whisper-base" / "model.bin").is_file()
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/v1/models")
    listed = {one["id"]: one for one in answer.json()["data"]}
    english, more = listed["moonshine-tiny-en"], listed["whisper-base"]
    assert (english["languages"], english["interims"]) == (["en"], True)
    assert {"en", "ru", "de", "fr", "es"} <= set(more["languages"])
    assert english["word_times"] is more["word_times"] is True


async def test_command_line_lists_what_the_gateway_serves(running: tuple[int, str]) -> None:
    """Guards the forms of gateway and client against each other."""
    url = f"ws://127.0.0.1:{running[0]}/ws"
    process = await asyncio.create_subprocess_exec(
        SCRIPTA, "models", "list", "--url", url, stdout=PIPE
    )
    async with asyncio.timeout(UP_SECONDS):
        printed, _ = await process.communicate()
    rows = {line.split()[0]: line.split()[1:] for line in printed.decode().splitlines()[1:]}
    assert rows["moonshine-tiny-en"] == ["yes", "yes", "en"]
    assert rows["whisper-base"][-1] == "languages"


async def test_speech_goes_to_the_model_that_is_named(
    running: tuple[int, str], tmp_path: Path
) -> None:
    speech = two_cities().until(9.2)
    file = written(tmp_path, speech.pcm, speech.rate)
    code, printed = await transcribe(running[0], file, "--model", "whisper-base")
    assert code == 0
    assert "it was the worst of times it was the age of wisdom" in words(printed)


@pytest.mark.usefixtures("development_set")
@pytest.mark.parametrize(
    ("name", "language", "part"),
    [
        ("ru_pisets.wav", "ru", "это хорошо"),
        ("de_fleurs_001.wav", "de", "alles an was ins wasser kam"),
    ],
)
async def test_speech_of_another_language_goes_to_the_model_that_knows_it(
    running: tuple[int, str], tmp_path: Path, name: str, language: str, part: str
) -> None:
    file = written(tmp_path, shared(name).pcm, shared(name).rate)
    code, printed = await transcribe(running[0], file, "--language", language)
    assert code == 0
    assert part in words(printed)
