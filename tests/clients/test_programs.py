"""The programs that run vendors' packages, against a server that answers by script."""

from __future__ import annotations

import json
import math
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vendors import run

from clients.scripted import Seen, http_server, web_socket_server
from clients.scripts import (
    DeepgramScript,
    OpenAIScript,
    deepgram_answer,
    deepgram_results,
    openai_session,
)

pytestmark = pytest.mark.asgi

PYTHON_DEEPGRAM = ["deepgram-5", "deepgram-7"]


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a tone at 16 kHz."""
    path = tmp_path_factory.mktemp("audio") / "tone.wav"
    tone = [round(8000 * math.sin(at / 10)) for at in range(16000)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(struct.pack(f"<{len(tone)}h", *tone))
    return path


def deepgram() -> tuple[list[dict[str, Any]], DeepgramScript]:
    return [], DeepgramScript()


def realtime() -> tuple[list[dict[str, Any]], OpenAIScript]:
    return [openai_session("session.created")], OpenAIScript()


@pytest.mark.parametrize("client", PYTHON_DEEPGRAM)
async def test_deepgrams_live_client_tells_all_it_hears(client: str, wav: Path) -> None:
    async with web_socket_server("/v1/listen", deepgram) as server:
        heard = await run(
            client, "live", server.url, wav, speed=0, finalize=0.5, strict=True,
            query={"smart_format": "true", "keyterm": ["beckett", "godot"]},
        )  # fmt: skip
    assert heard.words() == "ever tried ever failed"
    assert heard.interims() == ["ever"]
    assert heard.closed() == (1000, "")
    assert not heard.errors()
    assert heard.problems() == []
    (seen,) = server.seen
    assert seen.audio_bytes == 32000
    assert [text["type"] for text in seen.texts] == ["Finalize", "CloseStream"]
    assert seen.headers["authorization"] == "Token key"
    assert [value for name, value in seen.query if name == "keyterm"] == ["beckett", "godot"]
    assert {("smart_format", "true"), ("encoding", "linear16")} <= set(seen.query)


async def test_strictness_names_what_a_message_lacks_and_what_it_has_too_much(wav: Path) -> None:
    """Guards a validation that would let everything pass."""

    def script() -> tuple[list[dict[str, Any]], DeepgramScript]:
        lacking = deepgram_results("ever", is_final=True)
        del lacking["metadata"]["model_uuid"]
        beside = deepgram_results("ever", is_final=True) | {"surplus": 1}
        return [lacking, beside], DeepgramScript()

    async with web_socket_server("/v1/listen", script) as server:
        heard = await run("deepgram-7", "live", server.url, wav, speed=0, strict=True)
    assert heard.problems() == ["Results: metadata.model_uuid: Field required"]
    assert "Results: surplus" in heard.unknown()


@pytest.mark.parametrize("client", PYTHON_DEEPGRAM)
async def test_a_refusal_is_told_with_its_status(client: str, wav: Path) -> None:
    async with web_socket_server("/v1/listen", deepgram, refuse=503) as server:
        heard = await run(client, "live", server.url, wav, speed=0)
    (error,) = heard.errors()
    assert error["status"] == 503


@pytest.mark.parametrize("client", PYTHON_DEEPGRAM)
@pytest.mark.parametrize("mode", ["file", "url"])
async def test_deepgrams_call_for_a_whole_recording(client: str, mode: str, wav: Path) -> None:
    def answer(seen: Seen) -> tuple[int, str, str]:
        return 200, "application/json", json.dumps(deepgram_answer())

    asked: Path | str = wav if mode == "file" else "http://localhost/recording.wav"
    async with http_server("/v1/listen", answer) as server:
        heard = await run(client, mode, server.url, asked, strict=True)
    assert heard.words() == "ever tried"
    assert heard.problems() == []
    sent = server.seen[0].body
    if mode == "file":
        assert len(sent) == 44 + 32000
    else:
        assert json.loads(sent) == {"url": asked}


async def test_openais_realtime_client_streams_and_tells_each_turn(wav: Path) -> None:
    async with web_socket_server("/v1/realtime", realtime) as server:
        heard = await run(
            "openai", "live", server.url, wav, speed=0, strict=True, settle=0.1, silence=0.5
        )
    assert heard.words() == "ever tried"
    assert heard.interims() == ["ever ", "ever tried "]
    assert heard.problems() == []
    assert not heard.errors()
    (seen,) = server.seen
    assert seen.types() == ["session.update", "input_audio_buffer.append"]
    assert ("intent", "transcription") in seen.query
    assert seen.headers["authorization"] == "Bearer key"


@pytest.mark.parametrize("mode", ["live", "beta"])
async def test_openais_client_commits_where_nobody_detects_turns(mode: str, wav: Path) -> None:
    def script() -> tuple[list[dict[str, Any]], OpenAIScript]:
        if mode == "live":
            return realtime()
        created = {"type": "transcription_session.created", "event_id": "e", "session": {}}
        return [created], OpenAIScript(beta=True)

    async with web_socket_server("/v1/realtime", script) as server:
        heard = await run(
            "openai", mode, server.url, wav, speed=0, vad="none", commit=0.5, strict=True,
            settle=0.1,
        )  # fmt: skip
    assert heard.words() == "ever tried ever tried"
    assert heard.problems() == []
    (seen,) = server.seen
    assert seen.types()[-1] == "input_audio_buffer.commit"
    assert seen.headers.get("openai-beta") == ("realtime=v1" if mode == "beta" else None)


@pytest.mark.parametrize("shape", ["json", "verbose_json", "text", "stream"])
async def test_openais_call_for_a_file(shape: str, wav: Path) -> None:
    async with http_server("/v1/audio/transcriptions", openai_file(shape)) as server:
        heard = await run(
            "openai", "file", server.url, wav, strict=True,
            **({"stream": True} if shape == "stream" else {"format": shape}),
        )  # fmt: skip
    assert heard.words() == "ever tried"
    assert heard.problems() == []
    assert b'name="file"; filename="tone.wav"' in server.seen[0].body


def openai_file(shape: str) -> Callable[[Seen], tuple[int, str, str]]:
    bodies = {
        "json": ("application/json", json.dumps({"text": "ever tried"})),
        "verbose_json": (
            "application/json",
            json.dumps({"text": "ever tried", "language": "english", "duration": 1.0}),
        ),
        "text": ("text/plain", "ever tried"),
        "stream": (
            "text/event-stream",
            'data: {"type":"transcript.text.delta","delta":"ever"}\n\n'
            'data: {"type":"transcript.text.done","text":"ever tried"}\n\n',
        ),
    }
    return lambda seen: (200, *bodies[shape])
