"""Sets the models that are here beside each other: a table, and with ``--out`` a page to choose by.

Of each model, in a process of its own: word errors by language and noise with their intervals,
processor time, memory, how late interims and finals are for a live session of the whole system, and
how many sessions a core follows. The models are those of the environment (Moonshine, and Whisper
base where its packages are installed), and each folder in ``--models DIR``.

The recordings are those of ``../shared/speech``, or a manifest of your own (``--manifest FILE``: a
JSON object a line with ``file``, ``language`` and ``text``; 16 kHz mono WAV beside it). Clean
recordings are heard as they are and with noise mixed in. ``--quick`` takes a part of them, for
about two minutes with two models. ``--capacity`` tries out how many live sessions a core follows,
which takes some minutes a model; without it the processor time says that. Linux only.

Run with ``make bench-models``; ``ARGS="--quick --out models.html"`` and the like.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import uvloop

from checked_manifest import ManifestError, read_checked
from deck import Piece, chunks_of
from model_load import SPARE, Followed, Speech, alone, followed
from model_page import Findings, Live, blocks
from model_run import Candidate, Measured, NoModel, candidates, measure
from model_worker import Job
from noise import Noise, read_noise, recorded_noise
from page import as_html, as_markdown
from recorded import DEFAULT_FOLDER, UNCLEAN_TAGS, Recording
from rig import quantile

LEVELS = (None, 20.0, 10.0)
QUICK_LEVELS = (None, 10.0)
QUICK_SECONDS = 25.0
"""Speech of each language in a quick run."""
QUICK_LONGEST = 12.0
LIVE_SECONDS, QUICK_LIVE_SECONDS = 60.0, 12.0


def chosen(recordings: Sequence[Recording], *, quick: bool) -> dict[str, list[Recording]]:
    """Returns the clean recordings of each language; of a quick run a part, always the same."""
    spoken: dict[str, list[Recording]] = {}
    for recording in sorted(recordings, key=lambda each: each.language != "en"):
        if recording.language != "none" and not recording.tags & UNCLEAN_TAGS:
            spoken.setdefault(recording.language.partition("-")[0], []).append(recording)
    return {tag: _part(each) for tag, each in spoken.items()} if quick else spoken


def _part(recordings: list[Recording]) -> list[Recording]:
    shuffled = [each for each in recordings if each.seconds <= QUICK_LONGEST] or recordings[:1]
    random.Random(1).shuffle(shuffled)
    lengths = itertools.accumulate(each.seconds for each in shuffled)
    return [
        each
        for each, end in zip(shuffled, lengths, strict=True)
        if end - each.seconds < QUICK_SECONDS
    ]


def _all(spoken: dict[str, list[Recording]]) -> list[Recording]:
    return [recording for each in spoken.values() for recording in each]


class Progress:
    """One line on standard error that says what is done, and about how long the rest takes."""

    def __init__(self) -> None:
        self._name, self._began = "", 0.0
        self._live = sys.stderr.isatty()

    def __call__(self, name: str, done: int, of: int, cost: float, last: str) -> None:
        """Shows how much of a model's recordings is done."""
        now = time.monotonic()
        if name != self._name:
            self._name, self._began = name, now
        left = (now - self._began) / done * (of - done)
        line = f"{name}: {done} of {of} heard, about {left:.0f} s left ({last})"
        if self._live:
            print(f"\r{line[:110]:110}", end="\n" if done == of else "", file=sys.stderr)
        elif done == of or not done % 50:
            print(line, file=sys.stderr)


async def live(
    measured: Measured, spoken: dict[str, list[Recording]], arguments: argparse.Namespace
) -> Live:
    """Returns what live sessions see of a model, in that of its languages that there is most of."""
    heard = [each for each in _all(spoken) if each.name in measured.heard]
    seconds: Counter[str] = Counter()
    for each in heard:
        seconds[each.language] += round(each.seconds)
    ((language, _),) = seconds.most_common(1)
    pieces = [
        Piece(each.name, chunks_of(each.pcm()), measured.told[each.name, None].dues)
        for each in heard
        if each.language == language
    ]
    speech = Speech(measured.candidate.engine, measured.candidate.model, language, pieces)
    print(f"{measured.name}: one live session …", file=sys.stderr)
    level = await alone(speech, arguments.seconds)
    if level.tally.differing:
        first = level.tally.differing[0]
        print(f"{measured.name}: behind another recording it heard otherwise: {first}")
    most: Followed | None = None
    if arguments.capacity:
        cost = measured.cost(lambda told: told.listening + told.finals + told.drafts)
        late = quantile(level.finals, 0.95)
        most = await followed(speech, SPARE / cost, late, arguments.seconds)
    return Live(language, level, most)


