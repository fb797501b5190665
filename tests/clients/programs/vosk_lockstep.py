"""vosk's protocol as its sample clients speak it: send a frame, then wait for one reply."""

from __future__ import annotations

import argparse
import json
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from options import query_of, run, web_socket
from report import tell, tell_error
from speech import read_speech, steps

EOF_TEXT = '{"eof" : 1}'
"""With the odd spacing of the vendor's samples, which its own server compares as text."""


async def live(options: argparse.Namespace) -> None:
    """Streams the recording in lockstep; extra query parameters go into the configuration."""
    speech = read_speech(options)
    config = {"sample_rate": speech.rate, **{k: as_json(v) for k, v in query_of(options).items()}}
    try:
        async with connect(web_socket(options.url), proxy=None) as socket:
            tell("open")
            try:
                await socket.send(json.dumps({"config": config}))
                async for step in steps(speech, options):
                    if step.what == "audio":
                        await ask(socket, step.data)
                    elif step.what == "finalize":
                        await ask(socket, '{"reset" : 1}')
                if not options.plain_end:
                    await ask(socket, EOF_TEXT)
                    await socket.wait_closed()
            except ConnectionClosed as error:
                tell_error(error)
        tell("closed", code=socket.close_code, reason=socket.close_reason)
    except InvalidStatus as error:
        tell_error(error, status=error.response.status_code)


async def ask(socket: Any, frame: str | bytes) -> None:
    """Sends a frame and tells the one reply to it."""
    await socket.send(frame)
    data = json.loads(await socket.recv())
    tell("message", type=next(iter(data)), data=data)
    if "partial" in data:
        tell("interim", text=data["partial"])
    elif "alternatives" in data:
        tell("final", text=data["alternatives"][0]["text"])
    else:
        tell("final", text=data["text"])


def as_json(value: str | list[str]) -> Any:
    """Returns what a value of the command line means: a number, true, a list, or its text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


run({"live": live})
