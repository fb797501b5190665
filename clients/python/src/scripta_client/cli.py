"""The command ``scripta``: transcribes, watches a system, and prints what was used.

Standard output carries results and nothing else. Every failure is one line on standard error
and an exit code.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from scripta_client.arguments import AnyArguments, Arguments, parse_arguments
from scripta_client.batch import Batch, jobs_of
from scripta_client.errors import (
    BadAudioFile,
    BadAuthorities,
    BadKey,
    CannotConnect,
    ConnectError,
    InvalidUrl,
    MicrophoneUnavailable,
    ModelsMissing,
    ScriptaError,
)
from scripta_client.events import ConnectionEvent, Ended, Reconnecting, Restarted, Resumed
from scripta_client.formats import Format, transcript
from scripta_client.handshake import NOT_TRUSTED, NOTHING_LISTENS
from scripta_client.keys.arguments import KeysArguments
from scripta_client.keys.command import run_keys
from scripta_client.live import Pipe, open_pipe
from scripta_client.microphone import Microphone, open_microphone
from scripta_client.models.arguments import ModelsArguments
from scripta_client.models.command import run_models
from scripta_client.output import Output
from scripta_client.streaming import OnProgress, OnResult, Resilience, stream, stream_file
from scripta_client.terminal import StatusLine
from scripta_client.top.arguments import TopArguments
from scripta_client.top.errors import NoMetrics, TopUnavailable
from scripta_client.top.opening import run_top
from scripta_client.usage.arguments import UsageArguments
from scripta_client.usage.command import run_usage

_WRONG_USAGE = (
    BadAudioFile,
    BadAuthorities,
    BadKey,
    InvalidUrl,
    MicrophoneUnavailable,
    ModelsMissing,
    TopUnavailable,
)

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    arguments = parse_arguments(argv)
    # Pipes and files get UTF-8 everywhere; a terminal keeps its own encoding.
    if not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    else:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    status = StatusLine(sys.stderr)
    try:
        if isinstance(arguments, KeysArguments):
            run_keys(arguments)
            return EXIT_OK
        if isinstance(arguments, ModelsArguments):
            return run_models(arguments)
        if isinstance(arguments, UsageArguments):
            run_usage(arguments)
            return EXIT_OK
        return asyncio.run(_run(arguments, status))
    except (KeyboardInterrupt, asyncio.CancelledError):
        status.hide()
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever reads the results has enough. What is left in the buffer must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status.hide()
        return EXIT_OK
    except ScriptaError as error:
        return _fail(status, f"{error}{_option_for(error)}", _exit_code(error))
    except OSError as error:
        return _fail(status, _describe(error, arguments), EXIT_FAILED)


async def _run(arguments: Arguments | TopArguments, status: StatusLine) -> int:
    if isinstance(arguments, TopArguments):
        stop = asyncio.Event()
        _end_on_interrupt(stop)
        return EXIT_OK if await run_top(arguments, stop) else EXIT_UNREACHABLE
    if arguments.command == "mic":
        return await _mic(arguments, status)
    if not arguments.files:
        return await _pipe(arguments, status)
    return await (_several if arguments.are_several else _file)(arguments, status)


async def _file(arguments: Arguments, status: StatusLine) -> int:
    """Transcribes a recording; at its own speed, Ctrl-C still prints the words that were heard."""
    stop = asyncio.Event()
    if arguments.realtime:
        _end_on_interrupt(stop)
    progress = status.progress if status.active else None
    with _output(arguments, status) as output:
        begun = asyncio.get_running_loop().time()
        (path,) = arguments.files
        ended = await _transcribe(arguments, status, path, output.result, progress, stop)
        output.finish()
    status.hide()
    _summarise(ended, asyncio.get_running_loop().time() - begun, status)
    return EXIT_INTERRUPTED if stop.is_set() else EXIT_OK


async def _several(arguments: Arguments, status: StatusLine) -> int:
    """Transcribes recordings side by side; those that can not be are named, and cost no other."""

    async def transcribe(path: Path, on_result: OnResult, on_progress: OnProgress) -> Ended:
        return await _transcribe(arguments, status, path, on_result, on_progress)

    jobs = jobs_of(arguments.files, arguments.form, arguments.output)
    outcomes = await Batch(jobs, arguments.form, transcribe, status).run(arguments.jobs)
    failures = [outcome for outcome in outcomes if outcome is not None]
    if not failures:
        return EXIT_OK
    failed = len(jobs) - outcomes.count(None)
    _say(f"{failed} of {len(jobs)} recordings are not transcribed")
    first = failures[0]
    return _exit_code(first) if isinstance(first, ScriptaError) else EXIT_FAILED


async def _transcribe(
    arguments: Arguments,
    status: StatusLine,
    path: Path,
    on_result: OnResult,
    on_progress: OnProgress | None,
    stop: asyncio.Event | None = None,
) -> Ended:
    return await stream_file(
        arguments.url,
        path,
        realtime=arguments.realtime,
        as_is=arguments.as_is,
        on_result=on_result,
        on_progress=on_progress,
        language=arguments.language,
        model=arguments.model,
        interim_results=_interims(arguments, status),
        key=arguments.key,
        ca_file=arguments.ca,
        raw=arguments.raw,
        resilience=_resilience(arguments, status),
        stop=stop,
    )


async def _pipe(arguments: Arguments, status: StatusLine) -> int:
    """Transcribes standard input; Ctrl-C still prints the words that were heard."""
    stop = asyncio.Event()
    _end_on_interrupt(stop)
    descriptor = sys.stdin.fileno()
    source = await open_pipe(descriptor, raw=arguments.raw, as_is=arguments.as_is, stop=stop)
    await _live(arguments, source, status)
    return EXIT_INTERRUPTED if source.stop.is_set() else EXIT_OK


async def _mic(arguments: Arguments, status: StatusLine) -> int:
    """Transcribes the microphone; Ctrl-C is how one ends it."""
    source = open_microphone(arguments.device)
    _end_on_interrupt(source.stop)
    if status.active:
        _say("listening; Ctrl-C ends")
    await _live(arguments, source, status)
    if source.lost_seconds:
        _say(f"{source.lost_seconds:.1f} s were not sent: the server is too slow")
    return EXIT_OK


async def _live(arguments: Arguments, source: Pipe | Microphone, status: StatusLine) -> None:
    with _output(arguments, status) as output:
        await stream(
            arguments.url,
            source,
            on_result=output.result,
            language=arguments.language,
            model=arguments.model,
            interim_results=_interims(arguments, status),
            key=arguments.key,
            ca_file=arguments.ca,
            resilience=_resilience(arguments, status),
        )
        output.finish()
    status.hide()


def _resilience(arguments: Arguments, status: StatusLine) -> Resilience:
    """Returns what to do after a break; a speaker at a microphone can not be asked to repeat."""

    def tell(event: ConnectionEvent) -> None:
        if news := _news(event):
            status.hide()
            _say(news)

    lost: Literal["raise", "continue"] = "continue" if arguments.command == "mic" else "raise"
    return Resilience(arguments.reconnect, lost, tell)


def _news(event: ConnectionEvent) -> str:
    """Returns what to say of how the connection fares; empty for further tries of one break."""
    match event:
        case Reconnecting(attempt=1):
            return f"{event.why}; connecting again"
        case Resumed():
            return f"connected again after {event.seconds:.1f} s; nothing is lost"
        case Restarted():
            lost = "nothing is lost"
            if event.seconds_lost:
                lost = f"words for up to {event.seconds_lost:.1f} s are lost"
            return f"going on in a new session ({event.reason}); {lost}"
    return ""


def _end_on_interrupt(stop: asyncio.Event) -> None:
    """Makes the first Ctrl-C end the stream and the second one end the program."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def interrupted() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    # Where the loop has no signal handlers, Ctrl-C ends the program at once.
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, interrupted)


