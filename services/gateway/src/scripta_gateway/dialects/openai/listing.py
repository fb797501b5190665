"""The list of models in the vendor's form. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from scripta_common.errors import ScriptaError, UnknownModel
from scripta_gateway.dialects.openai import errors
from scripta_gateway.dialects.openai.models import TRANSCRIPTION_MODELS
from scripta_gateway.transports.base import Refusal, Request

_OWNER: Final = "scripta"


def models(own: Iterable[str]) -> Refusal:
    """Returns the answer that names all models: those of the fleet, and the vendor's."""
    shown = [_shown(name) for name in dict.fromkeys((*own, *TRANSCRIPTION_MODELS))]
    return _answer({"object": "list", "data": shown})


def model(own: Iterable[str], name: str) -> Refusal:
    """Returns the answer about one model, or that there is none of that name."""
    if name in (*own, *TRANSCRIPTION_MODELS):
        return _answer(_shown(name))
    return errors.refusal(UnknownModel(f"There is no model {name[:64]!r}; see /v1/models"))


def refuse(_: Request, error: ScriptaError) -> Refusal:
    """Returns an error as an answer."""
    return errors.refusal(error)


def _shown(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": _OWNER}


def _answer(shown: dict[str, Any]) -> Refusal:
    return Refusal(200, msgspec.json.encode(shown).decode())
