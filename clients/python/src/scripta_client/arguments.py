"""The command line: what may be said, and what of it makes no sense."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from scripta_client.formats import Format
from scripta_client.keys.arguments import KeysArguments, add_keys, keys_arguments
from scripta_client.settings import DEFAULT_URL, gateway_key, gateway_url
from scripta_client.top.arguments import TopArguments, add_top, top_arguments
from scripta_client.trust import add_ca
from scripta_client.usage.arguments import UsageArguments, add_usage, usage_arguments
from scripta_client.wire import AudioFormat

_EXIT_CODES = """\
exit codes:
  0    everything is transcribed
  1    the server or the session failed, or the results could not be written
  2    wrong usage, a file that can not be read, no microphone
  3    the gateway can not be reached, or refuses
  130  interrupted
"""
_TOP_EXIT_CODES = """\
exit codes:
  0    something was seen
  2    wrong usage, or a library is missing
  3    no process answers, or Prometheus does not
"""
_USAGE_EXIT_CODES = """\
exit codes:
  0    what was used is printed
  2    wrong usage
  3    the gateway can not be reached, or refuses
"""


@dataclass(frozen=True, slots=True)
class Arguments:
    """A valid command line.

    Attributes:
        command: ``transcribe`` or ``mic``.
        file: What to transcribe; ``None`` is standard input.
        device: The microphone; ``None`` is the system's default.
        url: The gateway.
        language: BCP-47 tag of the speech.
        model: Model that transcribes.
        form: The form of the transcript.
        output: Where it goes; ``None`` is standard output.
        interim: Whether to show interims; ``None`` leaves it to the terminal.
        realtime: Whether a file is sent at its own speed.
        as_is: Whether its own bytes are sent.
        reconnect: Seconds to try again after a break; ``None`` leaves it to the server.
        raw: How raw samples are encoded.
        key: Key or token that is shown to the gateway.
        ca: File of further authorities that are trusted.
    """

    command: str
    file: Path | None
    device: int | str | None
    url: str
    language: str | None
    model: str | None
    form: Format
    output: Path | None
    interim: bool | None
    realtime: bool
    as_is: bool
    reconnect: float | None
    raw: AudioFormat
    key: str | None = field(repr=False)
    ca: str | None


AnyArguments = Arguments | KeysArguments | TopArguments | UsageArguments
"""A valid command line of any command."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong on one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parse_arguments(argv: Sequence[str] | None) -> AnyArguments:
    """Returns the command line's meaning; ends the program with status 2 if it has none."""
    parser, transcribe, top, usage = _parsers()
    given = parser.parse_args(argv)
    if given.command == "top":
        return top_arguments(top, given)
    if given.command == "usage":
        return usage_arguments(usage, given)
    if given.command == "keys":
        return keys_arguments(given)
    file = getattr(given, "file", None)
    from_file = file is not None and file != "-"
    if given.command == "transcribe" and not from_file:
        if given.realtime:
            transcribe.error("--realtime needs a file; standard input is sent as it comes")
        if sys.stdin is None or sys.stdin.isatty():
            transcribe.error("standard input is a terminal; pipe audio into it")
    output: Path | None = given.output
    if output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        parser.error(f"cannot write {output}: it is a directory, or its directory is missing")
    return Arguments(
        command=given.command,
        file=Path(file) if file is not None and from_file else None,
        device=_device(getattr(given, "device", None)),
        url=given.url,
        language=given.language,
        model=given.model,
        form=Format(given.format),
        output=output,
        interim=given.interim,
        realtime=getattr(given, "realtime", False),
        as_is=getattr(given, "as_is", False),
        reconnect=given.reconnect,
        raw=AudioFormat(
            getattr(given, "encoding", None),
            getattr(given, "sample_rate", None),
            getattr(given, "channels", None),
        ),
        key=given.key or gateway_key() or None,
        ca=given.ca,
    )


def _parsers() -> tuple[argparse.ArgumentParser, ...]:
    """Returns the parser, and those of ``transcribe``, ``top`` and ``usage``."""
    parser = _Parser(
        prog="scripta",
        description="Streams speech to a Scripta gateway and prints the words.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version("scripta-client"))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    transcribe = commands.add_parser(
        "transcribe",
        help="transcribe a file or standard input",
        description="Transcribes a recording, or audio that comes on standard input.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_audio(transcribe)
    _add_common(transcribe)
    mic = commands.add_parser(
        "mic",
        help="transcribe the microphone",
        description="Transcribes the microphone until Ctrl-C; a second Ctrl-C quits at once.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    mic.add_argument("--device", help="which microphone: a number or a part of its name")
    _add_common(mic)
    top = commands.add_parser(
        "top",
        help="watch sessions, latency, slots and the broker of a running system",
        description="Shows a running system, from the metrics of its processes, until Ctrl-C.",
        epilog=_TOP_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_top(top, gateway_url())
    keys = commands.add_parser(
        "keys",
        help="make keys for callers of a gateway",
        description="Makes keys, and secrets for short-lived tokens. It needs no gateway.",
    )
    add_keys(keys)
    usage = commands.add_parser(
        "usage",
        help="print what was used: audio, sessions and finals by key, model and time",
        description="Prints what the tenant of a key has used, or what all tenants have.",
        epilog=_USAGE_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_usage(usage, gateway_url(), gateway_key())
    return parser, transcribe, top, usage


def _add_audio(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a recording in any container; - reads standard input: WAV, FLAC, Ogg, WebM, MP3 "
        "or MP4, else raw 16-bit mono samples at 16 kHz",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--realtime", action="store_true", help="send the file at the speed it was spoken"
    )
    how.add_argument(
        "--as-is",
        action="store_true",
        help="send the file's own bytes and let the gateway decode them: less to send, but a "
        "connection that breaks in the middle can not be made good",
    )
    parser.add_argument(
        "--encoding",
        choices=("linear16", "mulaw", "alaw"),
        help="the audio is raw samples so encoded",
    )
    parser.add_argument(
        "--sample-rate",
        type=_between(8000, 96_000),
        metavar="HZ",
        help="samples per second of raw audio (default: 16000)",
    )
    parser.add_argument(
        "--channels",
        type=_between(1, 8),
        metavar="N",
        help="channels of raw audio, which are mixed (default: 1)",
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    add_ca(parser)
    parser.add_argument(
        "--url",
        default=gateway_url(),
        help=f"the gateway (default: $SCRIPTA_URL, else {DEFAULT_URL})",
    )
    parser.add_argument(
        "--key",
        help="key or token for the gateway (default: $SCRIPTA_KEY, which nobody else on this "
        "machine can see)",
    )
    parser.add_argument("--language", metavar="TAG", help="language of the speech, such as en")
    parser.add_argument(
        "--model", metavar="NAME", help="model that transcribes (default: the gateway's choice)"
    )
    parser.add_argument(
        "--format",
        choices=[str(form) for form in Format],
        default=str(Format.TEXT),
        help="form of the transcript (default: text); json is one final a line",
    )
    parser.add_argument(
        "--interim",
        action=argparse.BooleanOptionalAction,
        help="show words while they are being spoken; for text, and only on a terminal "
        "(default: if the transcript goes to a terminal)",
    )
    parser.add_argument(
        "--reconnect",
        type=_seconds,
        metavar="SECONDS",
        help="for how long to try again when the connection breaks (0: not at all; default: as "
        "long as the server keeps the session)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the transcript there")


def _between(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not between {low} and {high}")
        return int(text)

    return number


def _seconds(text: str) -> float:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)


def _device(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text
