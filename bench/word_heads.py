"""Ranks the heads of a Moonshine decoder by how well each alone times words.

For a model of your own: put the fingerprint that is printed, and the best heads, into
``engines/moonshine/heads.py``, and see by ``make bench-words`` what they are worth together. The
order is by one half of the recordings; beside it stands what each head is worth on the other.

Run with ``.venv/bin/python bench/word_heads.py [FOLDER] [--model FOLDER]``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from aligner import Aligner, Span
from recorded import folder_parser, is_there, read_manifest
from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.moonshine import MoonshineEngine, heads
from scripta_transcriber.engines.moonshine.heads import Head, fingerprint
from scripta_transcriber.engines.moonshine.layers import Form
from scripta_transcriber.engines.moonshine.weights import Weights
from scripta_transcriber.engines.moonshine.word_timer import WordTimer
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.segmenter import SegmenterOptions
from ways import segments_of
from word_times import Errors, is_chosen_on

LARGEST = 0.3
"""Seconds that an error counts for at most: a word that is missed is missed."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a timer is told of a segment, and when its words are said by the aligner."""

    told: tuple[Any, ...]
    spans: list[Span | None]
    chosen_on: bool


@dataclass(slots=True)
class Listener:
    """Stands in for an engine's timer, and keeps what that is told."""

    told: list[tuple[Any, ...]] = field(default_factory=list)

    def words(self, *told: Any) -> tuple[()]:
        """Keeps it."""
        self.told.append(told)
        return ()


def listened(folder: Path, engine: MoonshineEngine) -> list[Heard]:
    """Returns all segments of the English recordings of a folder."""
    aligner, cut, heard = Aligner(), segments_of(engine, SegmenterOptions()), []
    for recording in read_manifest(folder):
        if recording.language != "en":
            continue
        for segment in cut(recording):
            listener = Listener()
            engine._model = replace(engine._model, timer=listener)
            engine.transcribe(segment)
            for told in listener.told:
                spans = aligner.align(told[0].pcm, [word.text for word in told[1]])
                heard.append(Heard(told, spans, is_chosen_on(recording)))
    return heard


def errors(form: Form, head: Head, layers: list[int], heard: list[Heard]) -> Errors:
    """Returns by how much the starts of words are late with one head alone."""
    timer, late = WordTimer.load(form, [head]), []
    for one in heard:
        segment, words, queries, memory = one.told
        query = queries[layers.index(head.layer)]
        for word, span in zip(timer.words(segment, words, [query], memory), one.spans, strict=True):
            if span is not None:
                late.append(word.start - segment.start / SAMPLE_RATE - span.start)
    return Errors(late)


def main() -> int:
    """Prints the ranking."""
    parser = folder_parser("Heads of a decoder by how they time words.")
    parser.add_argument("--model", default="", help="folder of the model (default: the packaged)")
    arguments = parser.parse_args()
    if not is_there(arguments.folder):
        return 2
    source = ModelSource(arguments.model)
    folder = source.find("moonshine") if source.model else MoonshineEngine.packaged()
    decoder = Weights(folder / "decoder_model_merged.ort")
    form, known = Form.of(decoder), fingerprint(decoder)
    layers = list(range(form.layers))
    every = tuple(Head(layer, number) for layer in layers for number in range(form.heads))
    heads.HEADS[known] = every
    engine = MoonshineEngine(folder)
    engine.load()
    heard = listened(arguments.folder, engine)
    halves = [[one for one in heard if one.chosen_on is chosen] for chosen in (True, False)]
    found = {head: [errors(form, head, layers, half) for half in halves] for head in every}
    print(f"{known}\n{'head':8}{'half to choose on':>20}{'the other':>20}")
    for head, both in sorted(found.items(), key=lambda item: _cost(item[1][0])):
        row = "".join(f"{1e3 * one.median:8.0f} ms{100 * one.within(0.1):8.1f}%" for one in both)
        print(f"{head.layer}.{head.number:<6}{row}")
    return 0


def _cost(one: Errors) -> float:
    return fmean(min(abs(late), LARGEST) for late in one.late)


if __name__ == "__main__":
    sys.exit(main())
