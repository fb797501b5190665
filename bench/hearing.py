"""What levels, offsets, codecs and alignments cost: recordings lost, and words.

Every recording is distorted in every way, cut by its speech, and decoded, in this process.
Printed is, for every distortion: recordings of which no word came though the bare engine hears
words in the distorted recording, word error rates of both, and words in what is no speech.
The same is done with music, signals and noise that are made here, at levels of 0 to -40 dB.
Fails if a recording is lost, or if there is a word where nobody speaks.

Run with ``make bench-hearing``; ``ARGS="--only offset --longest 15"`` for fewer distortions and
shorter recordings. It uses all processors, begins with the shortest recordings, and stops taking
new ones after ``--seconds``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from distortions import DISTORTIONS, Distortion, Samples, gain
from nonspeech import NOT_SPEECH, made

from recorded import UNCLEAN_TAGS, Recording, folder_parser, is_there, read_manifest
from scripta_common.wire import Checkpoint, Reason
from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.base import Engine, Segment
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.segmenter import SegmenterOptions, create_segmenter, load_detector
from scripta_transcriber.segmenter.vad import VoiceDetector
from ways import entries
from wer import Score, score, units

LEVELS: dict[str, Distortion] = {f"made, {level} dB": gain(level) for level in range(0, -50, -10)}
"""What is done to sound that is made."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one distorted recording.

    Attributes:
        recording: Its name.
        distortion: What was done to it.
        lost: Whether no word came of it, and the bare engine hears some.
        cut: Errors as the system cuts it.
        whole: Errors of the bare engine.
        invented: Words where nobody speaks.
    """

    recording: str
    distortion: str
    lost: bool
    cut: Score
    whole: Score
    invented: int


class _Listener:
    """The engine and the detector of one process."""

    def __init__(self) -> None:
        self.engine: Engine = create_engine("moonshine", threads=1, source=ModelSource(""))
        self.engine.load()
        detector = load_detector(self.engine.capabilities)
        assert detector is not None
        self.detector: VoiceDetector = detector

    def whole(self, pcm: bytes) -> str:
        return self.engine.transcribe(Segment(0, pcm, Reason.END)).text

    def cut(self, pcm: bytes) -> str:
        segmenter = create_segmenter(
            self.engine.capabilities, Checkpoint(), SegmenterOptions(), self.detector
        )
        cuts = (cut for entry in entries(pcm) for cut in segmenter.feed(entry))
        return " ".join(self.engine.transcribe(cut.segment).text for cut in cuts if cut.segment)


_listeners: list[_Listener] = []


def hear(recording: Recording, names: Sequence[str]) -> list[Outcome]:
    """Returns what comes of a recording by each of the named distortions."""
    if not _listeners:
        _listeners.append(_Listener())
    samples = np.frombuffer(recording.pcm(), dtype="<i2")
    return [_outcome(_listeners[0], recording, samples, name) for name in names]


def hear_made(sound: str, names: Sequence[str]) -> list[Outcome]:
    """Returns what comes of a sound without speech, at each of the named levels."""
    if not _listeners:
        _listeners.append(_Listener())
    samples = made(sound)
    heard = [(name, _listeners[0].cut(LEVELS[name](samples).tobytes())) for name in names]
    return [
        Outcome(sound, name, False, Score(), Score(), len(units(text, "en")))
        for name, text in heard
    ]


def _outcome(listener: _Listener, recording: Recording, samples: Samples, name: str) -> Outcome:
    pcm = DISTORTIONS[name](samples).astype("<i2").tobytes()
    cut = listener.cut(pcm)
    if recording.language == "none":
        invented = len(units(cut, "en"))
        return Outcome(recording.name, name, False, Score(), Score(), invented)
    if recording.language != "en":  # the engine does not know its words, but hears that there are
        return Outcome(recording.name, name, not units(cut, "en"), Score(), Score(), 0)
    whole = listener.whole(pcm)
    lost = not units(cut, "en") and bool(units(whole, "en"))
    return Outcome(
        recording.name,
        name,
        lost,
        score(recording.references, cut, "en"),
        score(recording.references, whole, "en"),
        0,
    )


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yields a line for every distortion, and one for all."""
    yield (
        f"{'':24}{'files':>6}{'lost':>6}{'cut':>9}{'whole':>9}{'invented':>10}"
        "  lost are, or have words but no speaker"
    )
    names = [*DISTORTIONS, *LEVELS]
    groups = {name: [one for one in outcomes if one.distortion == name] for name in names}
    for name, members in [*groups.items(), ("all", list(outcomes))]:
        if not members:
            continue
        cut = sum((one.cut for one in members), Score())
        whole = sum((one.whole for one in members), Score())
        lost = sum(one.lost for one in members)
        faulty = [one.recording for one in members if one.lost or one.invented]
        named = "" if name == "all" else ", ".join(faulty)
        yield (
            f"{name:24}{len(members):6}{lost:6}{100 * cut.rate:8.2f}%{100 * whole.rate:8.2f}%"
            f"{sum(one.invented for one in members):10}  {named}"
        )


def _arguments() -> argparse.Namespace:
    parser = folder_parser("Recordings by what is done to them.")
    parser.add_argument("--only", default="", help="distortions whose name has this in it")
    parser.add_argument("--longest", type=float, default=30.0, help="seconds of a recording")
    parser.add_argument("--seconds", type=float, default=900.0, help="take no more after so long")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def main() -> int:
    """Runs the benchmark; 1 if a recording is lost or a word invented."""
    arguments = _arguments()
    if not is_there(arguments.folder):
        return 2
    names = [name for name in DISTORTIONS if arguments.only in name]
    levels = [name for name in LEVELS if arguments.only in name]
    recordings = [
        recording
        for recording in read_manifest(arguments.folder)
        if not recording.tags & UNCLEAN_TAGS and recording.seconds <= arguments.longest
    ]
    until = time.monotonic() + arguments.seconds
    outcomes: list[Outcome] = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        jobs = [pool.submit(hear_made, sound, levels) for sound in NOT_SPEECH if levels]
        jobs += [
            pool.submit(hear, recording, names)
            for recording in sorted(recordings, key=lambda one: one.seconds)
            if names
        ]
        for job in as_completed(jobs):
            outcomes += job.result() if not job.cancelled() else []
            if time.monotonic() > until:
                pool.shutdown(wait=False, cancel_futures=True)
    print("\n".join(table(outcomes)))
    asked = {one.name for one in recordings if names} | set(NOT_SPEECH if levels else ())
    left_out = len(asked - {one.recording for one in outcomes})
    if left_out:
        print(f"{left_out} recordings left out for want of time")
    return int(any(one.lost or one.invented for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
