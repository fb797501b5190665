"""Measures word error rates on a folder of recordings, and prints them per tag.

Three columns from one run: ``whole``, the bare engine on whole files; ``cut``, the segmenter
and the engine in this process; ``ws``, everything through a gateway, in chunks of 100 ms as
fast as they are acknowledged (a whole system is started for it, or ``--url`` names a running
one). The model is made for utterances: on recordings of a minute ``whole`` is no yardstick, so
clean English is given without them too.

The folder holds 16 kHz mono WAV files and a ``manifest.jsonl`` (file, seconds, language, text,
tags, and perhaps alternatives). Recordings of a language the engine does not speak are left
out; words in recordings without speech are counted apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import websockets

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Checkpoint, Entry, EntryKind, Reason
from scripta_local.stack import Stack
from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.base import Engine, Segment
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter, load_detector
from scripta_transcriber.segmenter.rules import Rules
from wer import Score, score, units

CLEAN = "clean English"
CLEAN_SHORT = "clean, under 1 min"
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "speech"
UNCLEAN_TAGS = frozenset({"derived", "synthetic", "maybe_synthetic"})
CHUNK_BYTES = SAMPLE_RATE // 10 * BYTES_PER_SAMPLE
"""100 ms of audio."""

UNACKNOWLEDGED = 20
"""Chunks that may be on the way without an acknowledgement: two seconds of audio."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One line of the manifest."""

    path: Path
    seconds: float
    language: str
    references: tuple[str, ...]
    tags: frozenset[str]

    @property
    def name(self) -> str:
        """Its file name without the suffix."""
        return self.path.stem

    def pcm(self) -> bytes:
        """Returns its samples; raises ``ValueError`` if it is not 16 kHz mono s16."""
        with wave.open(str(self.path)) as file:
            form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            if form != (SAMPLE_RATE, 1, BYTES_PER_SAMPLE):
                raise ValueError(f"{self.path} is {form}, not 16 kHz mono s16")
            return file.readframes(file.getnframes())

    def groups(self) -> Iterator[str]:
        """Yields the rows of the table that it counts in."""
        if self.language == "en" and not self.tags & UNCLEAN_TAGS:
            yield CLEAN
            if "long60" not in self.tags:
                yield CLEAN_SHORT
        yield from self.tags


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


