"""What `helm test` runs: a recording goes through the gateway, and its words are checked.

`fetch` runs in the transcriber's image, which carries the recording; `stream` in the gateway's,
which has a WebSocket library.
"""

import asyncio
import importlib.util
import json
import re
import ssl
import sys
from pathlib import Path

CHUNK_BYTES = 16_384
RECORDING_BYTES = 1_000_000
"""Of the recording's 4 MB: ten seconds of speech."""


def fetch(target: str) -> None:
    """Copies the start of the recording that comes with the default model."""
    package = importlib.util.find_spec("moonshine_voice")
    if package is None or package.submodule_search_locations is None:
        sys.exit("The transcriber's image has no recording: it was built without moonshine-voice.")
    recording = Path(package.submodule_search_locations[0]) / "assets" / "two_cities.wav"
    Path(target).write_bytes(recording.read_bytes()[:RECORDING_BYTES])


def stream(recording: str, url: str, expected: str, timeout: str) -> None:
    """Streams the recording and looks for what is expected among the words that come back."""
    texts = asyncio.run(transcribe(Path(recording).read_bytes(), url, float(timeout)))
    words = re.sub(r"[^a-z ]", "", " ".join(texts).lower())
    if expected not in words:
        sys.exit(f"The words are wrong. Expected {expected!r} among {words!r}.")
    print(f"The words are right: {words!r}")


def trusting() -> ssl.SSLContext:
    """Returns TLS that asks for no name: the certificate may be for names from outside only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def transcribe(audio: bytes, url: str, timeout: float) -> list[str]:
    """Returns the texts of all transcripts."""
    import websockets

    texts: list[str] = []
    # It can wait for a slot: behind the live sessions, or until a transcriber has loaded its model.
    upload = f"{url}?upload=true"
    secured = {"ssl": trusting()} if url.startswith("wss:") else {}
    async with asyncio.timeout(timeout), websockets.connect(upload, **secured) as connection:

        async def send() -> None:
            for start in range(0, len(audio), CHUNK_BYTES):
                await connection.send(audio[start : start + CHUNK_BYTES])
            await connection.send(json.dumps({"type": "end"}))

        sending = asyncio.create_task(send())
        async for message in connection:
            result = json.loads(message)
            if result["status"] == "error":
                sys.exit(f"The gateway answered with an error: {result['error']}")
            if result["status"] == "transcript":
                texts.append(result["text"])
        await sending
    return texts


if __name__ == "__main__":
    {"fetch": fetch, "stream": stream}[sys.argv[1]](*sys.argv[2:])
