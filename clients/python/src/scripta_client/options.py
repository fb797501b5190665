"""Options of the commands that transcribe."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from scripta_client.formats import Format
from scripta_client.settings import DEFAULT_URL, gateway_url
from scripta_client.trust import add_ca


def add_audio(parser: argparse.ArgumentParser) -> None:
    """Adds what says which audio is transcribed, and how it is sent."""
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="recordings in any container, or folders of them; - reads standard input: WAV, FLAC, "
        "Ogg, WebM, MP3 or MP4, else raw 16-bit mono samples at 16 kHz",
    )
    parser.add_argument(
        "--jobs",
        type=_between(1, 64),
        default=4,
        metavar="N",
        help="how many of several recordings to transcribe side by side (default: 4)",
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


def add_common(parser: argparse.ArgumentParser) -> None:
    """Adds the gateway, what is asked of it, and where the words go."""
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
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the transcript there; with several recordings: a folder for theirs",
    )


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
