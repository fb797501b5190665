"""``scripta transcribe`` on files: what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
import socket
from importlib.metadata import version

import pytest
from wave_samples import samples_of

pytestmark = pytest.mark.asgi


async def two_finals(peer):
    await peer.until_end()
    await peer.final(1, "hello there", 0.0, 0.5)
    await peer.final(2, "", 0.5, 0.6)
    await peer.final(3, "good bye", 0.6, 1.0)
    await peer.over(1.0)


async def test_transcribes_a_file_to_lines_of_text(gateway, scripta, recording):
    heard = []

    async def script(peer):
        heard.append(peer.asked)
        heard.append(await peer.until_end())
        await peer.final(1, "hello there", 0.0, 0.5)
        await peer.over()

    async with gateway(script) as server:
        asking = ("--language", "en", "--model", "moonshine")
        done = await scripta("transcribe", recording, "--url", server.url, *asking)
    assert (done.code, done.out, done.err) == (0, "hello there\n", "")
    assert heard == [
        {
            "language": "en",
            "interim_results": "false",
            "encoding": "linear16",
            "sample_rate": "16000",
            "channels": "1",
            "model": "moonshine",
            "upload": "true",
            "events": "true",
        },
        samples_of(recording),
    ]


async def test_own_bytes_of_a_file_are_sent_if_asked(gateway, scripta, recording):
    heard = []

    async def script(peer):
        heard.append(peer.asked)
        heard.append(await peer.until_end())
        await peer.over()

    async with gateway(script) as server:
        done = await scripta("transcribe", recording, "--as-is", "--url", server.url)
    assert done.code == 0, done.err
    assert heard == [
        {"interim_results": "false", "upload": "true", "events": "true"},
        recording.read_bytes(),
    ]


async def test_address_comes_from_the_environment(gateway, scripta, recording):
    async with gateway(two_finals) as server:
        done = await scripta("transcribe", recording, url=server.url)
    assert (done.code, done.out) == (0, "hello there\ngood bye\n")


async def test_json_is_one_final_a_line(gateway, scripta, recording):
    async with gateway(two_finals) as server:
        done = await scripta("transcribe", recording, "--url", server.url, "--format", "json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["index"], line["text"]) for line in lines] == [
        (1, "hello there"),
        (2, ""),
        (3, "good bye"),
    ]


@pytest.mark.parametrize(
    ("form", "head"), [("srt", "1\n00:00:00,000 --> "), ("vtt", "WEBVTT\n\n00:00:00.000 --> ")]
)
async def test_captions_go_to_the_output_file(gateway, scripta, recording, tmp_path, form, head):
    target = tmp_path / f"captions.{form}"
    async with gateway(two_finals) as server:
        done = await scripta(
            "transcribe", recording, "--url", server.url, "--format", form, "--output", target
        )
    assert (done.code, done.out, done.err) == (0, "", "")
    assert target.read_text().startswith(head)
    assert target.read_text().count("-->") == 2


async def test_nothing_said_still_makes_a_whole_vtt_file(gateway, scripta, recording):
    async def script(peer):
        await peer.until_end()
        await peer.over()

    async with gateway(script) as server:
        done = await scripta("transcribe", recording, "--url", server.url, "--format", "vtt")
    assert (done.code, done.out) == (0, "WEBVTT\n\n")


async def test_older_transcript_survives_a_gateway_that_is_down(scripta, recording, tmp_path):
    target = tmp_path / "old.txt"
    target.write_text("kept")
    url = f"ws://127.0.0.1:{free_port()}/ws"
    done = await scripta("transcribe", recording, "--url", url, "--output", target)
    assert done.code == 3
    assert target.read_text() == "kept"


async def test_nobody_listening_exits_3_and_says_what_to_do(scripta, recording):
    port = free_port()
    done = await scripta("transcribe", recording, "--url", f"ws://localhost:{port}/ws")
    assert done.code == 3
    assert done.err == (
        f"scripta: cannot connect to localhost:{port}: nothing listens there; "
        "start the gateway, or give the address of another (--url)\n"
    )


async def test_refusal_exits_3_with_the_servers_words_and_when_to_retry(
    gateway, refuse, scripta, recording
):
    answer = refuse(503, '{"status":"error","error":"No capacity"}', Retry_After="7")
    async with gateway(two_finals, answer) as server:
        done = await scripta("transcribe", recording, "--url", server.url)
    assert done.code == 3
    assert done.err == "scripta: refused: No capacity (HTTP 503); try again in 7 s\n"


async def test_session_failure_exits_1_and_keeps_the_words_so_far(gateway, scripta, recording):
    async def script(peer):
        await peer.until_end()
        await peer.final(1, "half a", 0.0, 0.5)
        await peer.say(status="error", error="engine is broken", code="engine_failed")
        await peer.socket.close(1011)

    async with gateway(script) as server:
        done = await scripta("transcribe", recording, "--url", server.url)
    assert (done.code, done.out) == (1, "half a\n")
    assert done.err == "scripta: session failed: engine is broken (engine_failed)\n"


async def test_close_in_mid_stream_exits_1_and_explains_the_code(gateway, scripta, recording):
    async def script(peer):
        await peer.audio()
        await peer.socket.close(1012)

    async with gateway(script) as server:
        arguments = ("transcribe", recording, "--url", server.url, "--reconnect", "0")
        done = await scripta(*arguments)
    assert done.code == 1
    assert "the server is restarting; try again (code 1012)" in done.err
    assert done.err.count("\n") == 1


async def test_break_is_told_and_made_good(gateway, scripta, recording):
    heard = []

    async def script(peer):
        if "resume" not in peer.asked:
            await peer.open()
            await peer.audio()
            await peer.socket.close(1012)
            return
        assert (peer.asked["resume"], peer.asked["from"]) == ("s-1.secret", "0")
        await peer.open(resumed=True)
        heard.append(await peer.until_end())
        await peer.final(1, "hello", 0.0, 0.5)
        await peer.over()

    async with gateway(script) as server:
        done = await scripta("transcribe", recording, "--url", server.url)
    assert (done.code, done.out) == (0, "hello\n")
    assert heard == [samples_of(recording)]
    broke, resumed = done.err.splitlines()
    assert broke == (
        "scripta: connection closed in mid-stream: the server is restarting; try again "
        "(code 1012); connecting again"
    )
    assert re.fullmatch(r"scripta: connected again after \d\.\d s; nothing is lost", resumed)


async def test_lost_session_exits_1_and_says_what_is_lost(gateway, scripta, recording):
    async def script(peer):
        if "resume" not in peer.asked:
            await peer.open()
            await peer.ack(await peer.audio())
            await peer.final(1, "half", 0.0, 0.75)
            await peer.socket.close(1012)
            return
        await peer.open(session="s-2", reason="unknown")
        await peer.socket.wait_closed()

    async with gateway(script) as server:
        done = await scripta("transcribe", recording, "--url", server.url)
    assert (done.code, done.out) == (1, "half\n")
    assert done.err.splitlines()[-1] == (
        "scripta: the session is lost: the server does not know it any more (unknown); "
        "words for at most 0.2 s of what was acknowledged are missing"
    )


async def test_refused_audio_exits_1_with_the_servers_words(gateway, scripta, recording):
    async def script(peer):
        await peer.audio()
        await peer.say(status="error", error="Audio cannot be decoded: no stream")
        await peer.socket.wait_closed()

    async with gateway(script) as server:
        done = await scripta("transcribe", recording, "--url", server.url)
    assert done.code == 1
    expected = "scripta: the server refused audio: Audio cannot be decoded: no stream\n"
    assert done.err == expected


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        (b"", "the file is empty"),
        (b"this is a letter, not a recording\n" * 40, "for raw samples say --encoding"),
    ],
)
async def test_unreadable_file_exits_2(scripta, tmp_path, content, problem):
    path = tmp_path / "thing"
    if content is not None:
        path.write_bytes(content)
    done = await scripta("transcribe", path)
    assert done.code == 2
    assert problem in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("transcribe",),
        ("transcribe", "-", "--realtime"),
        ("transcribe", "x.wav", "--realtime", "--as-is"),
        ("transcribe", "-", "--reconnect", "soon"),
        ("transcribe", "-", "--sample-rate", "5"),
        ("transcribe", "-", "--channels", "two"),
        ("transcribe", "-", "--format", "doc"),
        ("transcribe", "-", "--url", "gopher://x"),
        ("transcribe", "-", "--output", "/no/such/place/out.txt"),
    ],
)
async def test_wrong_usage_exits_2_with_one_line(scripta, arguments):
    done = await scripta(*arguments, stdin=b"")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1


async def test_version_and_exit_codes_are_printed(scripta):
    assert (await scripta("--version")).out.strip() == version("scripta-client")
    text = (await scripta("transcribe", "--help")).out
    assert all(code in text for code in ("0 ", "1 ", "2 ", "3 ", "130"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


@pytest.mark.parametrize("by", ["option", "environment"])
async def test_shows_its_key_in_a_header_and_nowhere_else(
    gateway, scripta, recording, monkeypatch, by
):
    shown = []

    async def script(peer):
        shown.append(peer.socket.request.headers.get("Authorization"))
        await peer.until_end()
        await peer.over()

    monkeypatch.setenv("SCRIPTA_KEY", "scripta_other" if by == "option" else "scripta_secret")
    option = ("--key", "scripta_secret") if by == "option" else ()
    async with gateway(script) as server:
        done = await scripta("transcribe", recording, "--url", server.url, *option)
    assert shown == ["Bearer scripta_secret"]
    assert "secret" not in done.out + done.err
    assert done.code == 0
