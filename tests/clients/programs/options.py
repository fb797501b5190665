"""What all programs are asked: a mode, an address, a recording, and how to send it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

from report import tell

Main = Callable[[argparse.Namespace], Awaitable[None]]


def run(modes: dict[str, Main]) -> None:
    """Runs the mode that the command line names, for as long as its limit allows."""
    options = _parser(list(modes)).parse_args()
    if options.hold:
        tell("ready")
        sys.stdin.readline()
    asyncio.run(_bounded(modes[options.mode], options))


async def _bounded(main: Main, options: argparse.Namespace) -> None:
    try:
        async with asyncio.timeout(options.limit):
            await main(options)
    except TimeoutError:
        tell("limit", seconds=options.limit)
        _leave(3)
    tell("end")
    _leave(0)


def _leave(code: int) -> NoReturn:
    """Ends the process at once: a package may have threads or tasks that refuse to end."""
    sys.stderr.flush()
    os._exit(code)


def query_of(options: argparse.Namespace) -> dict[str, str | list[str]]:
    """Returns the extra query parameters; a name that is given twice has a list."""
    query: dict[str, str | list[str]] = {}
    for pair in options.query:
        name, _, value = pair.partition("=")
        before = query.get(name)
        if before is None:
            query[name] = value
        else:
            query[name] = [*([before] if isinstance(before, str) else before), value]
    return query


def web_socket(url: str) -> str:
    """Returns the address with the scheme of a WebSocket."""
    return url.replace("http", "ws", 1) if url.startswith("http") else url


def _parser(modes: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=modes)
    parser.add_argument("url", help="http://HOST:PORT of the gateway, without a path")
    parser.add_argument("wav", help="a WAV of s16le, or what the mode sends as it is")
    parser.add_argument("--key", default="key")
    parser.add_argument("--token", help="a short-lived token in place of the key")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for all of it")
    parser.add_argument("--hold", action="store_true", help="begin when a line comes in")
    parser.add_argument("--strict", action="store_true", help="validate each message")
    parser.add_argument("--query", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--model")
    parser.add_argument("--language", default="en")
    parser.add_argument("--retries", type=int, default=0, help="of a request that is refused")
    _add_pace(parser)
    _add_ends(parser)
    _add_openai(parser)
    return parser


def _add_pace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--speed", type=float, default=1.0, help="times real time; 0: at once")
    parser.add_argument("--chunk-ms", type=int, default=100)
    parser.add_argument("--container", action="store_true", help="send the file with its header")
    parser.add_argument("--multichannel", action="store_true")
    parser.add_argument("--no-interim", dest="interim", action="store_false")
    parser.add_argument("--finalize", type=float, action="append", default=[], metavar="SECOND")
    parser.add_argument("--pause", help="AT:FOR, seconds: no audio for a while")
    parser.add_argument("--keepalive", action="store_true", help="send KeepAlive in the pause")
    parser.add_argument("--silence", type=float, default=0.0, help="seconds after the recording")


def _add_ends(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hold-open", type=float, default=0.0, help="seconds before the end")
    parser.add_argument("--plain-end", action="store_true", help="end as a hasty user does")


def _add_openai(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--vad", choices=["server", "semantic", "none"], help="who ends turns")
    parser.add_argument("--commit", type=float, action="append", default=[], metavar="SECOND")
    parser.add_argument("--settle", type=float, default=1.0, help="seconds without a new turn")
    parser.add_argument("--session", default="{}", help="JSON that audio.input is updated with")
    parser.add_argument("--format", default="json", help="response_format")
    parser.add_argument("--granularity", action="append", default=[])
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--reconnect", action="store_true")
    parser.add_argument("--ca", help="a file with the authority of the server's certificate")
