"""Who calls: the key, the tenant, and what both allow. Pure data.

The caller is known before any dialect runs. It goes with the session: into the log, which counts
for the tenant, and to whoever takes the session up again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from scripta_common.errors import Forbidden


class Scope(StrEnum):
    """What a key can be allowed to do."""

    TRANSCRIBE = "transcribe"
    """To open sessions, post recordings and list models."""
    TOKENS = "tokens"
    """To make short-lived tokens for others."""
    USAGE = "usage"
    """To read what its tenant has used."""


ALL_SCOPES: Final = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Quota:
    """What a tenant or a key may use; ``None``: as much as there is.

    Attributes:
        sessions: Sessions at a time.
        sessions_a_minute: New sessions a minute.
        audio_seconds_a_day: Seconds of audio a day, by UTC.
        upload_bytes: Largest body in bytes of a recording that is posted.
        share: Part of a pool's slots, more than 0 and at most 1, when others wait.
    """

    sessions: int | None = None
    sessions_a_minute: int | None = None
    audio_seconds_a_day: float | None = None
    upload_bytes: int | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller.

    Attributes:
        key: Id of the key; never the key itself. Empty for the anonymous caller.
        tenant: The tenant; empty for the anonymous caller.
        scopes: What the caller may do.
        models: Our own names of the models that it may use; empty: all.
        origins: Of the pages that the gateway allows, those that may use the key; empty: all.
        own: What the key may use.
        shared: What the tenant may use, all its keys together.
        issued_at: Unix time in seconds of a token; ``None`` if the key itself was shown.
        issuer: The identity provider that vouches for the caller; empty: it has a key of ours.
        preset: How the caller's calls begin, in the form of a dialect; empty: as everybody's.
    """

    key: str = ""
    tenant: str = ""
    scopes: frozenset[Scope] = ALL_SCOPES
    models: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    own: Quota = field(default_factory=Quota)
    shared: Quota = field(default_factory=Quota)
    issued_at: float | None = None
    issuer: str = ""
    preset: str = field(default="", repr=False)

    def check(self, scope: Scope) -> None:
        """Raises ``Forbidden`` if the caller has not the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"This key has not the scope {scope}.")

    def check_model(self, model: str | None) -> None:
        """Raises ``Forbidden`` if the caller may not use the model.

        Args:
            model: Our own name of it; ``None``: nobody knows which it will be.
        """
        if self.models and (model is None or not self.may_use(model)):
            raise Forbidden(f"This key is for other models: {', '.join(self.models)}.")

    def may_use(self, model: str) -> bool:
        """Returns whether the caller may use a model, by our own name."""
        return not self.models or model in self.models

    @property
    def share(self) -> float:
        """Part of a pool's slots that its tenant may have when others wait."""
        limits = self.own.share, self.shared.share
        return min((limit for limit in limits if limit is not None), default=1.0)

    @property
    def anonymous(self) -> bool:
        """Whether it is nobody in particular, since callers need no key."""
        return not self.key


ANONYMOUS: Final = Caller()