def _output(arguments: Arguments, status: StatusLine) -> Output:
    return Output(transcript(arguments.form), arguments.output, sys.stdout, status)


def _interims(arguments: Arguments, status: StatusLine) -> bool:
    """Returns whether interims are to be shown."""
    if arguments.form is not Format.TEXT or not status.active or arguments.are_several:
        return False
    if arguments.interim is None:
        return arguments.output is None and sys.stdout.isatty()
    return arguments.interim


def _summarise(ended: Ended, elapsed: float, status: StatusLine) -> None:
    if status.active and ended.duration is not None:
        speed = ended.duration / elapsed
        _say(f"{ended.duration:.1f} s of audio in {elapsed:.1f} s ({speed:.1f}×)")


def _fail(status: StatusLine, message: str, code: int) -> int:
    status.hide()
    _say(message)
    return code


def _say(message: str) -> None:
    print(f"scripta: {message}", file=sys.stderr)


def _exit_code(error: ScriptaError) -> int:
    if isinstance(error, ConnectError | NoMetrics):
        return EXIT_UNREACHABLE
    if isinstance(error, _WRONG_USAGE):
        return EXIT_USAGE
    return EXIT_FAILED


def _option_for(error: ScriptaError) -> str:
    """Returns the option that helps, where one does: the library knows no options."""
    if isinstance(error, CannotConnect):
        for hint, option in ((NOTHING_LISTENS, "--url"), (NOT_TRUSTED, "--ca")):
            if error.hint.startswith(hint):
                return f" ({option})"
    return ""


def _describe(error: OSError, arguments: AnyArguments) -> str:
    where = ""
    if isinstance(arguments, Arguments) and arguments.output is not None:
        where = f" {arguments.output}"
    return f"cannot write the results{where}: {error.strerror or error}"
