"""Measures how well `stable` keeps its word: how many words that interims call stable change.

Recordings are heard offline by the segmenter, the transcriber's hypothesis and its engine, at the
live cadence: an interim for each ``--interval`` seconds of new speech, a final at each cut.

Stable words only grow within a segment, so that each is counted once, in the segment's last
interim. It **differs** if it is not in the segment's final: of all ways to find the stable words
among the final's in their order, the one that finds most counts. Words are compared bare, without
case and punctuation; ``written`` counts those that differ as they stand. ``behind`` are those that
differ only because the segment was cut before them: the next final begins with them.

``stable`` is the share of an interim's words that it calls stable, a mean over interims. ``lag`` is
seconds of audio from the interim in which a word first stands where the stable one does to the one
that calls it stable, a mean over words.

What comes of a word on the brink hangs on where frames begin, so that all is a mean over several
leads. A parameter that was chosen on ``--half 0`` is reported on ``--half 1``, and the other way
round: the recordings of a half are every other one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from cadence import follow
from recorded import CLEAN, Recording, folder_parser, is_there, read_manifest
from scripta_common.wire import SAMPLE_RATE, Checkpoint
from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.base import Engine
from scripta_transcriber.hypothesis import Hypothesis, Words
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter, load_detector
from scripta_transcriber.segmenter.vad import VoiceDetector
from ways import entries

ALL = "all English"
SHOWN = (ALL, CLEAN, "read", "spontaneous", "noisy", "derived")
LEADS_MS = (0, 7, 14, 21)
"""Beginnings of a frame of 32 ms, spread over it."""


@dataclass(slots=True)
class Spoken:
    """One segment as its audience saw it.

    Attributes:
        interims: Where each ended, in seconds, and its words.
        final: What came of it.
    """

    interims: list[tuple[float, Words]] = field(default_factory=list)
    final: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was seen; tallies add up.

    Attributes:
        words: Stable words.
        differ: Those that are not in the final.
        written: Those that are not in it as they stand.
        behind: Those that are in the next one instead.
        lag: Seconds until words were stable, added up.
        interims: Interims with words.
        shares: Their shares of stable words, added up.
    """

    words: int = 0
    differ: int = 0
    written: int = 0
    behind: int = 0
    lag: float = 0.0
    interims: int = 0
    shares: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.words + other.words,
            self.differ + other.differ,
            self.written + other.written,
            self.behind + other.behind,
            self.lag + other.lag,
            self.interims + other.interims,
            self.shares + other.shares,
        )

    def row(self) -> str:
        """Returns the columns of the table."""
        words = max(1, self.words)
        parts = [100 * part / words for part in (self.differ, self.written, self.behind)]
        share = 100 * self.shares / max(1, self.interims)
        rates = "".join(f"{part:9.2f}%" for part in parts)
        return f"{self.words:7}{rates}{share:8.1f}%{self.lag / words:8.2f}"


def tally(spoken: Spoken, following: str = "") -> Tally:
    """Returns what came of one segment.

    Args:
        spoken: The segment.
        following: The next final's words, where the segment was cut before them.
    """
    told = [(end, words) for end, words in spoken.interims if words.text]
    shares = [len(words.stable.split()) / len(words.text.split()) for _, words in told]
    stable = told[-1][1].stable.split() if told else []
    differ = missing(bare(stable), bare(spoken.final.split()))
    whole = f"{spoken.final} {following}".split()
    return Tally(
        words=len(stable),
        differ=differ,
        written=missing(stable, spoken.final.split()),
        behind=differ - missing(bare(stable), bare(whole)),
        lag=sum(_lags(told)),
        interims=len(told),
        shares=sum(shares),
    )


def missing(stable: Sequence[str], final: Sequence[str]) -> int:
    """Returns how many of the stable words are not, in their order, among the final's."""
    row = [0] * (len(final) + 1)
    for said in stable:
        above, row = row, [0]
        for place, word in enumerate(final):
            found = above[place] + 1 if said == word else 0
            row.append(max(found, above[place + 1], row[place]))
    return len(stable) - row[-1]


def bare(words: Sequence[str]) -> list[str]:
    """Returns words without case and punctuation; signs that stand alone are none."""
    stripped = ("".join(filter(str.isalnum, word)).casefold() for word in words)
    return [word for word in stripped if word]


