"""The programs that run vendors' packages, against a server that answers by script.

It proves that the programs work, so that what a dialect's tests find is the dialect's. Programs
of one test run at the same time: most of their time goes into importing their packages.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import wave
from pathlib import Path
from typing import Any

import pytest
import trustme
import vendors
from vendors import Heard, environment, installer, run, started

from clients.scripted import Seen, http_server, web_socket_server, wyoming_server
from clients.scripts import (
    WYOMING,
    DeepgramScript,
    OpenAIScript,
    VoskScript,
    deepgram_answer,
    deepgram_results,
    openai_session,
)
from scripta_local.ports import free_port

pytestmark = pytest.mark.asgi

Call = tuple[list[dict[str, Any]], Any]
"""What a connection hears first, and the script for the rest."""


def deepgram() -> Call:
    return [], DeepgramScript()


def realtime() -> Call:
    return [openai_session("session.created")], OpenAIScript()


def beta() -> Call:
    created = {"type": "transcription_session.created", "event_id": "e", "session": {}}
    return [created], OpenAIScript(beta=True)


async def together(*clients: tuple[str, str, dict[str, Any]], url: str, wav: Any) -> list[Heard]:
    """Runs clients at the same time, as fast as they can send."""
    common = {"speed": 0, "settle": 0.1, "limit": 30}
    return await asyncio.gather(
        *(run(name, mode, url, wav, **{**common, **options}) for name, mode, options in clients)
    )


@pytest.mark.parametrize("names", [("deepgram-3", "deepgram-5", "deepgram-7"), ("deepgram-js",)])
async def test_deepgrams_clients_tell_all_they_hear(names: tuple[str, ...], wav: Path) -> None:
    options = {
        "finalize": 0.5,
        "strict": True,
        "query": {"smart_format": "true", "keyterm": ["beckett", "godot"]},
    }
    async with web_socket_server("/v1/listen", deepgram) as server:
        calls = [(name, "live", options) for name in names]
        told = await together(*calls, url=server.url, wav=wav)
    for name, heard in zip(names, told, strict=True):
        assert heard.words().endswith("ever tried ever failed"), name
        assert heard.interims() == ["ever"], name
        assert heard.closed() == (1000, ""), name
        assert not heard.errors(), name
        assert heard.problems() == [], name
    for seen in server.seen:
        assert seen.audio_bytes == 32000
        assert seen.types()[-1] == "CloseStream"
        assert seen.headers["authorization"] == "Token key"
        assert [value for name, value in seen.query if name == "keyterm"] == ["beckett", "godot"]
        assert {("smart_format", "true"), ("encoding", "linear16")} <= set(seen.query)


async def test_each_channel_of_a_recording_has_its_words(wav: Path, tmp_path: Path) -> None:
    def script() -> Call:
        right = deepgram_results("no matter", is_final=True, channel=(1, 2))
        return [right], DeepgramScript()

    both = {"multichannel": True}
    async with web_socket_server("/v1/listen", script) as server:
        newest, node = await together(
            ("deepgram-7", "live", both),
            ("deepgram-js", "live", both),
            url=server.url,
            wav=stereo(wav, tmp_path / "stereo.wav"),
        )
    assert newest.words(channel=0) == node.words(channel=0) == "ever failed"
    assert newest.words(channel=1) == node.words(channel=1) == "no matter"
    for seen in server.seen:
        assert {("channels", "2"), ("multichannel", "true")} <= set(seen.query)
        assert seen.audio_bytes == 2 * 32000


def stereo(mono: Path, path: Path) -> Path:
    """Writes a recording with the same on both channels."""
    with wave.open(str(mono)) as one, wave.open(str(path), "wb") as two:
        pcm = one.readframes(one.getnframes())
        two.setnchannels(2)
        two.setsampwidth(2)
        two.setframerate(one.getframerate())
        two.writeframes(b"".join(2 * pcm[at : at + 2] for at in range(0, len(pcm), 2)))
    return path


async def test_strictness_names_what_a_message_lacks_and_what_it_has_too_much(wav: Path) -> None:
    """Guards a validation that would let everything pass."""

    def script() -> Call:
        lacking = deepgram_results("ever", is_final=True)
        del lacking["metadata"]["model_uuid"]
        surplus = deepgram_results("ever", is_final=True) | {"surplus": 1}
        return [lacking, surplus], DeepgramScript()

    strict = {"strict": True}
    async with web_socket_server("/v1/listen", script) as server:
        newest, oldest = await together(
            ("deepgram-7", "live", strict), ("deepgram-3", "live", strict), url=server.url, wav=wav
        )
    assert newest.problems() == ["Results: metadata.model_uuid: Field required"]
    assert oldest.problems() == ["Results: metadata.model_uuid: filled in by the client"]
    assert "Results: surplus" in newest.unknown()
    assert "Results: surplus" in oldest.unknown()


async def test_a_refusal_is_told_with_its_status(wav: Path) -> None:
    async with web_socket_server("/v1/listen", deepgram, refuse=503) as server:
        newest, oldest = await together(
            ("deepgram-7", "live", {}), ("deepgram-3", "live", {}), url=server.url, wav=wav
        )
    assert [error["status"] for error in newest.errors()] == [503]
    assert [error["kind"] for error in oldest.errors()] == ["start"]


@pytest.mark.parametrize("names", [("deepgram-3", "deepgram-7"), ("deepgram-js",)])
async def test_deepgrams_calls_for_a_whole_recording(names: tuple[str, ...], wav: Path) -> None:
    def answer(seen: Seen) -> tuple[int, str, str]:
        return 200, "application/json", json.dumps(deepgram_answer())

    async with http_server("/v1/listen", answer) as server:
        calls = [(name, "file", {"strict": True}) for name in names]
        told = await together(*calls, url=server.url, wav=wav)
        elsewhere = "http://localhost/recording.wav"
        told += await together((names[-1], "url", {}), url=server.url, wav=elsewhere)
    assert [heard.words() for heard in told] == ["ever tried"] * len(told)
    assert [heard.problems() for heard in told] == [[]] * len(told)
    *files, address = [seen.body for seen in server.seen]
    assert [len(body) for body in files] == [44 + 32000] * len(names)
    assert json.loads(address) == {"url": elsewhere}


async def test_openais_client_tells_each_turn_in_both_shapes(wav: Path) -> None:
    """In the one the server ends turns, in the other the client commits."""
    live = {"strict": True, "silence": 0.5}
    commits = {"strict": True, "vad": "none", "commit": 0.5}
    async with (
        web_socket_server("/v1/realtime", realtime) as one,
        web_socket_server("/v1/realtime", beta) as other,
    ):
        (first,), (second,) = await asyncio.gather(
            together(("openai", "live", live), url=one.url, wav=wav),
            together(("openai", "beta", commits), url=other.url, wav=wav),
        )
    assert first.words() == "ever tried"
    assert first.interims() == ["ever ", "ever tried "]
    assert second.words() == "ever tried ever tried"
    assert first.problems() + second.problems() == []
    assert not first.errors() + second.errors()
    assert one.seen[0].types() == ["session.update", "input_audio_buffer.append"]
    assert other.seen[0].types().count("input_audio_buffer.commit") == 2
    assert ("intent", "transcription") in one.seen[0].query
    assert one.seen[0].headers["authorization"] == "Bearer key"
    assert other.seen[0].headers["openai-beta"] == "realtime=v1"


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for loopback, and the file of the authority that signed it."""
    signed, path = trustme.CA(), tmp_path / "authority.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signed.issue_cert("localhost").configure_cert(context)
    signed.cert_pem.write_to_path(str(path))
    return context, path


