"""``scripta transcribe`` on pipes and standard input, and how signals end it."""

from __future__ import annotations

import asyncio
import signal
import sys
import wave

import pytest
from wave_samples import samples_of

pytestmark = pytest.mark.asgi


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


async def test_first_interrupt_of_a_file_at_its_own_speed_still_prints_what_was_heard(
    gateway, tmp_path
):
    """Guards the words of a long talk that somebody has heard enough of."""
    talk = tmp_path / "talk.wav"
    with wave.open(str(talk), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000 * 60))
    heard = asyncio.Event()

    async def script(peer):
        await peer.ack(await peer.audio())
        heard.set()
        rest = await peer.until_end()
        assert len(rest) < 32_000 * 30
        await peer.final(1, "so far", 0.0, 0.1)
        await peer.over()

    async with gateway(script) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripta_client", "transcribe", "--realtime"),
            *(str(talk), "--url", server.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(20):
                await heard.wait()
                process.send_signal(signal.SIGINT)
                out, err = await process.communicate()
            assert (process.returncode, out, err) == (130, b"so far\n", b"")
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
