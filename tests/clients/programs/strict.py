"""Holds a message against the vendor's own model, as strictly as the model allows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError


def faults(kind: type[BaseModel], text: str | bytes) -> dict[str, list[str]]:
    """Returns what a text lacks or has wrong, and the keys that the model does not know.

    Keys that are not known are allowed by all vendors' models, so they are told apart.
    """
    try:
        model = kind.model_validate_json(text, strict=True)
    except ValidationError as error:
        wrong = [_sentence(each) for each in error.errors() if not _is_a_time(each)]
        return {"problems": wrong, "unknown": []}
    return {"problems": [], "unknown": sorted(set(_unknown(model)))}


def _is_a_time(error: Any) -> bool:
    """Returns true if a time was refused only because JSON has no times but in text.

    Some models turn the text into a dictionary before they validate it.
    """
    if error["type"] != "datetime_type" or not isinstance(error["input"], str):
        return False
    try:
        datetime.fromisoformat(error["input"])
    except ValueError:
        return False
    return True


def _sentence(error: Any) -> str:
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def _unknown(value: Any, path: str = "") -> Iterator[str]:
    """Yields the paths of keys that no field stands for."""
    if isinstance(value, BaseModel):
        yield from (f"{path}{name}" for name in value.model_extra or ())
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, list):
        for each in value:
            yield from _unknown(each, path)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _unknown(each, path)