def entries(pcm: bytes, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Entry]:
    """Yields the audio as the gateway would log it, and the end."""
    seq = 0
    for seq, at in enumerate(range(0, len(pcm), chunk_bytes), start=1):
        yield Entry(seq, EntryKind.AUDIO, at // BYTES_PER_SAMPLE, pcm[at : at + chunk_bytes])
    yield Entry(seq + 1, EntryKind.END, len(pcm) // BYTES_PER_SAMPLE)


def transcribe_whole(engine: Engine, pcm: bytes) -> str:
    """Returns what the bare engine hears in a whole recording."""
    return engine.transcribe(Segment(0, pcm, Reason.END)).text


def cutting(engine: Engine, rules: Rules | None = None) -> Callable[[bytes], str]:
    """Returns a function that transcribes a recording segment by segment in this process."""
    detector = load_detector(engine.capabilities)

    def transcribe(pcm: bytes) -> str:
        segmenter = create_segmenter(
            engine.capabilities, Checkpoint(), SegmenterOptions(), detector, rules
        )
        cuts = (cut for entry in entries(pcm) for cut in segmenter.feed(entry))
        return " ".join(engine.transcribe(cut.segment).text for cut in cuts if cut.segment)

    return transcribe


async def transcribe_ws(url: str, pcm: bytes, timeout: float) -> str:
    """Streams a recording in 100 ms chunks as fast as they are acknowledged; joins the finals.

    Raises:
        RuntimeError: The gateway reported an error.
        TimeoutError: The transcript was not complete in time.
    """
    finals: list[str] = []
    room = asyncio.Semaphore(UNACKNOWLEDGED)

    async with asyncio.timeout(timeout), websockets.connect(url, max_size=None) as socket:

        async def send() -> None:
            for at in range(0, len(pcm), CHUNK_BYTES):
                await room.acquire()
                await socket.send(pcm[at : at + CHUNK_BYTES])
            await socket.send(json.dumps({"type": "end"}))

        async with asyncio.TaskGroup() as group:
            sender = group.create_task(send())
            async for message in socket:
                event = json.loads(message)
                if event["status"] == "received":
                    room.release()
                elif event["status"] == "transcript":
                    finals.append(event["text"])
                elif event["status"] == "error":
                    raise RuntimeError(f"the gateway says: {event['error']}")
            sender.cancel()
        if socket.close_code != 1000:
            raise RuntimeError(f"closed with {socket.close_code} {socket.close_reason}")
    return " ".join(finals)


async def through_gateway(
    url: str, recordings: list[Recording], sessions: int, language: str
) -> dict[str, str]:
    """Returns the transcript of every recording, ``sessions`` of them at a time."""
    parts = urlsplit(url)
    query = urlencode({"language": language, **dict(parse_qsl(parts.query))})
    target = urlunsplit(parts._replace(query=query))
    gate = asyncio.Semaphore(sessions)
    texts: dict[str, str] = {}

    async def one(recording: Recording) -> None:
        async with gate:
            timeout = 60.0 + 4 * recording.seconds
            texts[recording.name] = await transcribe_ws(target, recording.pcm(), timeout)

    async with asyncio.TaskGroup() as group:
        for recording in recordings:
            group.create_task(one(recording))
    return texts


@dataclass(frozen=True, slots=True)
class Column:
    """One way of transcribing, and what came of it for every recording."""

    title: str
    texts: dict[str, str]


def table(recordings: list[Recording], columns: list[Column]) -> str:
    """Returns the error rates per tag as text, ``clean English`` first."""
    spoken = [r for r in recordings if r.language != "none"]
    groups = sorted({group for r in spoken for group in r.groups()}, key=_place)
    lines = [f"{'':22}{'files':>6}{'words':>7}" + "".join(f"{c.title:>9}" for c in columns)]
    for group in groups:
        members = [r for r in spoken if group in r.groups()]
        scores = [
            sum((score(r.references, c.texts[r.name], r.language) for r in members), Score())
            for c in columns
        ]
        rates = "".join(f"{100 * s.rate:8.2f}%" for s in scores)
        lines.append(f"{group:22}{len(members):6}{scores[0].words:7}{rates}")
    silent = [r for r in recordings if r.language == "none"]
    counts = "".join(f"{sum(len(units(c.texts[r.name], 'en')) for r in silent):9}" for c in columns)
    lines.append(f"{'no speech: words':22}{len(silent):6}{0:7}{counts}")
    return "\n".join(lines)


def _place(group: str) -> tuple[bool, bool, str]:
    return group != CLEAN, group != CLEAN_SHORT, group


def differences(recordings: list[Recording], columns: list[Column]) -> Iterator[str]:
    """Yields, for every recording, its errors and texts in each column."""
    for recording in recordings:
        yield f"{recording.name} ({recording.seconds:.1f} s): {recording.references[0]}"
        for column in columns:
            text = column.texts[recording.name]
            result = score(recording.references, text, recording.language)
            yield f"    {column.title:6} {result.errors:3}/{result.words}: {text}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Word error rates per tag.")
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=DEFAULT_FOLDER,
        help="recordings and their manifest.jsonl (default: %(default)s)",
    )
    parser.add_argument("--engine", default="moonshine")
    parser.add_argument("--url", help="a running gateway's /ws, for example ws://127.0.0.1:8000/ws")
    parser.add_argument("--no-ws", action="store_true", help="leave the third column out")
    parser.add_argument("--sessions", type=int, default=3, help="at the same time, in ws")
    parser.add_argument("--verbose", action="store_true", help="print every transcript")
    parser.add_argument("--limit", type=float, help="fail above this clean English rate (percent)")
    return parser.parse_args()


def main() -> int:
    """Runs the benchmark; 1 if a limit was given and the last column is above it."""
    arguments = _arguments()
    if not (arguments.folder / "manifest.jsonl").is_file():
        print(f"{arguments.folder} has no manifest.jsonl: nothing to measure", file=sys.stderr)
        return 2
    engine = create_engine(arguments.engine, threads=1)
    engine.load()
    languages = engine.capabilities.languages | {"none"}
    recordings = [r for r in read_manifest(arguments.folder) if r.language in languages]
    cut = cutting(engine)
    columns = [
        Column("whole", {r.name: transcribe_whole(engine, r.pcm()) for r in recordings}),
        Column("cut", {r.name: cut(r.pcm()) for r in recordings}),
    ]
    if not arguments.no_ws:
        columns.append(Column("ws", asyncio.run(_stream(arguments, recordings))))
    if arguments.verbose:
        print("\n".join(differences(recordings, columns)))
    print(table(recordings, columns))
    return _verdict(recordings, columns[-1], arguments.limit)


async def _stream(arguments: argparse.Namespace, recordings: list[Recording]) -> dict[str, str]:
    if arguments.url:
        return await through_gateway(arguments.url, recordings, arguments.sessions, "en")
    async with Stack(engine=arguments.engine, restart=False) as stack:
        return await through_gateway(stack.ws_url, recordings, arguments.sessions, "en")


def _verdict(recordings: list[Recording], column: Column, limit: float | None) -> int:
    if limit is None:
        return 0
    clean = [r for r in recordings if CLEAN in r.groups()]
    total = sum((score(r.references, column.texts[r.name], "en") for r in clean), Score())
    invented = [
        r.name for r in recordings if r.language == "none" and units(column.texts[r.name], "en")
    ]
    if 100 * total.rate > limit or invented:
        print(f"{column.title}: {100 * total.rate:.2f}% against {limit}%, words in {invented}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
