"""What `helm test` runs: a recording goes through the gateway, and its words are checked.

`fetch` runs in the transcriber's image, which carries the recording; `stream` in the gateway's,
which has a WebSocket library. The recording is English. Of other languages `stream` tries that
each model takes them, and hears the recording to its end; it does not try their words.
"""

import asyncio
import importlib.util
import json
import re
import ssl
import sys
import urllib.request
from pathlib import Path

CHUNK_BYTES = 16_384
RECORDING_BYTES = 1_000_000
"""Of the recording's 4 MB: ten seconds of speech."""
LANGUAGE_BYTES = 400_000
"""What a session of another language hears of it: four seconds."""
MOST_LANGUAGES = 5


def fetch(target: str) -> None:
    """Copies the start of the recording that comes with the default model."""
    package = importlib.util.find_spec("moonshine_voice")
    if package is None or package.submodule_search_locations is None:
        sys.exit("The transcriber's image has no recording: it was built without moonshine-voice.")
    recording = Path(package.submodule_search_locations[0]) / "assets" / "two_cities.wav"
    Path(target).write_bytes(recording.read_bytes()[:RECORDING_BYTES])


def stream(
    recording: str, url: str, expected: str, timeout: str, models: str = "", languages: str = ""
) -> None:
    """Streams the recording and looks for what is expected among the words that come back.

    Args:
        recording: Path of the recording.
        url: Address of the gateway.
        expected: Words that have to come, if a session names no model; empty for any.
        timeout: Seconds that each session may take.
        models: The models of all pools, with commas between.
        languages: The languages that are tried of each model, as far as it speaks them.
    """
    audio, seconds = Path(recording).read_bytes(), float(timeout)
    words = asyncio.run(transcribe(audio, url, seconds))
    if expected not in words:
        sys.exit(f"The words are wrong. Expected {expected!r} among {words!r}.")
    print(f"The words are right: {words!r}")
    asked = [each for each in languages.split(",") if each]
    spoken = languages_by_model(url, seconds) if models else {}
    for model in filter(None, models.split(",")):
        if model not in spoken:
            sys.exit(f"The model {model} is not served: {', '.join(spoken)} are.")
        for language in chosen(spoken[model], asked):
            try_language(audio, url, seconds, model, language)


def chosen(spoken: list[str], asked: list[str]) -> list[str]:
    """Returns which languages of a model are tried; none if it says of none."""
    return [each for each in asked if each in spoken] or spoken[:MOST_LANGUAGES]


def try_language(audio: bytes, url: str, timeout: float, model: str, language: str) -> None:
    """Tries a session of a model and a language; ends the process if it does not end well."""
    print(f"{model}, {language}: ", end="", flush=True)
    asked = f"&model={model}&language={language}"
    words = asyncio.run(transcribe(audio[:LANGUAGE_BYTES], url, timeout, asked))
    if language == "en" and "best of times" not in words:
        sys.exit(f"the words are wrong. Expected 'best of times' among {words!r}.")
    print("the words are right." if language == "en" else "it was heard to its end.")


def languages_by_model(url: str, timeout: float) -> dict[str, list[str]]:
    """Returns the languages of each name that the gateway lists."""
    address = re.sub("^ws", "http", url).removesuffix("/ws") + "/v1/models"
    context = trusting() if address.startswith("https:") else None
    with urllib.request.urlopen(address, timeout=timeout, context=context) as answer:
        listed = json.load(answer)["data"]
    return {each["id"]: each.get("languages") or [] for each in listed}


def trusting() -> ssl.SSLContext:
    """Returns TLS that asks for no name: the certificate may be for names from outside only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def transcribe(audio: bytes, url: str, timeout: float, asked: str = "") -> str:
    """Returns the words of all transcripts, in lower case and without punctuation."""
    import websockets

    texts: list[str] = []
    # It can wait for a slot: behind the live sessions, or until a transcriber has loaded its model.
    upload = f"{url}?upload=true{asked}"
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
    return re.sub(r"[^a-z ]", "", " ".join(texts).lower())


if __name__ == "__main__":
    {"fetch": fetch, "stream": stream}[sys.argv[1]](*sys.argv[2:])
