"""The models that a gateway serves, for people and programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scripta_client.printable import printable

_FEW: Final = 8
"""So many languages are named in the table; of more it says the number."""


@dataclass(frozen=True, slots=True)
class Served:
    """A name under which a model can be asked for.

    Attributes:
        name: The name.
        languages: BCP-47 primary tags that it transcribes; empty for any.
        interims: Whether it has words before a final; ``None`` if the gateway does not say.
        word_times: Whether it measures when words are said; ``None`` if the gateway does not say.
    """

    name: str
    languages: tuple[str, ...]
    interims: bool | None
    word_times: bool | None

    @property
    def is_described(self) -> bool:
        """Whether the gateway says what it can do; of another vendor's names it says nothing."""
        return bool(self.languages) or self.interims is not None or self.word_times is not None


def served_of(answer: Any) -> list[Served]:
    """Returns the models in a gateway's answer.

    Raises:
        LookupError, TypeError: It is not an answer of a gateway.
    """
    return [
        Served(
            str(model["id"]),
            tuple(map(str, model.get("languages") or ())),
            model.get("interims"),
            model.get("word_times"),
        )
        for model in answer["data"]
    ]


def as_json(models: Iterable[Served]) -> str:
    """Returns one JSON object for each model, a line each."""
    return "".join(
        json.dumps(
            {
                "name": model.name,
                "languages": model.languages,
                "interims": model.interims,
                "word_times": model.word_times,
            },
            ensure_ascii=False,
        )
        + "\n"
        for model in models
    )


def as_table(models: Sequence[Served]) -> str:
    """Returns a table of the models, and the other names that stand for one of them."""
    described = [model for model in models if model.is_described]
    others = [printable(model.name) for model in models if not model.is_described]
    rows = [("NAME", "INTERIMS", "WORD TIMES", "LANGUAGES")]
    rows += [
        (
            printable(model.name),
            _answer(model.interims),
            _answer(model.word_times),
            _languages(model.languages),
        )
        for model in described
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = "".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in rows
    )
    if not described:
        text = "no transcriber has said yet which models it has\n"
    return text + (
        f"other names that stand for one of them: {', '.join(others)}\n" if others else ""
    )


def _answer(value: bool | None) -> str:
    return "not known" if value is None else "yes" if value else "no"


def _languages(languages: Sequence[str]) -> str:
    if not languages:
        return "any"
    return (
        printable(" ".join(languages)) if len(languages) <= _FEW else f"{len(languages)} languages"
    )
