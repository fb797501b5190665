"""What the environment says; read nowhere else, but for proxies, which the HTTP library reads.

Proxies are those of ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, further
authorities for certificates those of ``SSL_CERT_FILE``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripta_models.places import HUB

_ELSEWHERE: Final = "scripta/models"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says.

    Attributes:
        folder: Where models are kept.
        hub: URL of the hub.
        token: Token for the hub; empty for none.
        mirror: URI of a mirror; empty for none.
        mirror_token: Token for the mirror; empty for none.
    """

    folder: Path
    hub: str = HUB
    token: str = ""
    mirror: str = ""
    mirror_token: str = ""

    @classmethod
    def read(cls) -> Settings:
        """Returns what the environment of this process says."""
        asked = os.environ.get
        return cls(
            folder=Path(asked("MODEL_DIR") or _cache() / _ELSEWHERE),
            hub=asked("HF_ENDPOINT") or HUB,
            token=asked("HF_TOKEN") or "",
            mirror=asked("SCRIPTA_MODELS_MIRROR") or "",
            mirror_token=asked("SCRIPTA_MODELS_MIRROR_TOKEN") or "",
        )


def _cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path("~/.cache").expanduser()