async def bench(arguments: argparse.Namespace) -> int:
    """Prints the page, and writes it; returns the process's exit code."""
    recordings = read_checked(arguments.manifest)
    spoken = chosen(recordings, quick=arguments.quick)
    silent = [] if arguments.quick else [r for r in recordings if r.language == "none"]
    levels = QUICK_LEVELS if arguments.quick else LEVELS
    path, noise = _noise(arguments.noise, recordings)
    names = tuple(r.name for r in (*_all(spoken), *silent))
    models: list[Measured] = []
    seen: dict[str, Live] = {}
    progress = Progress()
    for candidate in _wanted(arguments):
        job = Job(
            candidate.engine,
            candidate.model,
            str(arguments.manifest),
            names,
            levels,
            str(path) if path else None,
        )
        try:
            measured = await measure(candidate, job, progress)
        except NoModel as error:
            print(f"{candidate.name} is left out: {error}", file=sys.stderr)
            continue
        models.append(measured)
        if arguments.seconds and not measured.heard.isdisjoint(r.name for r in _all(spoken)):
            seen[measured.name] = await live(measured, spoken, arguments)
    unspoken = [tag for tag, each in spoken.items() if not _speaks(models, each)]
    for tag in unspoken:
        print(f"No model here speaks {tag}; recordings that are left out: {len(spoken.pop(tag))}")
    if not spoken or not models:
        print("There is nothing to measure: no model here speaks what the recordings say")
        return 2
    found = Findings(
        models, seen, spoken, silent, levels, noise.name, str(arguments.manifest), _machine()
    )
    _write(found, arguments.out)
    return 0


def _speaks(models: Sequence[Measured], recordings: Sequence[Recording]) -> bool:
    return any(model.scores(recordings, None) for model in models)


def _wanted(arguments: argparse.Namespace) -> list[Candidate]:
    found = list(candidates(arguments.models))
    wanted = set(arguments.only or ())
    if unknown := wanted - {each.name for each in found}:
        raise NoModel(f"there is no model {unknown.pop()} here: {', '.join(c.name for c in found)}")
    return [each for each in found if not wanted or each.name in wanted]


def _noise(path: Path | None, recordings: Sequence[Recording]) -> tuple[Path | None, Noise]:
    """Returns noise that was asked for, else of the recordings, else of ours, else made here."""
    if path is None and (own := recorded_noise(recordings)):
        path = own.path
    ours = DEFAULT_FOLDER / "manifest.jsonl"
    if path is None and ours.is_file() and (own := recorded_noise(read_checked(ours))):
        path = own.path
    return path, read_noise(path)


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, one thread"


def _write(found: Findings, path: Path | None) -> None:
    document = list(blocks(found))
    print(as_markdown(document))
    if path is None:
        return
    html = path.suffix in (".html", ".htm")
    path.write_text(as_html(document) if html else as_markdown(document), encoding="utf-8")
    print(f"Written to {path}")


def main() -> int:
    """Parses the arguments and runs the bench; returns the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    ours = DEFAULT_FOLDER / "manifest.jsonl"
    parser.add_argument("--manifest", type=Path, default=ours, help="default: %(default)s")
    parser.add_argument("--models", type=Path, metavar="DIR", help="a folder with models in it")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these models")
    parser.add_argument("--noise", type=Path, metavar="WAV", help="noise of your own, 16 kHz mono")
    parser.add_argument("--out", type=Path, help="where the page goes: a .md or .html file")
    parser.add_argument("--quick", action="store_true", help="a part of it, in about two minutes")
    parser.add_argument(
        "--capacity", action="store_true", help="try how many sessions go on a core"
    )
    parser.add_argument(
        "--seconds", type=float, help="of live speech; 0: none (default: 60, quick: 12)"
    )
    arguments = parser.parse_args()
    if arguments.seconds is None:
        arguments.seconds = QUICK_LIVE_SECONDS if arguments.quick else LIVE_SECONDS
    if not Path("/proc/self/stat").exists():
        raise SystemExit("This needs /proc: run it on Linux.")
    try:
        return uvloop.run(bench(arguments))
    except (ManifestError, NoModel) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
