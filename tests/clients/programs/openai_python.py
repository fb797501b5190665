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

from openai_turns import Turns
from options import query_of, run, web_socket
from report import tell, tell_error
from speech import Speech, Step, read_speech, steps, whole_file
from strict import faults

RATE = 24000


SILENCE = 2.0
"""Seconds after the recording, in which the server ends the last turn."""


def client_of(options: argparse.Namespace) -> AsyncOpenAI:
    """Returns a client of which only the address is ours."""
    return AsyncOpenAI(
        api_key=options.key,
        base_url=f"{options.url}/v1",
        max_retries=options.retries,
        timeout=options.limit,
    )


def detection_of(options: argparse.Namespace) -> dict[str, Any] | None:
    return None if options.vad == "none" else {"type": f"{options.vad or 'server'}_vad"}


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
            tell("open", headers=dict(connection._connection.response.headers))
            await connection.session.update(session=session)
            turns = Turns()
            hearing = asyncio.create_task(hear(connection, turns, session, options))
            try:
                await speak(connection, turns, options)
                await turns.settled(options.settle)
            except Exception as error:
                tell_error(error)
            await connection.close()
            await hearing
    except InvalidStatus as error:
        tell_error(error, status=error.response.status_code, body=str(error.response.body))


async def hear(
    connection: Any, turns: Turns, session: dict[str, Any], options: argparse.Namespace
) -> None:
    """Tells each event as the package's own object until the connection closes."""
    receive, last, created = connection.recv_bytes, b"", 0

    async def remembering() -> bytes:
        nonlocal last
        last = await receive()
        return last

    connection.recv_bytes = remembering
    try:
        async for event in connection:
            data = event.model_dump(mode="json", exclude_unset=True)
            found = faults(type(event), last) if options.strict else {}
            tell("message", type=event.type, model=type(event).__name__, data=data, **found)
            turns.see(data)
            created += event.type == "session.created"
            if event.type == "session.created" and created > 1:
                # The package has connected again: the new session knows nothing of the old one.
                turns.start_again()
                await connection.session.update(session=session)
    except Exception as error:
        tell_error(error)
    socket = connection._connection
    tell("closed", code=socket.close_code, reason=socket.close_reason)
    turns.close()


def tell_reconnecting(event: Any) -> None:
    tell("reconnecting", code=getattr(event, "code", None))


def speech_of(options: argparse.Namespace) -> Speech:
    return read_speech(options, RATE, silence=0.0 if options.vad == "none" else SILENCE)


async def speak(connection: Any, turns: Turns, options: argparse.Namespace) -> None:
    """Appends the recording, and commits where and when the client has to."""
    buffer = connection.input_audio_buffer
    async for step in steps(speech_of(options), options):
        if step.what == "audio":
            await append(buffer, step.data, options)
        elif step.what == "commit":
            turns.asked += 1
            await buffer.commit()
    if options.vad == "none" and not options.plain_end:
        turns.asked += 1
        await buffer.commit()


async def append(buffer: Any, audio: bytes, options: argparse.Namespace) -> None:
    """Appends audio; between a close and its connecting again the package raises, and goes on."""
    try:
        await buffer.append(audio=base64.b64encode(audio).decode())
    except ConnectionClosed:
        if not options.reconnect:
            raise
        tell("lost", seconds=len(audio) / 2 / RATE)


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
    except ConnectionClosed:
        tell("closed", code=socket.close_code, reason=socket.close_reason)
        turns.close()


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
    asked = {
        "file": (Path(options.wav).name, whole_file(options)),
        "model": options.model or "whisper-1",
        "language": options.language,
        "response_format": options.format,
    }
    try:
        if options.stream:
            await tell_stream(await calls.create(**asked, **more))
        else:
            tell_answer(await calls.with_raw_response.create(**asked, **more), options)
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


def tell_answer(response: Any, options: argparse.Namespace) -> None:
    answer, headers = response.parse(), dict(response.headers)
    if isinstance(answer, str):
        tell("message", type=options.format, model="str", data=answer, headers=headers)
        tell("final", text=answer)
        return
    data = answer.model_dump(mode="json", exclude_unset=True)
    found = faults(type(answer), response.text) if options.strict else {}
    name = type(answer).__name__
    tell("message", type=options.format, model=name, data=data, headers=headers, **found)
    tell("final", text=answer.text)


async def secret(options: argparse.Namespace) -> None:
    """Asks for a client secret, whose value a browser would use as its key."""
    try:
        made = await client_of(options).realtime.client_secrets.create(
            session={"type": "transcription", "audio": {"input": json.loads(options.session)}}
        )
    except APIStatusError as error:
        tell_error(error, status=error.status_code, body=error.body)
        return
    data = made.model_dump(mode="json", exclude_unset=True)
    found = faults(type(made), json.dumps(data))
    tell("message", type="client_secret", model=type(made).__name__, data=data, **found)


async def beta_secret(options: argparse.Namespace) -> None:
    """Asks for a session of the beta, which comes with its client secret."""
    try:
        made = await client_of(options).beta.realtime.transcription_sessions.create()
    except APIStatusError as error:
        tell_error(error, status=error.status_code, body=error.body)
        return
    data = made.model_dump(mode="json", exclude_unset=True)
    found = faults(type(made), json.dumps(data))
    tell("message", type="beta_secret", model=type(made).__name__, data=data, **found)


async def models(options: argparse.Namespace) -> None:
    """Lists the models."""
    try:
        found = [each.model_dump(mode="json") async for each in client_of(options).models.list()]
    except APIStatusError as error:
        tell_error(error, status=error.status_code, body=error.body)
        return
    tell("message", type="models", data=found)


run(
    {
        "live": live,
        "beta": beta,
        "file": file,
        "secret": secret,
        "beta-secret": beta_secret,
        "models": models,
    }
)
