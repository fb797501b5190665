"""Names of the vendor's models. Pure."""

from __future__ import annotations

from typing import Final

TRANSCRIPTION_MODELS: Final = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
    "gpt-4o-transcribe",
    "gpt-4o-transcribe-latest",
    "gpt-4o-transcribe-diarize",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-03-20",
    "gpt-4o-mini-transcribe-2025-12-15",
)
"""Models that turn speech into text; without further word each is whatever serves here."""

_FINDS_NO_TURNS: Final = ("gpt-realtime-whisper", "gpt-live-transcribe")
_TALKS: Final = ("gpt-realtime", "gpt-4o-realtime", "gpt-4o-mini-realtime", "gpt-audio")


def finds_turns(name: str | None) -> bool:
    """Returns true if turns are found by the server unless a client says otherwise."""
    return not (name or "").startswith(_FINDS_NO_TURNS)


def talks(name: str | None) -> bool:
    """Returns true if the name is that of a model which answers speech with speech."""
    return (name or "").startswith(_TALKS) and name not in TRANSCRIPTION_MODELS
