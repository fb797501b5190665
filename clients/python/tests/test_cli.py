from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
import wave
from importlib.metadata import version

import pytest

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
        "start the gateway or give its address with --url\n"
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


async def test_raw_standard_input_is_sent_as_described_if_asked(gateway, scripta):
    asked = []
    audio = []

    async def script(peer):
        asked.append(peer.asked)
        audio.append(await peer.until_end())
        await peer.over()

    raw = bytes(range(256)) * 400
    async with gateway(script) as server:
        done = await scripta(
            *("transcribe", "-", "--url", server.url, "--encoding", "mulaw"),
            *("--sample-rate", "8000", "--channels", "2", "--as-is"),
            stdin=raw,
        )
    assert done.code == 0, done.err
    assert audio == [raw]
    assert asked[0] | {"encoding": "mulaw", "sample_rate": "8000", "channels": "2"} == asked[0]


async def test_recording_on_standard_input_is_decoded(gateway, scripta, recording):
    audio = []

    async def script(peer):
        assert peer.asked["encoding"] == "linear16"
        audio.append(await peer.until_end())
        await peer.over()

    async with gateway(script) as server:
        stdin = recording.read_bytes()
        done = await scripta("transcribe", "-", "--url", server.url, stdin=stdin)
    assert done.code == 0, done.err
    assert audio == [samples_of(recording)]


async def test_realtime_sends_decoded_samples_in_tenths_of_a_second(gateway, scripta, recording):
    sizes = []
    asked = []

    async def script(peer):
        asked.append(peer.asked)
        while isinstance(data := await peer.socket.recv(), bytes):
            sizes.append(len(data))
            await peer.ack(data)
        await peer.over()

    async with gateway(script) as server:
        done = await scripta("transcribe", recording, "--realtime", "--url", server.url)
    assert done.code == 0, done.err
    assert sizes == [3200] * 10
    assert (asked[0]["encoding"], asked[0]["sample_rate"]) == ("linear16", "16000")


class Live:
    """The command reading a pipe that stays open."""

    def __init__(self, process):
        self.process = process

    @classmethod
    async def start(cls, url):
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "scripta_client", "transcribe", "-", "--url", url),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )

    async def finish(self):
        async with asyncio.timeout(20):
            return await self.process.wait()

    def stop(self):
        if self.process.returncode is None:
            self.process.kill()


async def test_live_pipe_is_sent_as_it_comes_and_words_return_before_it_ends(gateway):
    async def script(peer):
        data = await peer.audio()
        await peer.ack(data)
        await peer.final(1, f"{len(data)} bytes", 0.0, 0.1)
        await peer.until_end()
        await peer.over()

    async with gateway(script) as server:
        live = await Live.start(server.url)
        try:
            live.process.stdin.write(b"\0" * 320)
            await live.process.stdin.drain()
            async with asyncio.timeout(20):
                assert await live.process.stdout.readline() == b"320 bytes\n"
            live.process.stdin.close()
            assert await live.finish() == 0
        finally:
            live.stop()


async def test_first_interrupt_of_a_live_pipe_ends_politely_with_the_last_words(gateway):
    async def script(peer):
        await peer.ack(await peer.audio())
        await peer.final(1, "first", 0.0, 0.1)
        await peer.until_end()
        await peer.final(2, "last words", 0.1, 0.2)
        await peer.over()

    async with gateway(script) as server:
        live = await Live.start(server.url)
        try:
            live.process.stdin.write(b"\0" * 320)
            async with asyncio.timeout(20):
                assert await live.process.stdout.readline() == b"first\n"
                live.process.send_signal(signal.SIGINT)
                assert await live.process.stdout.read() == b"last words\n"
            assert await live.finish() == 130
            assert await live.process.stderr.read() == b""
        finally:
            live.stop()


async def test_second_interrupt_quits_at_once(gateway):
    ending = asyncio.Event()

    async def script(peer):
        await peer.ack(await peer.audio())
        await peer.final(1, "first", 0.0, 0.1)
        await peer.until_end()
        ending.set()
        await peer.socket.wait_closed()

    async with gateway(script) as server:
        live = await Live.start(server.url)
        try:
            live.process.stdin.write(b"\0" * 320)
            async with asyncio.timeout(20):
                await live.process.stdout.readline()
                live.process.send_signal(signal.SIGINT)
                await ending.wait()
            live.process.send_signal(signal.SIGINT)
            assert await live.finish() == 130
            assert await live.process.stderr.read() == b""
        finally:
            live.stop()


async def test_interrupt_of_a_file_quits_without_a_traceback(gateway, recording):
    sent = asyncio.Event()

    async def script(peer):
        await peer.until_end()
        sent.set()
        await peer.socket.wait_closed()

    async with gateway(script) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripta_client", "transcribe"),
            *(str(recording), "--url", server.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(20):
                await sent.wait()
                process.send_signal(signal.SIGINT)
                out, err = await process.communicate()
            assert (process.returncode, out, err) == (130, b"", b"")
        finally:
            if process.returncode is None:
                process.kill()


async def test_reader_that_has_enough_is_no_failure(gateway, recording):
    async def script(peer):
        await peer.until_end()
        for index in range(1, 2001):
            await peer.final(index, "words " * 20, index, index + 1)
        await peer.over()

    async with gateway(script) as server:
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m scripta_client transcribe '{recording}' --url {server.url}"
            " | head -n 1",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            out, err = await process.communicate()
    assert out.count(b"\n") == 1
    assert err == b""


def samples_of(recording):
    with wave.open(str(recording)) as file:
        return file.readframes(file.getnframes())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port