async def test_openais_client_for_node_speaks_over_tls(
    wav: Path, authority: tuple[ssl.SSLContext, Path]
) -> None:
    """Its package refuses to open a realtime connection without TLS."""
    context, path = authority
    async with web_socket_server("/v1/realtime", realtime, certificate=context) as server:
        (heard,) = await together(
            ("openai-js", "live", {"ca": path, "silence": 0.2}), url=server.url, wav=wav
        )
    assert heard.words() == "ever tried"
    assert heard.closed() == (1000, "OK")


@pytest.mark.parametrize("name", ["openai", "openai-js"])
async def test_openais_calls_for_a_file(name: str, wav: Path) -> None:
    def answer(seen: Seen) -> tuple[int, str, str]:
        if b"verbose_json" in seen.body:
            whole = {"text": "ever tried", "language": "english", "duration": 1.0}
            return 200, "application/json", json.dumps(whole)
        events = (
            {"type": "transcript.text.delta", "delta": "ever"},
            {"type": "transcript.text.done", "text": "ever tried"},
        )
        return 200, "text/event-stream", "".join(f"data: {json.dumps(e)}\n\n" for e in events)

    async with http_server("/v1/audio/transcriptions", answer) as server:
        told = await together(
            (name, "file", {"strict": True, "stream": True}),
            (name, "file", {"strict": True, "format": "verbose_json"}),
            url=server.url,
            wav=wav,
        )
    assert [heard.words() for heard in told] == ["ever tried", "ever tried"]
    assert [heard.problems() for heard in told] == [[], []]
    assert told[0].interims() == ["ever"]
    assert all(b'filename="tone.wav"' in seen.body for seen in server.seen)


