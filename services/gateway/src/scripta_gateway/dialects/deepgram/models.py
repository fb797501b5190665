"""Names of the vendor's models; without further word each is whatever serves here. Pure."""

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
_NAMED: Final = [f"{name}-{each}" for name, some in _VARIANTS.items() for each in some.split()]
MODELS: Final = ("general", *_VARIANTS, *_NAMED)
