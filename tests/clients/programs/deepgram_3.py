"""deepgram-sdk 3: live streams, files and addresses."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from typing import Any

from deepgram import (
    DeepgramClient,
    DeepgramClientOptions,
    LiveOptions,
    LiveTranscriptionEvents,
    PrerecordedOptions,
)
from deepgram.clients.common.v1.errors import DeepgramApiError
from websockets.asyncio.client import ClientConnection

from options import query_of, run
from report import tell, tell_error
from speech import read_speech, steps, whole_file


class Ears:
    """The handlers that a user registers; each tells what it is given."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.finalized = asyncio.Event()
        self.closed = asyncio.Event()
        self.last = ""
        if options.strict:
            self._listen_to_texts()

    def _listen_to_texts(self) -> None:
        receive = ClientConnection.recv

        async def remembering(connection: ClientConnection, *how: Any) -> Any:
            data = await receive(connection, *how)
            self.last = data if isinstance(data, str) else self.last
            return data

        ClientConnection.recv = remembering

    def register(self, connection: Any) -> None:
        """Registers a handler for each event that this version has."""

        async def on_result(_: Any, result: Any, **__: Any) -> None:
            self.tell_heard(result)
            kind = "final" if result.is_final else "interim"
            for best in result.channel.alternatives[:1]:
                tell(kind, text=best.transcript, channel=result.channel_index[0])
            if result.from_finalize:
                self.finalized.set()

        async def on_other(_: Any, **message: Any) -> None:
            self.tell_heard(next(iter(message.values())))

        async def on_error(_: Any, error: Any, **__: Any) -> None:
            tell("error", kind=error.type, text=error.message)

        async def on_close(_: Any, **__: Any) -> None:
            self.closed.set()

        events = LiveTranscriptionEvents
        connection.on(events.Transcript, on_result)
        connection.on(events.Error, on_error)
        connection.on(events.Close, on_close)
        for each in (events.Metadata, events.SpeechStarted, events.UtteranceEnd, events.Unhandled):
            connection.on(each, on_other)

    def tell_heard(self, message: Any) -> None:
        """Tells a message; with --strict also what the dataclass had to fill in for it."""
        data = message.to_dict()
        found = {} if not self.last else differences(data, json.loads(self.last))
        tell("message", type=data.get("type"), model=type(message).__name__, data=data, **found)


def differences(model: Any, wire: Any) -> dict[str, list[str]]:
    """Returns the paths that the dataclass has and the message lacked, and the other way."""
    had, came = paths(model), paths(wire)
    lacking = [f"{path}: filled in by the client" for path in sorted(had - came)]
    return {"problems": lacking, "unknown": sorted(came - had)}


def paths(data: Any, path: str = "") -> set[str]:
    """Returns the paths of all keys; those under a model's own name stay together."""
    if isinstance(data, dict):
        below = (paths(value, f"{path}{key}.") for key, value in data.items())
        return {f"{path}{key}" for key in data}.union(*below)
    if isinstance(data, list):
        return set().union(*(paths(each, path) for each in data))
    return set()


def client_of(options: argparse.Namespace) -> DeepgramClient:
    """Returns a client of which only the address is ours."""
    alive = {"keepalive": "true"} if options.keepalive else {}
    settings = DeepgramClientOptions(url=options.url, options=alive, verbose=logging.CRITICAL)
    return DeepgramClient(options.key, settings)


async def live(options: argparse.Namespace) -> None:
    """Streams the recording and tells what is heard."""
    speech = read_speech(options)
    form: dict[str, Any] = {}
    if not options.container:
        form = {"encoding": "linear16", "sample_rate": speech.rate, "channels": speech.channels}
    wanted = LiveOptions(
        model=options.model or "nova-2",
        language=options.language,
        interim_results=options.interim,
        multichannel=options.multichannel or None,
        **form,
    )
    ears = Ears(options)
    connection = client_of(options).listen.asyncwebsocket.v("1")
    ears.register(connection)
    if not await connection.start(wanted, addons=query_of(options)):
        tell("error", kind="start", text="start() returned False")
        return
    socket, lost = connection._socket, 0
    tell("open", headers=dict(socket.response.headers))
    async for step in steps(speech, options):
        if step.what == "audio":
            # False: the connection is gone, and so are the words.
            lost += 0 if await connection.send(step.data) else len(step.data)
        elif step.what == "finalize":
            await connection.finalize()
    if lost:
        tell("lost", seconds=speech.seconds * lost / len(speech.data))
    await end(connection, ears, options)
    tell("closed", code=socket.close_code, reason=socket.close_reason)


async def end(connection: Any, ears: Ears, options: argparse.Namespace) -> None:
    """Ends the stream; ``finish`` waits only half a second for what comes after it.

    So a user who wants the last words finalizes first, and waits for that.
    """
    if not options.plain_end and not ears.closed.is_set():
        ears.finalized.clear()
        await connection.finalize()
        waits = [asyncio.create_task(each.wait()) for each in (ears.finalized, ears.closed)]
        timeout = 10 * options.settle
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    await connection.finish()


async def file(options: argparse.Namespace) -> None:
    """Sends the file's bytes and tells the answer."""
    await ask("transcribe_file", {"buffer": whole_file(options)}, options)


async def url(options: argparse.Namespace) -> None:
    """Names an address in place of a file, and tells the answer."""
    await ask("transcribe_url", {"url": options.wav}, options)


async def ask(call: str, source: dict[str, Any], options: argparse.Namespace) -> None:
    """Makes a call for a recording as a whole."""
    calls = client_of(options).listen.asyncrest.v("1")
    wanted = PrerecordedOptions(model=options.model or "nova-2", language=options.language)
    try:
        answer = await getattr(calls, call)(source, wanted, addons=query_of(options))
    except DeepgramApiError as error:
        tell_error(error, status=int(error.status), body=error.original_error)
        return
    tell("message", type="answer", model=type(answer).__name__, data=answer.to_dict())
    for number, channel in enumerate(answer.results.channels):
        tell("final", text=channel.alternatives[0].transcript, channel=number)


run({"live": live, "file": file, "url": url})
