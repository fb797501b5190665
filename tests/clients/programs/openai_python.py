"""openai for Python: realtime transcription, its beta shapes, and files over HTTP."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import openai.types.beta.realtime as beta_types
from openai import APIStatusError, AsyncOpenAI
from openai.types.beta.realtime.transcription_session_updated_event import (
    TranscriptionSessionUpdatedEvent,
)
from pydantic import BaseModel
from websockets.exceptions import ConnectionClosed, InvalidStatus

from options import query_of, run, web_socket
from report import tell, tell_error
from speech import Speech, Step, read_speech, steps, whole_file
from strict import faults

RATE = 24000
TRANSCRIPTION = "conversation.item.input_audio_transcription."
VADS = {"server": "server_vad", "semantic": "semantic_vad"}


SILENCE = 2.0
"""Seconds after the recording, in which the server ends the last turn."""


class Turns:
    """Knows which turns are still to be completed, and tells their texts."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.texts: dict[str, str] = {}
        self.asked = 0
        self.ended = 0
        self._changed = asyncio.Event()

    def see(self, event: dict[str, Any]) -> None:
        """Takes an event of the server."""
        kind, item = event.get("type", ""), event.get("item_id", "")
        if kind in ("input_audio_buffer.speech_started", "input_audio_buffer.committed"):
            self.open.add(item)
        elif kind == f"{TRANSCRIPTION}delta":
            self.texts[item] = self.texts.get(item, "") + (event.get("delta") or "")
            tell("interim", text=self.texts[item], item=item)
        elif kind == f"{TRANSCRIPTION}completed":
            tell("final", text=event["transcript"], item=item, deltas=self.texts.get(item, ""))
        if kind in (f"{TRANSCRIPTION}completed", f"{TRANSCRIPTION}failed", "error"):
            self.open.discard(item)
            self.ended += 1
        self._changed.set()

    async def settled(self, quiet: float) -> None:
        """Waits until all turns have ended, and no new one begins for some seconds."""
        first = 10.0
        while True:
            self._changed.clear()
            waits = self.open or self.ended < self.asked
            try:
                async with asyncio.timeout(None if waits else quiet if self.ended else first):
                    await self._changed.wait()
            except TimeoutError:
                return


def client_of(options: argparse.Namespace) -> AsyncOpenAI:
    """Returns a client of which only the address is ours."""
    return AsyncOpenAI(
        api_key=options.key, base_url=f"{options.url}/v1", max_retries=0, timeout=options.limit
    )


def detection_of(options: argparse.Namespace) -> dict[str, Any] | None:
    return None if options.vad == "none" else {"type": VADS[options.vad]}


async def live(options: argparse.Namespace) -> None:
    """Streams the recording to a session of the GA shape."""
    audio = {
        "format": {"type": "audio/pcm", "rate": RATE},
        "transcription": {
            "model": options.model or "gpt-4o-transcribe",
            "language": options.language,
        },
        "turn_detection": detection_of(options),
        **json.loads(options.session),
    }
    session = {"type": "transcription", "audio": {"input": audio}}
    extra = {"intent": "transcription", **query_of(options)}
    try:
        async with client_of(options).realtime.connect(
            extra_query=extra, on_reconnecting=tell_reconnecting if options.reconnect else None
        ) as connection:
            tell("open")
            await connection.session.update(session=session)
            turns = Turns()
            hearing = asyncio.create_task(hear(connection, turns, options))
            try:
                await speak(connection, turns, options)
                await turns.settled(options.settle)
            except Exception as error:
                tell_error(error)
            await connection.close()
            await hearing
    except InvalidStatus as error:
        tell_error(error, status=error.response.status_code, body=str(error.response.body))


async def hear(connection: Any, turns: Turns, options: argparse.Namespace) -> None:
    """Tells each event as the package's own object until the connection closes."""
    try:
        while True:
            text = await connection.recv_bytes()
            event = connection.parse_event(text)
            data = event.model_dump(mode="json", exclude_unset=True)
            found = faults(type(event), text) if options.strict else {}
            tell("message", type=event.type, model=type(event).__name__, data=data, **found)
            turns.see(data)
    except ConnectionClosed as error:
        close = error.rcvd or error.sent
        tell("closed", code=close and close.code, reason=close and close.reason)


def tell_reconnecting(event: Any) -> None:
    tell("reconnecting", code=getattr(event, "code", None))


def speech_of(options: argparse.Namespace) -> Speech:
    return read_speech(options, RATE, silence=0.0 if options.vad == "none" else SILENCE)


async def speak(connection: Any, turns: Turns, options: argparse.Namespace) -> None:
    """Appends the recording, and commits where and when the client has to."""
    buffer = connection.input_audio_buffer
    async for step in steps(speech_of(options), options):
        if step.what == "audio":
            await buffer.append(audio=base64.b64encode(step.data).decode())
        elif step.what == "commit":
            turns.asked += 1
            await buffer.commit()
    if options.vad == "none" and not options.plain_end:
        turns.asked += 1
        await buffer.commit()