async def test_livekits_plugins_tell_their_events(wav: Path) -> None:
    async with (
        web_socket_server("/v1/listen", deepgram) as one,
        web_socket_server("/v1/realtime", realtime) as other,
    ):
        (first,), (second,) = await asyncio.gather(
            together(("livekit-deepgram", "live", {}), url=one.url, wav=wav),
            together(("livekit-openai", "live", {"silence": 0.5}), url=other.url, wav=wav),
        )
    assert first.words() == "ever tried ever failed"
    assert second.words() == "ever tried"
    assert first.messages("end_of_speech")
    assert not first.errors() + second.errors()
    assert ("vad_events", "true") in one.seen[0].query
    assert other.seen[0].types() == ["session.update", "input_audio_buffer.append"]


async def test_pipecats_services_tell_their_frames(wav: Path) -> None:
    """A pipeline ends at once when it is told to: what comes after CloseStream is not heard."""
    async with (
        web_socket_server("/v1/listen", deepgram) as one,
        web_socket_server("/v1/realtime", realtime) as other,
    ):
        (first,), (second,) = await asyncio.gather(
            together(("pipecat-deepgram", "live", {}), url=one.url, wav=wav),
            together(("pipecat-openai", "live", {}), url=other.url, wav=wav),
        )
    assert first.words() == "ever tried"
    assert second.words() == "ever tried"
    assert first.messages("TranscriptionFrame")[0]["finalized"]
    assert not first.errors() + second.errors()
    assert one.seen[0].types() == ["Finalize", "CloseStream"]
    assert other.seen[0].types()[-1] == "input_audio_buffer.commit"


async def test_vosks_lockstep_client_asks_for_each_reply(wav: Path) -> None:
    async with web_socket_server("/", lambda: ([], VoskScript())) as server:
        (heard,) = await together(
            ("vosk", "live", {"query": {"words": "true"}}), url=server.url, wav=wav
        )
    assert heard.words() == "ever tried ever failed"
    assert len(heard.messages()) == 11
    assert server.seen[0].texts == [{"config": {"sample_rate": 16000, "words": True}}, {"eof": 1}]


async def test_wyomings_client_asks_what_is_offered_and_hears_a_transcript(wav: Path) -> None:
    async with wyoming_server(WYOMING) as server:
        offered, heard = await together(
            ("wyoming", "describe", {}), ("wyoming", "live", {}), url=server.url, wav=wav
        )
    assert offered.messages("info")[0]["asr"][0]["models"][0]["languages"] == ["en"]
    assert heard.words() == "ever tried"
    assert heard.interims() == ["ever"]
    assert max(seen.audio_bytes for seen in server.seen) == 32000
    assert offered.problems() + heard.problems() == []


def test_turns_are_put_together_in_their_order() -> None:
    """Guards a comparison of words that fails because a later turn was completed first."""
    late = {"event": "final", "text": "failed", "order": 1}
    early = {"event": "final", "text": "tried", "order": 0}
    assert Heard([late, early]).words() == "tried failed"


async def test_a_client_at_work_can_be_followed_and_ended(wav: Path) -> None:
    async with (
        web_socket_server("/", lambda: ([], VoskScript())) as server,
        started("vosk", "live", server.url, wav, speed=4, silence=30) as client,
    ):
        await client.sent(1.0)
        await client.until(lambda heard: heard.words() == "ever tried")
        assert not client.heard.of("end")
        await client.kill()
        assert client.process.returncode != 0


async def test_a_client_that_is_not_done_in_time_says_so(wav: Path) -> None:
    async with web_socket_server("/", lambda: ([], VoskScript())) as server:
        heard = await run("vosk", "live", server.url, wav, silence=30, limit=0.3)
    assert [error["event"] for error in heard.errors()] == ["limit"]


async def test_a_client_that_can_not_be_installed_skips_and_names_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Guards a machine without a network: its tests skip, and none fails."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{free_port()}/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setattr(installer(), "HOME", tmp_path)
    vendors._made.cache_clear()
    with pytest.raises(pytest.skip.Exception, match=r"wyoming can not .*make clients ARGS=wyoming"):
        await environment("wyoming")
    vendors._made.cache_clear()
    assert not (tmp_path / "wyoming" / ".installed").exists()
