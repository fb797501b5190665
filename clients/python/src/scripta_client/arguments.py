"""The command line: what may be said, and what of it makes no sense."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from scripta_client.formats import Format
from scripta_client.keys.arguments import KeysArguments, add_keys, keys_arguments
from scripta_client.models.arguments import ModelsArguments, add_models, models_arguments
from scripta_client.options import add_audio, add_common
from scripta_client.settings import gateway_key, gateway_url
from scripta_client.top.arguments import TopArguments, add_top, top_arguments
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
        files: What to transcribe, folders included; empty is standard input.
        device: The microphone; ``None`` is the system's default.
        url: The gateway.
        language: BCP-47 tag of the speech.
        model: Model that transcribes.
        form: The form of the transcript.
        output: Where it goes: a file, or with several recordings a folder; ``None`` is standard
            output.
        jobs: Recordings that are transcribed side by side.
        interim: Whether to show interims; ``None`` leaves it to the terminal.
        realtime: Whether a file is sent at its own speed.
        as_is: Whether its own bytes are sent.
        reconnect: Seconds to try again after a break; ``None`` leaves it to the server.
        raw: How raw samples are encoded.
        key: Key or token that is shown to the gateway.
        ca: File of further authorities that are trusted.
    """

    command: str
    files: tuple[Path, ...]
    device: int | str | None
    url: str
    language: str | None
    model: str | None
    form: Format
    output: Path | None
    jobs: int
    interim: bool | None
    realtime: bool
    as_is: bool
    reconnect: float | None
    raw: AudioFormat
    key: str | None = field(repr=False)
    ca: str | None

    @property
    def are_several(self) -> bool:
        """Whether there may be more than one recording."""
        return _are_several(self.files)


AnyArguments = Arguments | KeysArguments | ModelsArguments | TopArguments | UsageArguments
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
    if given.command == "models":
        return models_arguments(given)
    files: list[str] = getattr(given, "files", [])
    if given.command == "transcribe" and "-" in files:
        if len(files) > 1:
            transcribe.error("standard input can not be transcribed together with files")
        if given.realtime:
            transcribe.error("--realtime needs a file; standard input is sent as it comes")
        if sys.stdin is None or sys.stdin.isatty():
            transcribe.error("standard input is a terminal; pipe audio into it")
        files = []
    paths = tuple(Path(file) for file in files)
    output: Path | None = given.output
    if _are_several(paths):
        if output is not None and output.exists() and not output.is_dir():
            parser.error(f"cannot write {output}: with several recordings it has to be a folder")
        if output is None and given.format in (Format.SRT, Format.VTT):
            transcribe.error(f"several recordings need --output FOLDER for {given.format}")
    elif output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        parser.error(f"cannot write {output}: it is a directory, or its directory is missing")
    return Arguments(
        command=given.command,
        files=paths,
        device=_device(getattr(given, "device", None)),
        url=given.url,
        language=given.language,
        model=given.model,
        form=Format(given.format),
        output=output,
        jobs=getattr(given, "jobs", 1),
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
        help="transcribe files, folders or standard input",
        description="Transcribes recordings, or audio that comes on standard input. Of several, "
        "each transcript has its recording's name above it.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_audio(transcribe)
    add_common(transcribe)
    mic = commands.add_parser(
        "mic",
        help="transcribe the microphone",
        description="Transcribes the microphone until Ctrl-C; a second Ctrl-C quits at once.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    mic.add_argument("--device", help="which microphone: a number or a part of its name")
    add_common(mic)
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
    models = commands.add_parser(
        "models",
        help="list the models of a gateway, and fetch others",
        description="Lists models, and fetches them for a transcriber: each file is held against "
        "its checksum. `list --url` asks a gateway for what it serves.",
    )
    add_models(models, gateway_key())
    usage = commands.add_parser(
        "usage",
        help="print what was used: audio, sessions and finals by key, model and time",
        description="Prints what the tenant of a key has used, or what all tenants have.",
        epilog=_USAGE_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_usage(usage, gateway_url(), gateway_key())
    return parser, transcribe, top, usage


def _are_several(paths: Sequence[Path]) -> bool:
    """Returns whether there may be more than one recording."""
    return len(paths) > 1 or any(path.is_dir() for path in paths)


def _device(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text
