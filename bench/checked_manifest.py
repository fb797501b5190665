"""The manifest of a folder of recordings, checked before anything is measured.

One JSON object a line: ``file`` (16 kHz mono WAV, relative to the manifest), ``language`` (a tag,
or ``none`` where nobody speaks) and ``text``, what is said word for word. Other right spellings
(``alternatives``), ``tags`` and whatever else may be left out.
"""

from __future__ import annotations

import re
import wave
from pathlib import Path

import msgspec

from recorded import Recording
from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE

_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|none")
_MOST_PROBLEMS = 12


class _Line(msgspec.Struct):
    file: str
    language: str
    text: str = ""
    alternatives: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None


class ManifestError(Exception):
    """A manifest can not be used; the message has a line for each problem, and what to do."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        shown = problems[:_MOST_PROBLEMS]
        if len(problems) > len(shown):
            shown.append(f"… and {len(problems) - len(shown)} more")
        super().__init__("\n".join(f"{path}: {problem}" for problem in shown))


def read_checked(path: Path) -> list[Recording]:
    """Returns the recordings of a manifest in its order.

    Raises:
        ManifestError: It is not there, is empty, or some of its lines can not be used.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(path, [f"it can not be read ({error})"]) from None
    problems: list[str] = []
    recordings: dict[str, Recording] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            recording = _recording(path.parent, line)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        if recording.name in recordings:
            problems.append(f"line {number}: there is another recording called {recording.name}")
        recordings[recording.name] = recording
    if problems or not recordings:
        raise ManifestError(path, problems or ["it names no recordings"])
    return list(recordings.values())


def _recording(folder: Path, line: str) -> Recording:
    try:
        fields = msgspec.json.decode(line, type=_Line)
    except msgspec.DecodeError as error:
        raise ValueError(f"not an object with file, language and text ({error})") from None
    name, language = fields.file, fields.language
    if not _TAG.fullmatch(language):
        raise ValueError(
            f"{name}: language {language!r} is not known: write a tag such as en, ru or pt-BR, "
            "or none where nobody speaks"
        )
    if language == "none" and fields.text:
        raise ValueError(f'{name}: it has a "text", but language none says that nobody speaks')
    if language != "none" and not any(map(str.isalnum, fields.text)):
        raise ValueError(f'{name}: it has no "text": that is what is said, word for word')
    references = (fields.text, *(fields.alternatives or ()))
    seconds = _seconds(folder / name)
    return Recording(folder / name, seconds, language, references, frozenset(fields.tags or ()))


def _seconds(path: Path) -> float:
    """Returns the length of a recording; raises ``ValueError`` if it is of another form."""
    try:
        with wave.open(str(path)) as file:
            form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            frames = file.getnframes()
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except (OSError, EOFError, wave.Error) as error:
        raise ValueError(f"{path.name} is no WAV file ({error}): {_remedy(path)}") from None
    if form != (SAMPLE_RATE, 1, BYTES_PER_SAMPLE):
        rate, channels, width = form
        raise ValueError(
            f"{path.name} has {rate} Hz, {channels} channel(s) and {8 * width} bits; it has to be "
            f"16000 Hz, mono, 16 bits: {_remedy(path)}"
        )
    if not frames:
        raise ValueError(f"{path.name} has no audio")
    return frames / SAMPLE_RATE


def _remedy(path: Path) -> str:
    return f"ffmpeg -i {path.name} -ac 1 -ar 16000 -c:a pcm_s16le {path.stem}.16k.wav"
