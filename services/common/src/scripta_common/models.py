"""Models: what transcribers offer, and which of them a session gets. Pure.

Gateways and transcribers choose by the same rule: a name picks the model whose own it is, else
the first in order that answers to it; no name picks the first; a language passes over those that
do not speak it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec


class Model(msgspec.Struct, frozen=True):
    """One model.

    Attributes:
        names: By which clients may ask for it, the last being its own: no other model of the
            same transcriber has it.
        languages: BCP-47 primary tags it transcribes; empty for any.
        interims: Whether it has words before a final; ``None`` from an older version.
        word_times: Whether it measures when words are said; ``None`` from an older version.
        keyterms: Whether it can be given words that are probably said; ``None`` from an older
            version.
    """

    names: tuple[str, ...]
    languages: tuple[str, ...] = ()
    interims: bool | None = None
    word_times: bool | None = None
    keyterms: bool | None = None

    @property
    def own_name(self) -> str:
        """What a session keeps of it."""
        return self.names[-1]

    def speaks(self, tag: str) -> bool:
        """Returns whether it can be asked for the language of a BCP-47 tag."""
        return speaks(self.languages, tag)


def speaks(languages: Collection[str], tag: str) -> bool:
    """Returns whether primary tags include the language of a BCP-47 tag; none stand for any."""
    return not languages or tag.partition("-")[0].lower() in languages


def answering(models: Sequence[Model], name: str | None) -> list[Model]:
    """Returns the models that a name may stand for, in their order; all for ``None``."""
    if name is None:
        return list(models)
    own = [model for model in models if model.own_name == name]
    return own or [model for model in models if name in model.names]


def choose(models: Sequence[Model], name: str | None, language: str | None) -> Model | None:
    """Returns the model of a session.

    Args:
        models: In the order in which they are preferred.
        name: The model it asks for; ``None`` for any.
        language: BCP-47 tag it asks for; ``None`` for any.

    Returns:
        The first that the name may stand for and that speaks the language; if none speaks it, the
        first; ``None`` if the name stands for none.
    """
    known = answering(models, name)
    able = [model for model in known if language is None or model.speaks(language)]
    return next(iter(able or known), None)


def common(offers: Sequence[Sequence[Model]]) -> tuple[Model, ...]:
    """Returns what transcribers offer together: any of them may get any session.

    Those models that all of them have, in the order of the first, each with the languages that
    all of them speak; where they have none in common, with all that are spoken. Lists that have
    nothing in common (one is being exchanged for the other) are put together: who does not have a
    session's model leaves it to others.
    """
    names = list(dict.fromkeys(model.own_name for offer in offers for model in offer))
    shared = [name for name in names if all(_of(offer, name) for offer in offers)]
    return tuple(_merged(name, offers) for name in shared or names)


def _of(offer: Sequence[Model], name: str) -> Model | None:
    return next((model for model in offer if model.own_name == name), None)


def _merged(name: str, offers: Sequence[Sequence[Model]]) -> Model:
    same = [model for offer in offers if (model := _of(offer, name)) is not None]
    said = [set(model.languages) for model in same if model.languages]
    # No language would stand for any.
    languages = (set.intersection(*said) or set.union(*said)) if said else set[str]()
    return Model(
        same[0].names,
        tuple(sorted(languages)),
        agreed(model.interims for model in same),
        agreed(model.word_times for model in same),
        agreed(model.keyterms for model in same),
    )


def agreed(answers: Iterable[bool | None]) -> bool | None:
    """Returns what all answers are; ``None`` if they differ, or if one is not known."""
    different = set(answers)
    return different.pop() if len(different) == 1 else None
