"""deepgram-sdk 5 and newer: live streams, files and addresses."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
from typing import Any

import httpx
from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from websockets.legacy.protocol import WebSocketCommonProtocol

from options import query_of, run, web_socket
from report import tell, tell_error
from speech import read_speech, steps, whole_file
from strict import faults

CONTROLS = {"finalize": "Finalize", "keepalive": "KeepAlive"}
METHODS = {"Finalize": "finalize", "KeepAlive": "keep_alive", "CloseStream": "close_stream"}


class Texts:
    """Remembers the last text that the WebSocket library gave the client."""

    def __init__(self) -> None:
        self.last = ""
        receive = WebSocketCommonProtocol.recv

        async def remembering(protocol: WebSocketCommonProtocol) -> Any:
            data = await receive(protocol)
            if isinstance(data, str):
                self.last = data
            return data

        WebSocketCommonProtocol.recv = remembering


def client_of(options: argparse.Namespace, **more: Any) -> AsyncDeepgramClient:
    """Returns a client of which only the addresses are ours."""
    addresses = {
        "base": options.url,
        "production": web_socket(options.url),
        "agent": web_socket(options.url),
        "agent_rest": options.url,
    }
    known = inspect.signature(DeepgramClientEnvironment).parameters
    environment = DeepgramClientEnvironment(
        **{name: address for name, address in addresses.items() if name in known}
    )
    shown = {"access_token": options.token} if options.token else {"api_key": options.key}
    return AsyncDeepgramClient(**shown, environment=environment, **more)


def arguments_of(call: Any, query: dict[str, Any]) -> dict[str, Any]:
    """Returns the query as the call's own arguments; what it has none for goes beside them."""
    known = inspect.signature(call).parameters
    beside = {name: value for name, value in query.items() if name not in known}
    arguments = {name: value for name, value in query.items() if name in known}
    if beside:
        arguments["request_options"] = {"additional_query_parameters": beside}
    return arguments


async def live(options: argparse.Namespace) -> None:
    """Streams the recording and tells what is heard."""
    speech = read_speech(options)
    query: dict[str, Any] = {"model": options.model or "nova-3", "language": options.language}
    query["interim_results"] = str(options.interim).lower()
    if not options.container:
        query |= {"encoding": "linear16", "sample_rate": str(speech.rate)}
        query["channels"] = str(speech.channels)
    if options.multichannel:
        query["multichannel"] = "true"
    listen = client_of(options).listen.v1
    texts = Texts() if options.strict else None
    try:
        arguments = arguments_of(listen.connect, query | query_of(options))
        async with listen.connect(**arguments) as connection:
            await stream(connection, options, texts)
    except ApiError as error:
        tell_error(error, status=error.status_code)


async def stream(connection: Any, options: argparse.Namespace, texts: Texts | None) -> None:
    """Sends the recording on an open connection, and reads until the server closes it."""

    async def heard(message: Any) -> None:
        tell_heard(message, texts)

    async def failed(error: BaseException) -> None:
        tell_error(error)

    connection.on(EventType.MESSAGE, heard)
    connection.on(EventType.ERROR, failed)
    socket = connection._websocket
    tell("open", headers=dict(socket.response_headers))
    listening = asyncio.create_task(connection.start_listening())
    speech, second = read_speech(options), 0.0
    try:
        async for step in steps(speech, options):
            if step.what == "audio":
                await connection.send_media(step.data)
            elif step.what in CONTROLS:
                await control(connection, CONTROLS[step.what])
            second = step.second
        if options.plain_end:
            await socket.close()
        else:
            await control(connection, "CloseStream")
    except Exception as error:
        # The server has closed: the client's user learns it while sending.
        tell_error(error)
        tell("lost", seconds=speech.seconds - second)
    await listening
    tell("closed", code=socket.close_code, reason=socket.close_reason)


async def control(connection: Any, kind: str) -> None:
    """Sends a control message by the method that this version has for it."""
    if hasattr(connection, "send_control"):
        from deepgram.extensions.types.sockets import ListenV1ControlMessage

        await connection.send_control(ListenV1ControlMessage(type=kind))
    else:
        await getattr(connection, f"send_{METHODS[kind]}")()


def tell_heard(message: Any, texts: Texts | None) -> None:
    """Tells a message and the text in it."""
    if message is None or isinstance(message, bytes):
        # None is what version 7 makes of a type that it does not know.
        tell("message", type=str(type(message).__name__), data=None)
        return
    data = json.loads(message.json())
    found = faults(type(message), texts.last) if texts else {}
    tell("message", type=data.get("type"), model=type(message).__name__, data=data, **found)
    if data.get("type") == "Results" and data["channel"]["alternatives"]:
        said = data["channel"]["alternatives"][0]["transcript"]
        final = "final" if data["is_final"] else "interim"
        tell(final, text=said, channel=data["channel_index"][0])


async def file(options: argparse.Namespace) -> None:
    """Sends the file's bytes and tells the answer."""
    await ask("transcribe_file", {"request": whole_file(options)}, options)


async def url(options: argparse.Namespace) -> None:
    """Names an address in place of a file, and tells the answer."""
    await ask("transcribe_url", {"url": options.wav}, options)


async def ask(name: str, body: dict[str, Any], options: argparse.Namespace) -> None:
    """Makes a call for a recording as a whole."""
    texts: list[bytes] = []

    async def remember(response: httpx.Response) -> None:
        texts.append(await response.aread())

    http = httpx.AsyncClient(event_hooks={"response": [remember]}, timeout=options.limit)
    media = client_of(options, httpx_client=http).listen.v1.media.with_raw_response
    call = getattr(media, name)
    query = {"model": options.model or "nova-3", "language": options.language, **query_of(options)}
    arguments = arguments_of(call, query)
    more = arguments.setdefault("request_options", {})
    more |= {"timeout_in_seconds": int(options.limit), "max_retries": options.retries}
    try:
        response = await call(**body, **arguments)
    except ApiError as error:
        tell_error(error, status=error.status_code, body=error.body)
        return
    answer, headers = response.data, dict(response.headers)
    data = json.loads(answer.json())
    found = faults(type(answer), texts[-1]) if options.strict else {}
    tell("message", type="answer", model=type(answer).__name__, data=data, headers=headers, **found)
    for number, channel in enumerate((data.get("results") or {}).get("channels") or ()):
        tell("final", text=channel["alternatives"][0]["transcript"], channel=number)


async def grant(options: argparse.Namespace) -> None:
    """Asks for a short-lived token."""
    try:
        made = await client_of(options).auth.v1.tokens.grant(ttl_seconds=60)
    except ApiError as error:
        tell_error(error, status=error.status_code, body=error.body)
        return
    data = json.loads(made.json())
    tell("message", type="grant", model=type(made).__name__, data=data)


run({"live": live, "file": file, "url": url, "grant": grant})
