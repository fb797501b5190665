"""Measures word error rates on a folder of recordings, and prints them per tag.

Three columns from one run: ``whole``, the bare engine on whole files (for whisper:
faster-whisper as it comes, which hears long files window by window); ``cut``, the segmenter
and the engine in this process; ``ws``, everything through a gateway, in chunks of 100 ms as
fast as they are acknowledged (a whole system is started for it, or ``--url`` names a running
one). Moonshine is made for utterances: on recordings of a minute its ``whole`` is no yardstick,
so clean English is given without them too.

The folder holds 16 kHz mono WAV files and a ``manifest.jsonl`` (file, seconds, language, text,
tags, and perhaps alternatives). Recordings of a language the engine does not speak are left
out, or those that ``--languages`` does not name; words in recordings without speech are counted
apart. What comes of a word on the brink hangs on where frames begin, which is chance: so the first
two columns are means over eight leads, silence of up to 28 ms before each recording. ``--leads 0``
is quicker, and its figures are one throw of the dice. Words and segments are those of all leads.
For whisper, ``tests/support/whisper_base.py`` makes a model to name by ``--model``.

``--endpointing`` and ``--max-segment`` are asked for like a session would. Beside the error rates
stand the ``segments`` of ``cut``, and the processor time that decoding them took, in milliseconds
for a second of the recordings.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from recorded import (
    CLEAN,
    CLEAN_FOREIGN,
    CLEAN_SHORT,
    Recording,
    folder_parser,
    is_there,
    read_manifest,
)
from scripta_local.stack import Stack
from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.segmenter import SegmenterOptions
from ways import Heard, cutting, hearing_whole, through_gateway
from wer import Score, score, units


@dataclass(frozen=True, slots=True)
class Column:
    """One way of transcribing, and what came of it for the recordings that it was tried on."""

    title: str
    texts: dict[str, str]

    def score(self, recordings: Iterable[Recording]) -> Score:
        """Returns the errors in those of the recordings that it was tried on."""
        tried = [r for r in recordings if r.name in self.texts]
        return sum((score(r.references, self.texts[r.name], r.language) for r in tried), Score())

    def words(self, recordings: Iterable[Recording]) -> int:
        """Returns how many words came of recordings in which nobody speaks."""
        return sum(len(units(self.texts.get(r.name, ""), "en")) for r in recordings)


def table(recordings: list[Recording], columns: list[Column], heard: dict[str, Heard]) -> str:
    """Returns the error rates per tag as text, ``clean English`` first.

    Args:
        recordings: What was transcribed.
        columns: What came of it.
        heard: What came of each recording by its segments, for what they cost.
    """
    spoken = [r for r in recordings if r.language != "none"]
    groups = sorted({group for r in spoken for group in r.groups()}, key=_place)
    titles = "".join(f"{c.title:>9}" for c in columns)
    lines = [f"{'':22}{'files':>6}{'words':>7}{titles}{'segments':>10}{'ms a s':>8}"]
    for group in groups:
        members = [r for r in spoken if group in r.groups()]
        scores = [column.score(members) for column in columns]
        rates = "".join(f"{100 * s.rate:8.2f}%" for s in scores)
        segments = sum(heard[r.name].segments for r in members)
        processor = sum(heard[r.name].processor_seconds for r in members)
        cost = 1e3 * processor / sum(r.seconds for r in members)
        files = len({r.path for r in members})
        lines.append(f"{group:22}{files:6}{scores[0].words:7}{rates}{segments:10}{cost:8.1f}")
    silent = [r for r in recordings if r.language == "none"]
    counts = "".join(f"{column.words(silent):9}" for column in columns)
    segments = sum(heard[r.name].segments for r in silent)
    files = len({r.path for r in silent})
    lines.append(f"{'no speech: words':22}{files:6}{0:7}{counts}{segments:10}")
    return "\n".join(lines)


def _place(group: str) -> tuple[bool, bool, str]:
    return group != CLEAN, group != CLEAN_SHORT, group


def differences(recordings: list[Recording], columns: list[Column]) -> Iterator[str]:
    """Yields, for every recording, its errors and texts in each column."""
    for recording in recordings:
        yield f"{recording.name} ({recording.seconds:.1f} s): {recording.references[0]}"
        for column in columns:
            text = column.texts.get(recording.name)
            if text is None:
                continue
            result = score(recording.references, text, recording.language)
            yield f"    {column.title:6} {result.errors:3}/{result.words}: {text}"


def _arguments() -> argparse.Namespace:
    parser = folder_parser("Word error rates per tag.")
    parser.add_argument("--engine", default="moonshine")
    parser.add_argument("--model", default="", help="MODEL of the engine")
    parser.add_argument("--languages", help="such as ru,de,none (default: all it knows)")
    parser.add_argument("--url", help="a running gateway's /ws, for example ws://127.0.0.1:8000/ws")
    parser.add_argument("--no-whole", action="store_true", help="leave the first column out")
    parser.add_argument("--no-ws", action="store_true", help="leave the third column out")
    parser.add_argument("--endpointing", type=int, metavar="MS", help="as sessions ask for it")
    parser.add_argument("--max-segment", type=int, metavar="MS", help="as sessions ask for it")
    parser.add_argument("--sessions", type=int, default=3, help="at the same time, in ws")
    parser.add_argument(
        "--leads",
        type=lambda text: [int(lead) for lead in text.split(",")],
        default=list(range(0, 32, 4)),
        metavar="MS,MS",
        help="silence before each recording; ws is given the first only (default: 0,4,...,28)",
    )
    parser.add_argument("--verbose", action="store_true", help="print every transcript")
    parser.add_argument("--limit", type=float, help="fail above this clean English rate (percent)")
    parser.add_argument(
        "--margin",
        type=float,
        help="fail if clean speech is worse than the whole files by more than so many points",
    )
    arguments = parser.parse_args()
    if arguments.no_whole and arguments.margin is not None:
        parser.error("--margin compares with the first column: leave --no-whole out")
    return arguments


def main() -> int:
    """Runs the benchmark; 1 if a limit was given and the last column is above it."""
    arguments = _arguments()
    if not is_there(arguments.folder):
        return 2
    source = ModelSource(arguments.model)
    engine = create_engine(arguments.engine, threads=1, source=source)
    engine.load()
    languages = engine.capabilities.languages | {"none"}
    if arguments.languages:
        languages &= set(arguments.languages.split(","))
    recordings = [
        replace(recording, lead_ms=lead)
        for recording in read_manifest(arguments.folder)
        for lead in arguments.leads
        if recording.language in languages
    ]
    options = SegmenterOptions(arguments.endpointing, max_segment_ms=arguments.max_segment)
    columns = []
    if not arguments.no_whole:
        whole = hearing_whole(engine, source)
        columns.append(Column("whole", {r.name: whole(r) for r in recordings}))
    cut = cutting(engine, options)
    heard = {r.name: cut(r) for r in recordings}
    columns.append(Column("cut", {name: one.text for name, one in heard.items()}))
    if not arguments.no_ws:
        first = [r for r in recordings if r.lead_ms == arguments.leads[0]]
        columns.append(Column("ws", asyncio.run(_stream(arguments, first, options))))
    if arguments.verbose:
        print("\n".join(differences(recordings, columns)))
    print(table(recordings, columns, heard))
    return _verdict(recordings, columns, arguments.limit, arguments.margin)


async def _stream(
    arguments: argparse.Namespace, recordings: list[Recording], options: SegmenterOptions
) -> dict[str, str]:
    if arguments.url:
        return await through_gateway(arguments.url, recordings, arguments.sessions, options)
    env = {"MODEL": arguments.model}
    async with Stack(engine=arguments.engine, env=env, restart=False) as stack:
        return await through_gateway(stack.ws_url, recordings, arguments.sessions, options)


def _verdict(
    recordings: list[Recording], columns: list[Column], limit: float | None, margin: float | None
) -> int:
    if limit is None and margin is None:
        return 0
    whole, last = columns[0], columns[-1]
    invented = [r.name for r in recordings if r.asked is None and last.words([r])]
    problems = [f"words in {invented}"] if invented else []
    rate = _rate(recordings, CLEAN, last)
    if limit is not None and rate > limit:
        problems.append(f"{CLEAN}: {rate:.2f}% against {limit}%")
    for group in (CLEAN, CLEAN_FOREIGN) if margin is not None else ():
        worse = _rate(recordings, group, last) - _rate(recordings, group, whole)
        if worse > (margin or 0.0):
            problems.append(f"{group}: {worse:.2f} points worse than whole files")
    print("\n".join(f"{last.title}: {problem}" for problem in problems))
    return bool(problems)


def _rate(recordings: list[Recording], group: str, column: Column) -> float:
    return 100 * column.score(r for r in recordings if group in r.groups()).rate


if __name__ == "__main__":
    sys.exit(main())
