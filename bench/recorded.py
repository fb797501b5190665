"""The folder of recordings whose words are known: a line each of its ``manifest.jsonl``."""

from __future__ import annotations

import argparse
import json
import sys
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE

CLEAN = "clean English"
CLEAN_FOREIGN = "clean, not English"
CLEAN_SHORT = "clean, under 1 min"
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "speech"
UNCLEAN_TAGS = frozenset({"derived", "synthetic", "maybe_synthetic"})


@dataclass(frozen=True, slots=True)
class Recording:
    """One line of the manifest, and milliseconds of silence to hear before it."""

    path: Path
    seconds: float
    language: str
    references: tuple[str, ...]
    tags: frozenset[str]
    lead_ms: int = 0

    @property
    def asked(self) -> str | None:
        """The language that a session with it asks for."""
        return None if self.language == "none" else self.language

    @property
    def name(self) -> str:
        """Its file name without the suffix, and the lead if it has one."""
        return f"{self.path.stem}+{self.lead_ms}" if self.lead_ms else self.path.stem

    def pcm(self) -> bytes:
        """Returns its samples; raises ``ValueError`` if it is not 16 kHz mono s16."""
        with wave.open(str(self.path)) as file:
            form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            if form != (SAMPLE_RATE, 1, BYTES_PER_SAMPLE):
                raise ValueError(f"{self.path} is {form}, not 16 kHz mono s16")
            lead = bytes(BYTES_PER_SAMPLE * SAMPLE_RATE * self.lead_ms // 1000)
            return lead + file.readframes(file.getnframes())

    def groups(self) -> Iterator[str]:
        """Yields the rows of the table that it counts in."""
        if self.tags & UNCLEAN_TAGS or self.language == "none":
            pass
        elif self.language != "en":
            yield CLEAN_FOREIGN
            yield f"clean {self.language}"
        else:
            yield CLEAN
            if "long60" not in self.tags:
                yield CLEAN_SHORT
        yield from self.tags


def folder_parser(description: str) -> argparse.ArgumentParser:
    """Returns a parser that knows the folder of recordings as its first argument."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=DEFAULT_FOLDER,
        help="recordings and their manifest.jsonl (default: %(default)s)",
    )
    return parser


def is_there(folder: Path) -> bool:
    """Returns whether a folder has recordings; says so if it has none."""
    if (folder / "manifest.jsonl").is_file():
        return True
    print(f"{folder} has no manifest.jsonl: nothing to measure", file=sys.stderr)
    return False


def read_manifest(folder: Path) -> list[Recording]:
    """Returns the recordings of a folder in the order of its manifest."""
    recordings = []
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        recordings.append(
            Recording(
                path=folder / fields["file"],
                seconds=fields["seconds"],
                language=fields["language"],
                references=(fields["text"], *(fields.get("alternatives") or ())),
                tags=frozenset(fields["tags"]),
            )
        )
    return recordings
