"""The decoders of a whole gateway: who waits for them, who hears of them, and when they end."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from decoder_streams import Stream, alive
from joined import joined

from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.processes import SHARED_PROCESSES, DecoderProcesses

pytestmark = [
    pytest.mark.asgi,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]

GATEWAY = """
import asyncio, sys
sys.path[:0] = {path!r}
from joined import joined
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.processes import SHARED_PROCESSES
async def main():
    data = open({file!r}, "rb").read()
    kept = [AudioDecoder(AudioFormat()) for _ in range(3)]
    for decoder in kept:
        await joined(decoder.feed(data))
    print(*SHARED_PROCESSES.living, SHARED_PROCESSES.zygote_pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
async def test_no_process_outlives_the_gateway(
    ended_by: signal.Signals, encoded: Callable[..., Any], tmp_path: Path, until: Any
) -> None:
    file = tmp_path / "speech.webm"
    file.write_bytes(encoded("webm_live").data)
    program = GATEWAY.format(path=sys.path, file=str(file))
    start = functools.partial(subprocess.Popen, stdout=subprocess.PIPE)
    with start([sys.executable, "-c", program]) as gateway:
        assert gateway.stdout is not None
        pids = [int(pid) for pid in (await asyncio.to_thread(gateway.stdout.readline)).split()]
        assert len(pids) == 4
        assert all(map(alive, pids))
        os.kill(pids[0], signal.SIGSTOP)
        gateway.send_signal(ended_by)
        gateway.wait()
    await until(lambda: not any(map(alive, pids)))


async def test_a_pause_in_taking_slices_pauses_the_decoder(
    encoded: Callable[..., Any], processes: DecoderProcesses
) -> None:
    """A message of half an hour must not be decoded faster than its audio is accepted."""
    data = encoded("flac").data
    stream = AudioDecoder(AudioFormat(), processes=processes)
    slices = stream.feed(data)
    first = await anext(slices)
    (pid,) = processes.living
    assert len(first) <= 64_000

    def cpu() -> int:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))

    before, waited = cpu(), time.monotonic()
    await asyncio.sleep(0.2)  # nobody reads; in this time a decoder that goes on is seen
    assert cpu() - before <= 1
    assert time.monotonic() - waited < 5
    rest = await joined(slices)
    await stream.close()
    assert len(first + rest) == 96_000


async def test_an_upload_gives_way_to_live_streams(
    encoded: Callable[..., Any], processes: DecoderProcesses
) -> None:
    """Fifty uploads at a time must not keep the event loop, or whoever speaks, from computing.

    Nor must a dozen streams that begin at once, whatever they are, keep the event loop from it.
    """
    live = Stream(list(encoded("mp3_16k_live").parts), processes)
    await live.send(30)
    upload = AudioDecoder(AudioFormat(), processes=processes)
    slices = upload.feed(encoded("mp3_16k_live").data * 8)
    for _ in range(5):
        await anext(slices)
    (pid,) = processes.living - {live.pid}
    ours, lives, uploads = (os.getpriority(os.PRIO_PROCESS, each) for each in (0, live.pid, pid))
    assert ours < lives < uploads
    await upload.close()
    await live.decoder.close()


async def received(socket: Any) -> dict[str, Any]:
    """Returns the next answer to a message."""
    while True:
        frame: dict[str, Any] = json.loads(await socket.recv())
        if frame["status"] in ("received", "error"):
            return frame


async def test_clients_hear_of_their_own_decoder_only(
    encoded: Callable[..., Any], server: Any, mock_worker: object, until: Any
) -> None:
    """One client's crash was everybody's: all connections of the gateway were cut."""
    parts = encoded("webm_live").parts
    before = set(SHARED_PROCESSES.living)
    async with server.connect() as hurt, server.connect() as neighbour:
        await hurt.send(parts[0] + parts[1] + parts[2])
        assert (await received(hurt))["status"] == "received"
        (pid,) = SHARED_PROCESSES.living - before
        await neighbour.send(encoded("mp3_16k_live").data[:3000])
        assert (await received(neighbour))["status"] == "received"
        os.kill(pid, signal.SIGKILL)
        await hurt.send(parts[3])
        assert await received(hurt) == {
            "status": "error",
            "error": "Audio cannot be decoded: the webm data could not be decoded: "
            "its decoder broke down",
        }
        await hurt.send(bytes(3200))
        assert "its decoder broke down; go on with" in (await received(hurt))["error"]
        await hurt.send(encoded("wav").data)
        assert (await received(hurt))["status"] == "received"
        await neighbour.send(encoded("mp3_16k_live").data[3000:6000])
        assert (await received(neighbour))["status"] == "received"
    await until(lambda: not SHARED_PROCESSES.living - before)
