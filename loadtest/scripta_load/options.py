"""What a load test is told: its options on the command line, in the environment and in the UI."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from scripta_load.errors import BadOption

PREFIX = "SCRIPTA_LOAD_"
DEFAULT_URL = "ws://127.0.0.1:8000/ws"
DEFAULT_RUN_SECONDS = 60
STOP_SECONDS = 60
"""How long users may take to end their sessions when the test is over."""

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class Options:
    """A checked set of options.

    Attributes:
        url: The native dialect's address.
        recording: Path of a WAV file; empty for the sample of the engine's package.
        sample_rate: Samples a second that are sent; the recording is converted once.
        pace: Multiple of the speed of speech.
        chunk_ms: Audio in a message, in milliseconds.
        interims: Whether interims are asked for.
        session_seconds: Audio in a session; the recording is repeated or cut. 0 for all of it,
            once.
        stagger: Users begin within so many seconds at random, lest they be in step.
        language: Asked for if not empty.
        model: Asked for if not empty.
        reference: Path of the right words; empty to learn them from a first pass.
        close_timeout: Longest time from `end` to the close, in seconds.
        max_lost: Words that may be lost or doubled, in percent of those expected.
        max_broken: Connections that may break or fail to open.
        allow_remote: Whether the target may be a public address.
    """

    url: str = DEFAULT_URL
    recording: str = ""
    sample_rate: int = 16_000
    pace: float = 1.0
    chunk_ms: int = 100
    interims: bool = True
    session_seconds: float = 0.0
    stagger: float = 5.0
    language: str = ""
    model: str = ""
    reference: str = ""
    close_timeout: float = 30.0
    max_lost: float = 0.0
    max_broken: int = 0
    allow_remote: bool = False

    def __post_init__(self) -> None:
        for name, least, most in (
            ("sample_rate", 8_000, 96_000),
            ("pace", 0.1, 100.0),
            ("chunk_ms", 10, 10_000),
            ("session_seconds", 0.0, 86_400.0),
            ("stagger", 0.0, 3_600.0),
            ("close_timeout", 1.0, 600.0),
            ("max_lost", 0.0, 100.0),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                option = name.replace("_", "-")
                raise BadOption(f"--{option} is {value:g}; it must be from {least:g} to {most:g}.")

    @classmethod
    def of(cls, parsed: Namespace, host: str | None) -> Options:
        """Returns what the command line or the UI asks for; raises ``BadOption``."""
        given = {name: getattr(parsed, name) for name in cls.__slots__ if hasattr(parsed, name)}
        url = websocket_url(host or DEFAULT_URL)
        return cls(**given | {"url": url, "interims": not parsed.no_interims})

    def session_url(self) -> str:
        """Returns the address with the query of a session."""
        parts = urlsplit(self.url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        query |= {
            "encoding": "linear16",
            "sample_rate": str(self.sample_rate),
            "interim_results": "true" if self.interims else "false",
        }
        query |= {"language": self.language} if self.language else {}
        query |= {"model": self.model} if self.model else {}
        return urlunsplit(parts._replace(query=urlencode(query)))


def websocket_url(host: str) -> str:
    """Returns the address of the dialect for what was given as the host: the path may be left out.

    Raises:
        BadOption: It is no such address.
    """
    parts = urlsplit(host)
    scheme = _SCHEMES.get(parts.scheme)
    try:
        usable = scheme is not None and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadOption(f"The host is {host!r}; it must look like {DEFAULT_URL}.")
    assert scheme is not None
    path = parts.path if parts.path not in ("", "/") else "/ws"
    return urlunsplit(parts._replace(scheme=scheme, path=path, fragment=""))


def add_arguments(parser: Any, **_: Any) -> None:
    """Adds the options to Locust's parser, and bounds that hold unless others are asked for."""
    default = Options()

    def add(option: str, text: str) -> None:
        name = option.removeprefix("--").replace("-", "_")
        value = getattr(default, name)
        parser.add_argument(
            option,
            type=type(value),
            default=value,
            metavar=f"<{type(value).__name__}>",
            env_var=PREFIX + name.upper(),
            help=f"{text} (default: {value})" if value != "" else text,
        )

    add("--recording", "WAV file, 16 bits a sample; none: the sample that comes with the engine")
    add("--sample-rate", "Samples a second that are sent")
    add("--pace", "Multiple of the speed of speech")
    add("--chunk-ms", "Milliseconds of audio in a message")
    add("--session-seconds", "Seconds of audio in a session; 0: the recording once")
    add("--stagger", "Users begin within so many seconds, at random")
    add("--language", "Language to ask for")
    add("--model", "Model to ask for")
    add("--reference", "Text file with the right words; none: learn them in a first pass")
    add("--close-timeout", "Seconds from the end of the audio to the close, at most")
    add("--max-lost", "Percentage of words that may be lost or doubled")
    add("--max-broken", "Connections that may break or fail to open")
    parser.add_argument(
        "--no-interims",
        action="store_true",
        env_var=PREFIX + "NO_INTERIMS",
        help="Ask for no interims",
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        env_var=PREFIX + "ALLOW_REMOTE",
        help="Aim at a public address; without it only loopback and private ones are loaded",
    )
    parser.set_defaults(
        host=DEFAULT_URL, run_time=DEFAULT_RUN_SECONDS, stop_timeout=float(STOP_SECONDS)
    )