def _lags(told: Sequence[tuple[float, Words]]) -> Iterator[float]:
    """Yields, for each stable word, the seconds from when it was first told until it was stable."""
    shown: list[tuple[str, float]] = []
    stable = 0
    for end, words in told:
        now = words.text.split()
        shown = [
            before if before is not None and before[0] == word else (word, end)
            for word, before in zip_longest(now, shown[: len(now)])
        ]
        count = len(words.stable.split())
        yield from (end - shown[place][1] for place in range(stable, count))
        stable = max(stable, count)


def segments_of(
    recording: Recording, engine: Engine, detector: VoiceDetector | None, interval: float
) -> Iterator[tuple[Spoken, bool]]:
    """Yields a recording's segments, and whether each goes on in the next one."""
    options = SegmenterOptions(language=recording.asked)
    segmenter = create_segmenter(engine.capabilities, Checkpoint(), options, detector)
    hypothesis, spoken = Hypothesis(engine), Spoken()
    for _, segment, final in follow(segmenter, entries(recording.pcm()), interval):
        if segment is not None and not final:
            spoken.interims.append((segment.end / SAMPLE_RATE, hypothesis.hear(segment)))
            continue
        if segment is not None and segment.pcm:
            spoken.final = engine.transcribe(segment).text
        yield spoken, segment is not None and segment.reason.name == "LENGTH"
        hypothesis, spoken = Hypothesis(engine), Spoken()


def tallies(spoken: Sequence[tuple[Spoken, bool]], *, verbose: bool = False) -> Tally:
    """Returns what came of all segments of a recording."""
    total = Tally()
    for (segment, goes_on), (following, _) in zip_longest(
        spoken, spoken[1:], fillvalue=(Spoken(), False)
    ):
        one = tally(segment, following.final if goes_on else "")
        if verbose and one.written:
            print(f"  stable: {segment.interims[-1][1].stable}\n  final:  {segment.final}")
        total += one
    return total


def _arguments() -> argparse.Namespace:
    parser = folder_parser("Stable words that differ in the final.")
    parser.add_argument("--engine", default="moonshine")
    parser.add_argument("--interval", type=float, default=0.5, help="INTERIM_SECONDS")
    parser.add_argument("--half", type=int, choices=(0, 1), help="every other recording only")
    parser.add_argument("--leads", default=",".join(map(str, LEADS_MS)), help="ms of silence")
    parser.add_argument("--limit", type=float, help="fail if more stable words differ (percent)")
    parser.add_argument("--verbose", action="store_true", help="print segments that differ")
    return parser.parse_args()


def measure(recordings: Sequence[Recording], arguments: argparse.Namespace) -> dict[str, Tally]:
    """Returns what was seen, for each group of recordings."""
    engine = create_engine(arguments.engine, threads=1)
    engine.load()
    detector = load_detector(engine.capabilities)
    groups: dict[str, Tally] = {}
    for recording in recordings:
        for lead in map(int, arguments.leads.split(",")):
            moved = replace(recording, lead_ms=lead)
            if arguments.verbose:
                print(f"{recording.name}, lead {lead} ms")
            spoken = [*segments_of(moved, engine, detector, arguments.interval)]
            seen = tallies(spoken, verbose=arguments.verbose)
            for group in {ALL, *recording.groups()}:
                groups[group] = groups.get(group, Tally()) + seen
    return groups


def table(groups: dict[str, Tally]) -> str:
    """Returns the tallies as text."""
    heads = "".join(f"{column:>10}" for column in ("differ", "written", "behind"))
    lines = [f"{'':14}{'words':>7}{heads}{'stable':>9}{'lag s':>8}"]
    lines += [f"{group:14}{groups[group].row()}" for group in SHOWN if group in groups]
    return "\n".join(lines)


def main() -> int:
    """Runs the benchmark; 1 if a limit was given and more words differ."""
    arguments = _arguments()
    if not is_there(arguments.folder):
        return 2
    english = [one for one in read_manifest(arguments.folder) if one.language == "en"]
    if arguments.half is not None:
        english = english[arguments.half :: 2]
    groups = measure(english, arguments)
    print(table(groups))
    total, limit = groups[ALL], arguments.limit
    return int(limit is not None and 100 * total.differ > limit * total.words)


if __name__ == "__main__":
    sys.exit(main())
