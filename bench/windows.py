"""Measures what cutting Whisper's window to the speech costs in words and saves in processor time.

Two engines with the same model hear each segment one after the other, in an order that changes:
one in whole windows of 30 s, one in windows that are cut behind the segment. Printed for each
language: word errors of both, the processor time of the second over that of the first with its
spread over the recordings, and how many segments were heard in a whole window after all. The words
of recordings without speech are counted; they are heard in pieces of 5 s, without asking the voice
detector, which lets none of them through.

``--repeat 200`` decodes so many finals twice instead: alone, and again on all threads at once,
in another order, while other threads keep the processor busy. They have to be the same.

Run with ``make bench-windows ARGS="--model FOLDER"``; ``tests/support/whisper_base.py`` makes one.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from statistics import quantiles

import numpy as np

from recorded import Recording, folder_parser, is_there, read_manifest
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE, Reason
from scripta_transcriber.engines.base import Segment, Transcript
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.engines.whisper import WhisperEngine
from scripta_transcriber.segmenter import SegmenterOptions
from ways import segments_of
from wer import Score, score, units

PIECE_BYTES = 5 * SAMPLE_RATE * BYTES_PER_SAMPLE


@dataclass(slots=True)
class Row:
    """What came of the recordings of one language, or of one kind.

    Attributes:
        whole: Errors in whole windows.
        cut: Errors in cut ones.
        costs: Processor seconds of both, for each recording.
        segments: How many were heard.
        again: How many of them in a whole window after the cut one.
    """

    whole: Score = field(default_factory=Score)
    cut: Score = field(default_factory=Score)
    costs: list[tuple[float, float]] = field(default_factory=list)
    segments: int = 0
    again: int = 0

    def line(self, name: str) -> str:
        """Returns it as a line of the table."""
        whole, cut = (sum(costs) for costs in zip(*self.costs, strict=True))
        ratios = sorted(second / first for first, second in self.costs)
        spread = quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        return (
            f"{name:10}{len(self.costs):6}{self.whole.words:7}"
            f"{100 * self.whole.rate:8.2f}%{100 * self.cut.rate:8.2f}%"
            f"{cut / whole:8.2f}  ({spread[0]:.2f} to {spread[2]:.2f})"
            f"{self.again:6} of {self.segments}"
        )


class Pair:
    """The same model twice: in whole windows, and in cut ones."""

    def __init__(self, source: ModelSource) -> None:
        self.whole = WhisperEngine(source, cut=None)
        self.cut = WhisperEngine(source)
        self.whole.load()
        self.cut.load()
        self.believed = False
        hear_cut = self.cut._hear_cut

        def watched(*arguments: object) -> object:
            heard = hear_cut(*arguments)  # type: ignore[arg-type]
            self.believed = heard is not None
            return heard

        self.cut._hear_cut = watched  # type: ignore[method-assign, assignment]

    def hear(self, segments: list[Segment], row: Row) -> tuple[str, str]:
        """Returns the texts of a recording in whole and in cut windows, and notes the costs."""
        texts: tuple[list[str], list[str]] = ([], [])
        costs = [0.0, 0.0]
        for place, segment in enumerate(segments):
            for which in (0, 1) if place % 2 else (1, 0):
                began = time.process_time()
                engine = (self.whole, self.cut)[which]
                texts[which].append(engine.transcribe(segment).text)
                costs[which] += time.process_time() - began
            row.again += not self.believed
        row.segments += len(segments)
        if segments:
            row.costs.append((costs[0], costs[1]))
        return " ".join(texts[0]), " ".join(texts[1])


def compare(
    recordings: Iterable[Recording],
    pair: Pair,
    cut: Callable[[Recording], list[Segment]],
    *,
    told: bool,
) -> dict[str, Row]:
    """Returns a row for each language, and one for the words in recordings without speech."""
    rows: dict[str, Row] = defaultdict(Row)
    for recording in recordings:
        silent = recording.language == "none"
        segments = list(pieces(recording)) if silent else cut(recording)
        if not told:
            segments = [replace(segment, language=None) for segment in segments]
        row = rows[recording.language]
        whole, short = pair.hear(segments, row)
        if silent:
            row.whole += Score(0, len(units(whole, "en")))
            row.cut += Score(0, len(units(short, "en")))
        else:
            row.whole += score(recording.references, whole, recording.language)
            row.cut += score(recording.references, short, recording.language)
    return rows


def pieces(recording: Recording) -> Iterator[Segment]:
    """Yields a recording in pieces of five seconds."""
    pcm = recording.pcm()
    for at in range(0, len(pcm), PIECE_BYTES):
        yield Segment(at // BYTES_PER_SAMPLE, pcm[at : at + PIECE_BYTES], Reason.ENDPOINT)


def table(rows: dict[str, Row]) -> Iterator[str]:
    """Yields the lines of the table."""
    yield f"{'':10}{'files':>6}{'words':>7}{'whole':>9}{'cut':>9}{'  CPU, cut over whole':24}again"
    for language, row in sorted(rows.items()):
        if language != "none":
            yield row.line(language)
    every = Row()
    for language, row in rows.items():
        if language != "none":
            every.whole += row.whole
            every.cut += row.cut
            every.costs += row.costs
            every.segments += row.segments
            every.again += row.again
    if every.costs:
        yield every.line("all")
    if silent := rows.get("none"):
        yield f"no speech, undetected: {silent.whole.words} words whole, {silent.cut.words} cut"


def repeat(segments: list[Segment], source: ModelSource, finals: int) -> int:
    """Decodes finals twice, alone and under load; returns how many differ."""
    threads = os.cpu_count() or 1
    engine = WhisperEngine(source, threads)
    engine.load()
    asked = (segments * (1 + finals // len(segments)))[:finals]
    alone: list[Transcript] = [engine.transcribe(segment) for segment in asked]
    order = list(range(finals))
    random.Random(1).shuffle(order)
    over = threading.Event()
    noise = [threading.Thread(target=busy, args=(over,), name="busy") for _ in range(threads)]
    for thread in noise:
        thread.start()
    try:
        with ThreadPoolExecutor(threads) as pool:
            loaded = dict(pool.map(lambda place: (place, engine.transcribe(asked[place])), order))
    finally:
        over.set()
        for thread in noise:
            thread.join()
    different = [place for place in order if loaded[place] != alone[place]]
    for place in different:
        print(f"{alone[place].text!r}\n    under load: {loaded[place].text!r}")
    return len(different)


def busy(over: threading.Event) -> None:
    """Keeps a processor and its caches busy with what the model does, too."""
    numbers = np.random.default_rng(1).normal(size=(300, 300))
    while not over.is_set():
        numbers @ numbers


def main() -> int:
    """Runs the benchmark; 1 if finals differ."""
    parser = folder_parser("Whisper in cut windows beside whole ones.")
    parser.add_argument("--model", required=True, help="folder of a Whisper model")
    parser.add_argument("--languages", default="en,ru,de,fr,es,none")
    parser.add_argument("--files", help="only files whose names begin so, with commas between")
    parser.add_argument("--auto", action="store_true", help="do not say which language it is")
    parser.add_argument("--lead", type=int, default=0, metavar="MS", help="silence in front")
    parser.add_argument("--repeat", type=int, metavar="FINALS", help="decode so many twice instead")
    arguments = parser.parse_args()
    if not is_there(arguments.folder):
        return 2
    source = ModelSource(arguments.model)
    chosen = [
        replace(recording, lead_ms=arguments.lead)
        for recording in read_manifest(arguments.folder)
        if recording.language in arguments.languages.split(",")
        and recording.path.name.startswith(tuple((arguments.files or "").split(",")))
    ]
    cut = segments_of(WhisperEngine(source), SegmenterOptions())
    if arguments.repeat:
        segments = [segment for recording in chosen for segment in cut(recording)]
        different = repeat(segments, source, arguments.repeat)
        print(f"{arguments.repeat} finals decoded twice: {different} differ")
        return bool(different)
    print("\n".join(table(compare(chosen, Pair(source), cut, told=not arguments.auto))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