async def beta(options: argparse.Namespace) -> None:
    """Streams the recording to a session of the beta shape, by a plain WebSocket client.

    The package's own beta connection can not ask for a transcription session.
    """
    from websockets.asyncio.client import connect

    update = {
        "type": "transcription_session.update",
        "session": {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {
                "model": options.model or "gpt-4o-transcribe",
                "language": options.language,
            },
            "turn_detection": detection_of(options),
            **json.loads(options.session),
        },
    }
    headers = {"Authorization": f"Bearer {options.key}", "OpenAI-Beta": "realtime=v1"}
    url = f"{web_socket(options.url)}/v1/realtime?intent=transcription"
    try:
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            tell("open")
            await socket.send(json.dumps(update))
            turns = Turns()
            hearing = asyncio.create_task(hear_beta(socket, turns, options))
            async for step in steps(speech_of(options), options):
                if step.what in ("audio", "commit"):
                    turns.asked += step.what == "commit"
                    await socket.send(json.dumps(beta_event(step)))
            if options.vad == "none" and not options.plain_end:
                turns.asked += 1
                await socket.send(json.dumps(beta_event(Step(0.0, "commit"))))
            await turns.settled(options.settle)
            await socket.close()
            await hearing
    except InvalidStatus as error:
        tell_error(error, status=error.response.status_code, body=str(error.response.body))
    except ConnectionClosed as error:
        tell_error(error)


def beta_event(step: Step) -> dict[str, str]:
    if step.what == "audio":
        return {
            "type": "input_audio_buffer.append",
            "audio": base64.b64encode(step.data).decode(),
        }
    return {"type": "input_audio_buffer.commit"}


async def hear_beta(socket: Any, turns: Turns, options: argparse.Namespace) -> None:
    """Tells each event, held against the package's models of the beta shapes."""
    try:
        while True:
            text = await socket.recv()
            data = json.loads(text)
            kind = beta_model(data["type"])
            found = faults(kind, text) if kind and options.strict else {}
            tell("message", type=data["type"], model=kind and kind.__name__, data=data, **found)
            turns.see(data)
    except ConnectionClosed as error:
        close = error.rcvd or error.sent
        tell("closed", code=close and close.code, reason=close and close.reason)


def beta_model(kind: str) -> type[BaseModel] | None:
    """Returns the model of a beta event; the package has none of ``…session.created``."""
    if kind == "transcription_session.updated":
        return TranscriptionSessionUpdatedEvent
    name = "".join(word.capitalize() for word in kind.replace(".", "_").split("_"))
    return getattr(beta_types, f"{name}Event", None)


async def file(options: argparse.Namespace) -> None:
    """Sends a file to ``/v1/audio/transcriptions`` and tells the answer or its stream."""
    more: dict[str, Any] = {"extra_body": query_of(options)} if options.query else {}
    if options.granularity:
        more["timestamp_granularities"] = options.granularity
    if options.stream:
        more["stream"] = True
    calls = client_of(options).audio.transcriptions
    try:
        answer = await calls.create(
            file=(Path(options.wav).name, whole_file(options)),
            model=options.model or "whisper-1",
            language=options.language,
            response_format=options.format,
            **more,
        )
        await (tell_stream(answer) if options.stream else tell_answer(answer, options))
    except APIStatusError as error:
        retry = error.response.headers.get("retry-after")
        tell_error(error, status=error.status_code, body=error.body, retry_after=retry)


async def tell_stream(answer: Any) -> None:
    async for event in answer:
        found = faults(type(event), event.model_dump_json(exclude_unset=True))
        data = event.model_dump(mode="json", exclude_unset=True)
        tell("message", type=event.type, model=type(event).__name__, data=data, **found)
        if event.type == "transcript.text.delta":
            tell("interim", text=event.delta)
        elif event.type == "transcript.text.done":
            tell("final", text=event.text)


async def tell_answer(answer: Any, options: argparse.Namespace) -> None:
    if isinstance(answer, str):
        tell("message", type=options.format, model="str", data=answer)
        tell("final", text=answer)
        return
    data = answer.model_dump(mode="json", exclude_unset=True)
    found = faults(type(answer), json.dumps(data)) if options.strict else {}
    tell("message", type=options.format, model=type(answer).__name__, data=data, **found)
    tell("final", text=answer.text)


async def secret(options: argparse.Namespace) -> None:
    """Asks for a client secret, whose value a browser would use as its key."""
    try:
        made = await client_of(options).realtime.client_secrets.create(
            session={"type": "transcription"}
        )
    except APIStatusError as error:
        tell_error(error, status=error.status_code, body=error.body)
        return
    data = made.model_dump(mode="json", exclude_unset=True)
    found = faults(type(made), json.dumps(data))
    tell("message", type="client_secret", model=type(made).__name__, data=data, **found)


async def models(options: argparse.Namespace) -> None:
    """Lists the models."""
    found = [each.model_dump(mode="json") async for each in client_of(options).models.list()]
    tell("message", type="models", data=found)


run({"live": live, "beta": beta, "file": file, "secret": secret, "models": models})
