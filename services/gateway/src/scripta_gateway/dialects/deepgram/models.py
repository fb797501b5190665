"""Names of the vendor's models. Pure."""

from __future__ import annotations

from typing import Final

_VARIANTS: Final = {
    "nova-3": "general medical",
    "nova-2": "general meeting phonecall finance conversationalai voicemail video medical "
    "drivethru automotive atc",
    "nova": "general phonecall",
    "enhanced": "general meeting phonecall finance",
    "base": "general meeting phonecall finance conversationalai voicemail video",
    "whisper": "tiny base small medium large",
}

MODELS: Final = (
    *_VARIANTS,
    *(f"{name}-{variant}" for name, variants in _VARIANTS.items() for variant in variants.split()),
    "general",
)
"""Without further word each is whatever serves here."""
