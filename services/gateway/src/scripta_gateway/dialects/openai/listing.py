"""The list of models in the vendor's form. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from scripta_common.errors import ScriptaError, UnknownModel
from scripta_common.models import Model
from scripta_gateway.dialects.openai import errors
from scripta_gateway.dialects.openai.models import TRANSCRIPTION_MODELS
from scripta_gateway.transports.base import Refusal, Request

_OWNER: Final = "scripta"


def models(own: Mapping[str, Model]) -> Refusal:
    """Returns the answer that names all models: those of the fleet, and the vendor's."""
    shown = [_shown(name, own) for name in dict.fromkeys((*own, *TRANSCRIPTION_MODELS))]
    return _answer({"object": "list", "data": shown})


def model(own: Mapping[str, Model], name: str) -> Refusal:
    """Returns the answer about one model, or that there is none of that name."""
    if name in (*own, *TRANSCRIPTION_MODELS):
        return _answer(_shown(name, own))
    return errors.refusal(UnknownModel(f"There is no model {name[:64]!r}; see /v1/models"))


def refuse(_: Request, error: ScriptaError) -> Refusal:
    """Returns an error as an answer."""
    return errors.refusal(error)


def _shown(name: str, own: Mapping[str, Model]) -> dict[str, Any]:
    shown = {"id": name, "object": "model", "created": 0, "owned_by": _OWNER}
    return shown | (_known_of(own[name]) if name in own else {})


def _known_of(model: Model) -> dict[str, Any]:
    """Returns what the vendor's form has no place for, as far as it is known."""
    known = {
        "languages": model.languages or None,
        "interims": model.interims,
        "word_times": model.word_times,
        "keyterms": model.keyterms,
    }
    return {name: value for name, value in known.items() if value is not None}


def _answer(shown: dict[str, Any]) -> Refusal:
    return Refusal(200, msgspec.json.encode(shown).decode())
