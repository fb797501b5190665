"""Word errors of each vendor's client over several recordings, beside those of the native dialect.

The recordings stand behind one another in one stream, with pauses between them. All clients send it
at the same time, faster than it was spoken.
"""

from __future__ import annotations

import asyncio
import ssl
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soxr
from forwarder import Forwarder
from native import transcribe
from recordings import SHARED, WHY_NOT_SHARED, Recording, manifest, shared, text_of
from vendors import Found, attempt, of, run

from scripta_local.ports import free_port
from scripta_local.stack import Stack

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not SHARED.is_dir(), reason=WHY_NOT_SHARED),
]

RATE = 16_000
OPENAI_RATE = 24_000
"""That of OpenAI's clients, so that none has to convert."""
RECORDINGS = 12
LONGEST = 9.0
"""Seconds of a recording."""
PAUSE = 1.5
COMMON = {"speed": 4.0, "limit": 120, "settle": 5.0}
"""Clients whose protocol has no end take all for told after so many seconds without news."""
MOST_MORE = 0.01
"""Word errors over words said that a dialect may add to those of the native one."""
NOT_CLEAN = {"derived", "synthetic", "maybe_synthetic", "nonspeech"}
CLIENTS: dict[str, dict[str, Any]] = {
    "deepgram-3": {},
    "deepgram-5": {},
    "deepgram-7": {},
    "deepgram-js": {},
    "livekit-deepgram": {},
    "pipecat-deepgram": {},
    "openai": {},
    "openai-js": {},
    "livekit-openai": {},
    "pipecat-openai": {"vad": "server"},
    "vosk": {},
    "wyoming": {},
}


def chosen() -> list[Recording]:
    """Returns short recordings of clean English, spread over the set."""
    fields = [
        line
        for line in manifest(SHARED / "manifest.jsonl")
        if line["language"] == "en"
        and 2.0 <= line["seconds"] <= LONGEST
        and not NOT_CLEAN & set(line.get("tags") or ())
        and "/" not in line["file"]
    ]
    step = max(1, len(fields) // RECORDINGS)
    return [shared(line["file"]) for line in fields[::step][:RECORDINGS]]


def one_stream(recordings: Sequence[Recording]) -> Recording:
    """Returns the recordings behind one another, with a pause behind each."""
    silence = bytes(2 * round(PAUSE * RATE))
    text = " ".join(recording.texts[0] for recording in recordings)
    pcm = b"".join(recording.pcm + silence for recording in recordings)
    return Recording("several", pcm, RATE, (text,))


def write(recording: Recording, path: Path, rate: int) -> Path:
    samples = soxr.resample(recording.samples().astype(np.float32), recording.rate, rate)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def spoken() -> Recording:
    return one_stream(chosen())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(
    spoken: Recording,
    tmp_path_factory: pytest.TempPathFactory,
    tls: tuple[ssl.SSLContext, Path],
) -> Found:
    """What each client has heard, and the native dialect's words."""
    folder = tmp_path_factory.mktemp("audio")
    plain, openai = (write(spoken, folder / f"{rate}.wav", rate) for rate in (RATE, OPENAI_RATE))
    vosk, wyoming = free_port(), free_port()
    env = {
        "VOSK_PORT": str(vosk),
        "WYOMING_PORT": str(wyoming),
        "SLOTS": "16",
        "INTERIM_SECONDS": "5",
    }
    certificate, authority = tls
    async with (
        Stack(env=env) as stack,
        Forwarder([stack.port], certificate=certificate) as secure,
    ):
        urls = {
            "openai-js": f"https://127.0.0.1:{secure.port}",
            "vosk": f"ws://127.0.0.1:{vosk}",
            "wyoming": f"tcp://127.0.0.1:{wyoming}",
        }

        async def one(name: str) -> Any:
            path = openai if "openai" in name else plain
            url = urls.get(name, stack.url)
            options = {**COMMON, **CLIENTS[name]}
            if name == "openai-js":
                options["ca"] = str(authority)
            return await attempt(run(name, "live", url, path, **options))

        native = text_of((await transcribe(stack.ws_url, spoken)).finals)
        found = await asyncio.gather(*map(one, CLIENTS))
    return {**dict(zip(CLIENTS, found, strict=True)), "native": native}


@pytest.mark.parametrize("name", CLIENTS)
async def test_client_hears_as_well_as_the_native_dialect(
    heard: Found, spoken: Recording, name: str
) -> None:
    client = of(heard, name)
    assert client.errors() == []
    native, own = spoken.error_rate(str(heard["native"])), spoken.error_rate(client.words())
    said = len(spoken.texts[0].split())
    print(f"{name}: {100 * own:.1f} % of {said} words, native {100 * native:.1f} %")
    assert own <= native + MOST_MORE
