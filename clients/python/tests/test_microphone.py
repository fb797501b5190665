from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from scripta_client.errors import MicrophoneUnavailable
from scripta_client.microphone import BUFFERED_BLOCKS, open_microphone

pytestmark = pytest.mark.asgi


class PortAudioError(Exception):
    pass


class Library:
    """Stands in for ``sounddevice``: one device, whose sound the test makes."""

    PortAudioError = PortAudioError

    def __init__(self, rates=(16_000,), default_rate=48_000.0, opens=True):
        self.rates = rates
        self.default_rate = default_rate
        self.opens = opens
        self.callback = None
        self.closed = False

    def query_devices(self, device, kind):
        if not self.rates:
            raise PortAudioError("Error querying device -1")
        return {"default_samplerate": self.default_rate}

    def check_input_settings(self, device, channels, dtype, samplerate):
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate")

    def RawInputStream(self, **settings):
        if not self.opens:
            raise PortAudioError("Device unavailable")
        self.settings = settings
        self.callback = settings["callback"]
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def hear(self, block):
        self.callback(memoryview(block), len(block) // 2, None, None)


async def test_sound_is_yielded_until_stopped_with_what_was_heard_by_then():
    library = Library()
    microphone = open_microphone(library=library)
    messages = microphone.messages()
    async with asyncio.timeout(10):
        first = asyncio.create_task(anext(messages))
        while library.callback is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        library.hear(b"ab")
        assert await first == b"ab"
        library.hear(b"cd")
        library.hear(b"ef")
        microphone.stop.set()
        assert [message async for message in messages] == [b"cd", b"ef"]
    assert library.closed
    assert library.settings["samplerate"] == 16_000


async def test_server_that_does_not_keep_up_costs_sound_and_it_is_counted():
    library = Library()
    microphone = open_microphone(library=library)
    messages = microphone.messages()
    async with asyncio.timeout(10):
        first = asyncio.create_task(anext(messages))
        while library.callback is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        library.hear(bytes(3200))
        await first
        for _ in range(BUFFERED_BLOCKS + 10):
            library.hear(bytes(3200))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert microphone.lost_seconds == pytest.approx(0.9, abs=0.15)
        await messages.aclose()


async def test_sound_of_a_device_that_does_not_resample_is_resampled_here():
    library = Library(rates=(48_000,))
    microphone = open_microphone(library=library)
    assert microphone.format.sample_rate == 16_000
    messages = microphone.messages()
    first = asyncio.create_task(anext(messages))
    await asyncio.sleep(0)
    assert (library.settings["samplerate"], library.settings["blocksize"]) == (48_000, 4800)
    for _ in range(10):
        library.hear(b"\0\1" * 4800)
    async with asyncio.timeout(10):
        heard = await first
        while len(heard) < 31_000:
            heard += await anext(messages)
    assert heard[8000:8002] == b"\0\1"
    microphone.stop.set()
    async with asyncio.timeout(10):
        heard += b"".join([block async for block in messages])
    assert len(heard) == pytest.approx(32_000, abs=100)


def test_missing_device_is_told():
    with pytest.raises(MicrophoneUnavailable, match="plug one in"):
        open_microphone(library=Library(rates=()))


async def test_device_that_is_taken_is_told():
    microphone = open_microphone(library=Library(opens=False))
    with pytest.raises(MicrophoneUnavailable, match="Device unavailable"):
        await anext(microphone.messages())


def test_missing_library_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MicrophoneUnavailable, match=r"pip install 'scripta-client\[mic\]'"):
        open_microphone()


FAKE = """
import threading, time

class PortAudioError(Exception):
    pass

def query_devices(device, kind):
    return {"default_samplerate": 16000.0}

def check_input_settings(device, **settings):
    pass

class RawInputStream:
    def __init__(self, callback, **settings):
        self.callback = callback
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stop.wait(0.01):
            self.callback(bytes(3200), 1600, None, None)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
"""


async def mic(tmp_path, library, url):
    (tmp_path / "sounddevice.py").write_text(library)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripta_client", "mic", "--url", url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )


async def test_interrupt_ends_dictation_politely_with_the_last_words(gateway, tmp_path):
    asked = []

    async def script(peer):
        asked.append(peer.asked)
        await peer.ack(await peer.audio())
        await peer.final(1, "first", 0.0, 0.1)
        await peer.until_end()
        await peer.final(2, "last words", 0.1, 0.2)
        await peer.over()

    async with gateway(script) as server, asyncio.timeout(20):
        process = await mic(tmp_path, FAKE, server.url)
        try:
            assert await process.stdout.readline() == b"first\n"
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    assert (process.returncode, out, err) == (0, b"last words\n", b"")
    assert (asked[0]["encoding"], asked[0]["sample_rate"]) == ("linear16", "16000")


async def test_dictation_goes_on_where_its_model_is_gone(gateway, tmp_path):
    async def gone(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        await peer.say(status="error", error="Model gone", code="model_gone")
        await peer.socket.close(1012)

    async def fresh(peer):
        await peer.open(session="s-2")
        await peer.ack(await peer.audio())
        await peer.final(1, "words of another", 0.0, 0.1)
        await peer.until_end()
        await peer.over()

    scripts = [gone, fresh]
    async with gateway(lambda peer: scripts.pop(0)(peer)) as server, asyncio.timeout(20):
        process = await mic(tmp_path, FAKE, server.url)
        try:
            assert await process.stdout.readline() == b"words of another\n"
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == 0
    assert err.decode().splitlines() == [
        "scripta: session failed: Model gone (model_gone); connecting again",
        "scripta: going on in a new session (model_gone); words for up to 0.1 s are lost",
    ]


async def test_missing_portaudio_is_told_by_the_command_and_exits_2(tmp_path):
    async with asyncio.timeout(20):
        process = await mic(tmp_path, "raise OSError('PortAudio library not found')", "ws://x")
        out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert err.decode() == (
        "scripta: no microphone: PortAudio is missing; install it "
        "(Debian and Ubuntu: apt install libportaudio2)\n"
    )
