"""Measures how far an engine's word times are from those of an aligner of another kind.

Recordings are cut as in a session and heard by the engine; the aligner (PocketSphinx) is told the
words that the engine heard and finds them in the same segment. Errors are the engine's time minus
the aligner's, for the starts of words and for their ends, beside those of times that are estimated
by letters. Words that the aligner does not know, and those beside them, are left out. The aligner
errs as well: no engine comes down to 0.

Moonshine's heads were chosen on the recordings of one half (see ``word_heads.py``); how good the
times are is what the table says of the other half. Behind the table stands what the times cost, in
milliseconds of processor time for a second of the segments, from calls with and without in turn.

Run with ``make bench-words``; ``ARGS="FOLDER --engine whisper --model …"`` for others. It exits
with 1 if a target is missed. The folder is one as ``accuracy.py`` takes it.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from aligner import Aligner, Span
from recorded import CLEAN, Recording, folder_parser, is_there, read_manifest
from scripta_common.wire import SAMPLE_RATE, Word
from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.base import Engine, Segment
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.segmenter import SegmenterOptions
from scripta_transcriber.word_times import estimate_words
from ways import segments_of

MEDIAN_TARGET = 0.040
NEAR, NEAR_TARGET = 0.100, 0.85


@dataclass(frozen=True, slots=True)
class Timed:
    """A word of a recording, with its times by the engine, by its letters and by the aligner."""

    recording: Recording
    measured: Word
    estimated: Word
    aligned: Span


def is_chosen_on(recording: Recording) -> bool:
    """Returns whether heads were chosen on a recording: about half of all, by their names."""
    # What is derived from a recording is in the same half.
    return bool(zlib.crc32(recording.name.partition("__")[0].encode()) % 2)


def timed_words(
    engine: Engine, aligner: Aligner, recording: Recording, segments: Sequence[Segment]
) -> Iterator[Timed]:
    """Yields the words of a recording that the aligner finds."""
    for segment in segments:
        heard = engine.transcribe(segment)
        start, end = segment.start / SAMPLE_RATE, segment.end / SAMPLE_RATE
        estimated = estimate_words(heard.text, start, end)
        if len(estimated) != len(heard.words):
            print(f"{recording.name}: a segment has no measured times", file=sys.stderr)
            continue
        spans = aligner.align(segment.pcm, [word.text for word in heard.words])
        for word, guess, span in zip(heard.words, estimated, spans, strict=True):
            if span is not None:
                span = Span(start + span.start, start + span.end)
                yield Timed(recording, word, guess, span)


@dataclass(frozen=True, slots=True)
class Errors:
    """Seconds by which times are late, or early if negative."""

    late: list[float]

    @property
    def median(self) -> float:
        """Of their sizes."""
        return median(map(abs, self.late))

    def within(self, seconds: float) -> float:
        """Returns the share of those that are no larger."""
        return sum(abs(one) <= seconds for one in self.late) / len(self.late)

    def __str__(self) -> str:
        mean = sum(self.late) / len(self.late)
        shares = "".join(f"{100 * self.within(most):8.1f}%" for most in (0.05, NEAR, 0.2))
        return f"{1e3 * self.median:8.0f} ms{1e3 * mean:+8.0f} ms{shares}"


def starts(words: Sequence[Timed]) -> Errors:
    """Returns the errors of the starts of words."""
    return Errors([word.measured.start - word.aligned.start for word in words])


def rows(words: Sequence[Timed]) -> Iterator[str]:
    """Yields the table."""
    groups = {
        "heads chosen on these": [w for w in words if is_chosen_on(w.recording)],
        "the other half": [w for w in words if not is_chosen_on(w.recording)],
        f"of these {CLEAN}": [
            w for w in words if not is_chosen_on(w.recording) and CLEAN in w.recording.groups()
        ],
    }
    yield f"{'':34}{'words':>6}{'median':>11}{'mean':>11}{'50 ms':>9}{'100 ms':>9}{'200 ms':>9}"
    for name, members in groups.items():
        if not members:
            continue
        ends = Errors([w.measured.end - w.aligned.end for w in members])
        guessed = Errors([w.estimated.start - w.aligned.start for w in members])
        for what, errors in (("start", starts(members)), ("end", ends), ("estimated", guessed)):
            yield f"{name:23}{what:>11}{len(members):6}{errors}"


def costs(engine: Engine, segments: Sequence[Segment], rounds: int) -> tuple[float, float]:
    """Returns processor seconds a second of audio, without times and with them."""
    spent = {False: 0.0, True: 0.0}
    for _ in range(rounds):
        for segment in segments:
            for wanted in spent:
                asked = replace(segment, word_times=wanted)
                began = time.thread_time()
                engine.transcribe(asked)
                spent[wanted] += time.thread_time() - began
    seconds = rounds * sum(segment.seconds for segment in segments)
    return spent[False] / seconds, spent[True] / seconds


def _arguments() -> argparse.Namespace:
    parser = folder_parser("Errors of word times against an aligner.")
    parser.add_argument("--engine", default="moonshine")
    parser.add_argument("--model", default="", help="MODEL of the engine")
    parser.add_argument("--rounds", type=int, default=3, help="over all, to measure the cost")
    parser.add_argument("--verbose", action="store_true", help="print every word")
    return parser.parse_args()


def main() -> int:
    """Runs the benchmark; 1 if a target is missed, 2 if there is nothing to measure."""
    arguments = _arguments()
    if not is_there(arguments.folder):
        return 2
    engine = create_engine(arguments.engine, threads=1, source=ModelSource(arguments.model))
    engine.load()
    if not engine.capabilities.word_times:
        print(f"{engine.name} does not measure word times with this model", file=sys.stderr)
        return 2
    aligner, cut = Aligner(), segments_of(engine, SegmenterOptions())
    words: list[Timed] = []
    segments: list[Segment] = []
    for recording in read_manifest(arguments.folder):
        if recording.language == "en":
            parts = cut(recording)
            words += timed_words(engine, aligner, recording, parts)
            segments += parts
    if arguments.verbose:
        print("\n".join(map(_described, words)))
    print("\n".join(rows(words)))
    without, within = (1e3 * cost for cost in costs(engine, segments, arguments.rounds))
    print(f"\na second of speech: {without:.2f} ms without times, {within:.2f} ms with them")
    return _verdict(starts([word for word in words if not is_chosen_on(word.recording)]))


def _described(word: Timed) -> str:
    late = (word.measured.start - word.aligned.start, word.measured.end - word.aligned.end)
    times = "".join(f"{1e3 * each:+7.0f}" for each in late)
    return f"{word.recording.name:44}{word.aligned.start:8.2f} s{times} ms  {word.measured.text}"


def _verdict(errors: Errors) -> int:
    ok = errors.median <= MEDIAN_TARGET, errors.within(NEAR) >= NEAR_TARGET
    for kept, target in zip(
        ok,
        (
            f"median error of starts at most {1e3 * MEDIAN_TARGET:.0f} ms",
            f"at least {100 * NEAR_TARGET:.0f} % of starts within {1e3 * NEAR:.0f} ms",
        ),
        strict=True,
    ):
        print(f"{'ok' if kept else 'MISSED':8}{target}")
    return not all(ok)


if __name__ == "__main__":
    sys.exit(main())
