"""The page that helps to choose a model, from what was measured of each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from intervals import Interval, difference, error_rate
from model_load import SPARE, Followed
from model_run import Measured
from page import Block, Heading, Table
from recorded import Recording
from report import milliseconds
from rig import Level

_MIB = 1024 * 1024
_NOT_HERE = "–"


@dataclass(frozen=True, slots=True)
class Live:
    """What live sessions saw of a model.

    Attributes:
        language: In which they spoke.
        alone: One session; ``None`` if that was not measured.
        followed: How many sessions one core follows; ``None`` if that was not measured.
    """

    language: str
    alone: Level | None = None
    followed: Followed | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was measured.

    Attributes:
        models: The models.
        live: What live sessions saw, by the model's name.
        spoken: The recordings of each language.
        silent: Recordings in which nobody speaks.
        levels: Decibels by which noise is below the speech.
        noise: What noise it was.
        source: What recordings they were.
        machine: What they were heard on.
    """

    models: Sequence[Measured]
    live: dict[str, Live]
    spoken: dict[str, list[Recording]]
    silent: list[Recording]
    levels: Sequence[float | None]
    noise: str
    source: str
    machine: str


def blocks(found: Findings) -> Iterator[Block]:
    """Yields the page."""
    yield Heading("Models beside each other", 1)
    recordings = sum(map(len, found.spoken.values()))
    seconds = sum(each.seconds for chosen in found.spoken.values() for each in chosen)
    yield (
        f"{recordings} recordings with speech ({seconds / 60:.1f} minutes) and {len(found.silent)} "
        f"without, of {found.source}; heard on {found.machine}."
    )
    yield Heading("Cost and speed")
    yield Table(_COST, [_cost_row(model, found.live.get(model.name)) for model in found.models])
    yield (
        "CPU: milliseconds of one core for a second of speech, which finding speech is part of; "
        "with interims: one each half second of speech, too. Memory: of a process with this model "
        "alone, loaded and at most. First words and finals: milliseconds (half and 95 of 100 of "
        "them) for one live session of the whole system. First words count from the message in "
        "which somebody begins to speak, finals from the message that decides the end of the "
        f"segment. Sessions a core: {SPARE:.0%} of what the processor time of continuous speech "
        "leaves room for; where finals take long they wait for each other before that, which "
        "--capacity tries. In a conversation, where each side is silent half of the time, there is "
        "room for about twice as many."
    )
    if any(live.followed for live in found.live.values()):
        yield Table(("Model", "Sessions that one core followed"), _followed_rows(found))
    yield Heading("Word errors")
    yield Table(_error_head(found), list(_error_rows(found)))
    yield (
        "Errors for each 100 words said; in brackets where the rate lies in 95 of 100 draws of the "
        f"recordings (bootstrap). Noise is {found.noise}, mixed in so many decibels below the "
        "speech. A dash: the model does not speak the language. Recordings without speech: words "
        "that were made up."
    )
    yield Heading("What follows")
    yield from _conclusions(found)
    yield (
        "Text before it is compared: lower case, no punctuation, no fillers (uh, um); English "
        "numbers are spelled out; in Russian ё is е; of Chinese, Japanese and the like characters "
        "are counted and not words; in all other languages figures stay figures."
    )


_COST = (
    *(
        "Model",
        "Engine",
        "Languages",
        "CPU, finals",
        "CPU, with interims",
        "MiB loaded",
        "MiB most",
    ),
    *("Load s", "Word times", "First words ms", "Finals ms", "Sessions a core"),
)


def _cost_row(model: Measured, live: Live | None) -> Sequence[str]:
    loaded, level = model.loaded, live.alone if live else None
    listening = model.cost(lambda told: told.listening)
    finals = listening + model.cost(lambda told: told.finals)
    drafts = model.cost(lambda told: told.drafts)
    return (
        model.name,
        model.candidate.engine,
        _languages(loaded.languages),
        f"{1000 * finals:.0f}",
        f"{1000 * (finals + drafts):.0f}" if loaded.interims else "no interims",
        f"{loaded.memory / _MIB:.0f}",
        f"{model.memory / _MIB:.0f}",
        f"{loaded.seconds:.1f}",
        "measured" if loaded.word_times else "estimated",
        milliseconds(level.tally.first_words, (0.5, 0.95))
        if level and loaded.interims
        else _NOT_HERE,
        milliseconds(level.finals, (0.5, 0.95)) if level else _NOT_HERE,
        f"{SPARE / max(1e-9, finals + drafts):.1f}",
    )


def _languages(tags: Sequence[str]) -> str:
    if not tags:
        return "any"
    return ", ".join(tags) if len(tags) <= 4 else str(len(tags))


def _followed_rows(found: Findings) -> list[Sequence[str]]:
    return [
        (
            name,
            f"{live.followed.sessions} ({live.language}, 95 of 100 finals within "
            f"{live.followed.final:.1f} s)"
            + (", and more where no other work has the core" if live.followed.disturbed else ""),
        )
        for name, live in found.live.items()
        if live.followed
    ]


def _error_head(found: Findings) -> Sequence[str]:
    return ("Language", "Noise", "Files", "Words", *(model.name for model in found.models))


def _error_rows(found: Findings) -> Iterator[Sequence[str]]:
    for language, recordings in found.spoken.items():
        for level in found.levels:
            scores = [model.scores(recordings, level) for model in found.models]
            words = next((sum(each.words for each in one) for one in scores if one), 0)
            rates = (percent(error_rate(one)) if one else _NOT_HERE for one in scores)
            yield language, _noise(level), str(len(recordings)), str(words), *rates
    if found.silent:
        made_up = (str(model.words(found.silent)) for model in found.models)
        yield "no speech", "as it is", str(len(found.silent)), "0", *made_up


def _noise(level: float | None) -> str:
    return "none" if level is None else f"{level:g} dB"


def percent(rate: Interval, sign: str = "") -> str:
    """Returns a rate with its interval, in percent."""
    if rate.low == float("-inf"):
        return f"{100 * rate.rate:{sign}.1f} (few files)"
    low, high = 100 * rate.low, 100 * rate.high
    return f"{100 * rate.rate:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


def _conclusions(found: Findings) -> Iterator[str]:
    """Yields which of two models has fewer errors, where that is more than chance."""
    for language, recordings in found.spoken.items():
        able = [model for model in found.models if model.scores(recordings, found.levels[0])]
        if len(able) == 1:
            yield f"{language}: only {able[0].name} speaks it here."
        for level in found.levels:
            for first, second in combinations(able, 2):
                yield f"{language}, noise {_noise(level)}: " + _compared(
                    first, second, recordings, level
                )


def _compared(
    first: Measured, second: Measured, recordings: Sequence[Recording], level: float | None
) -> str:
    apart = difference(first.scores(recordings, level), second.scores(recordings, level))
    if apart.by_chance:
        return (
            f"{first.name} and {second.name} are too close to call on these recordings "
            f"({percent(apart, '+')} points)."
        )
    better, worse = (second, first) if apart.rate > 0 else (first, second)
    least, most = sorted((abs(apart.low), abs(apart.high)))
    return (
        f"{better.name} has fewer errors than {worse.name}, by {100 * abs(apart.rate):.1f} points "
        f"({100 * least:.1f} to {100 * most:.1f})."
    )
