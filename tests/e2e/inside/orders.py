"""What the client in the pod is to do, as its command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from .takes import CHUNK_SECONDS

Kind = Literal["plain", "returning"]
Interims = Literal["none", "some", "all"]


@dataclass(frozen=True, slots=True)
class Orders:
    """Live sessions.

    Attributes:
        sessions: How many; they take the voices in turn.
        kind: ``plain`` counts a closed connection and ends; ``returning`` is the project's
            client, which connects again.
        seconds: Length of a session at most: rounded up to whole rounds of its voice.
        speed: How fast it speaks: 1 for the pace of speech.
        interims: Whether every other session asks for interims (``some``), or all or none do.
        patience: Seconds to wait for the last finals after the end of a stream.
    """

    sessions: int
    kind: Kind = "plain"
    seconds: float = 240.0
    speed: float = 1.0
    interims: Interims = "some"
    patience: float = 90.0

    @property
    def pace(self) -> float:
        """Seconds from one chunk to the next."""
        return CHUNK_SECONDS / self.speed

    def rounds(self, voice_seconds: float) -> int:
        """Returns how often a voice is said at most."""
        return max(1, math.ceil(self.seconds / voice_seconds))

    def wants_interims(self, session: int) -> bool:
        """Returns whether a session asks for interims."""
        return self.interims == "all" or (self.interims == "some" and session % 2 == 0)

    def arguments(self) -> list[str]:
        """Returns them as arguments of the command line."""
        return [
            f"--sessions={self.sessions}",
            f"--kind={self.kind}",
            f"--seconds={self.seconds:g}",
            f"--speed={self.speed:g}",
            f"--interims={self.interims}",
            f"--patience={self.patience:g}",
        ]

    @classmethod
    def read(cls, options: argparse.Namespace) -> Self:
        """Returns what a command line says."""
        return cls(
            options.sessions,
            options.kind,
            options.seconds,
            options.speed,
            options.interims,
            options.patience,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the client finds what it needs.

    Attributes:
        url: Address of the native dialect.
        voices: Files of raw samples.
        stop: A file; when it is there, all sessions stop at the end of their round.
    """

    url: str
    voices: Sequence[Path]
    stop: Path

    def arguments(self) -> list[str]:
        """Returns them as arguments of the command line."""
        return [f"--url={self.url}", f"--stop={self.stop}", *(str(path) for path in self.voices)]


def parse(arguments: Sequence[str]) -> tuple[Orders, Place]:
    """Returns what a command line says."""
    parser = argparse.ArgumentParser(prog="speak")
    parser.add_argument("--url", required=True)
    parser.add_argument("--stop", type=Path, required=True)
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--kind", choices=("plain", "returning"), required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--speed", type=float, required=True)
    parser.add_argument("--interims", choices=("none", "some", "all"), required=True)
    parser.add_argument("--patience", type=float, required=True)
    parser.add_argument("voices", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    return Orders.read(options), Place(options.url, options.voices, options.stop)
