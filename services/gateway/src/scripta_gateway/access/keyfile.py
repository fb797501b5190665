"""The key file: its format, and what is wrong with one, in words for its operator. Pure.

YAML or JSON::

    keys:
      - id: acme-web
        tenant: acme
        hash: "sha256:..."          # as `scripta keys create` prints it
        scopes: [transcribe]        # also: tokens, usage
        models: [moonshine]         # default: all
        origins: [https://app.acme.example]
        expires: 2027-01-01T00:00:00Z
        limits: {sessions: 10}
    tenants:
      acme:
        limits: {sessions: 50, audio_seconds_a_day: 360000}
        tokens_not_before: 2026-11-29T00:00:00Z
    signing:
      - {id: "2026-11", secret: "..."}
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

import msgspec
import yaml
from msgspec import Meta

from scripta_gateway.access.caller import Caller, Quota, Scope
from scripta_gateway.access.origins import OriginPattern

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
"""An id or a tenant: it stands in keys on the broker, in logs and in labels."""
Hash = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
Secret = Annotated[str, Meta(min_length=43, max_length=512)]
Moment = Annotated[datetime, Meta(tz=True)]
_Count = Annotated[int, Meta(ge=0)]

ANONYMOUS_TENANT: Final = "anonymous"
"""The tenant whose limits hold for clients that can show no key, on ports that need none."""


class BadKeyFile(ValueError):
    """The file can not be used; the message has no part of any key."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a key or a tenant may use; the attributes are those of ``Quota``."""

    sessions: _Count | None = None
    sessions_a_minute: _Count | None = None
    audio_seconds_a_day: Annotated[float, Meta(ge=0)] | None = None
    upload_bytes: _Count | None = None
    share: Annotated[float, Meta(gt=0, le=1)] | None = None

    def quota(self) -> Quota:
        """Returns the limits as the gateway carries them."""
        return Quota(**msgspec.structs.asdict(self))


class KeyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key.

    Attributes:
        id: Its name, in logs and in usage.
        tenant: For whom it is.
        hash: ``sha256:`` and the SHA-256 of its text in hexadecimal.
        scopes: What it may do.
        models: Our own names of the models that it may use; empty: all.
        origins: Of the pages that the gateway allows, those that may use it; empty: all.
        expires: When it stops to work.
        limits: What it may use.
    """

    id: Name
    tenant: Name
    hash: Hash
    scopes: tuple[Scope, ...] = (Scope.TRANSCRIBE,)
    models: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    expires: Moment | None = None
    limits: Limits = Limits()


class TenantEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tenant.

    Attributes:
        limits: What it may use, all its keys together.
        tokens_not_before: Tokens that were made before this do not work.
    """

    limits: Limits = Limits()
    tokens_not_before: Moment | None = None


class SigningEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret that short-lived tokens are signed with; the first one signs, all are accepted."""

    id: Name
    secret: Secret

    def __repr__(self) -> str:
        return f"SigningEntry(id={self.id!r})"


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that the file has."""

    keys: tuple[KeyEntry, ...] = ()
    tenants: dict[Name, TenantEntry] = {}
    signing: tuple[SigningEntry, ...] = ()

    def caller(self, entry: KeyEntry) -> Caller:
        """Returns who shows a key."""
        return Caller(
            key=entry.id,
            tenant=entry.tenant,
            scopes=frozenset(entry.scopes),
            models=entry.models,
            origins=entry.origins,
            own=entry.limits.quota(),
            shared=self.quota_of(entry.tenant),
        )

    def quota_of(self, tenant: str) -> Quota:
        """Returns what a tenant may use."""
        return self.tenants.get(tenant, TenantEntry()).limits.quota()


def digest(key: str) -> str:
    """Returns the hash of a key as the file has it.

    A plain hash does: a key has 256 random bits, which nobody finds by trying.
    """
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def parse(data: bytes) -> KeyFile:
    """Returns the contents of a key file.

    Raises:
        BadKeyFile: It is neither YAML nor JSON of this form, or contradicts itself.
    """
    try:
        # YAML has times, and JSON has them as strings: all become strings first.
        plain = msgspec.to_builtins(yaml.safe_load(data))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):
        # What the parser says quotes the line, which may have a secret.
        raise BadKeyFile("it is neither YAML nor JSON") from None
    try:
        file = msgspec.convert({} if plain is None else plain, KeyFile)
    except msgspec.ValidationError as error:
        raise BadKeyFile(str(error)) from None
    for entry in file.keys:
        for origin in entry.origins:
            try:
                OriginPattern.parse(origin)
            except ValueError as error:
                raise BadKeyFile(f"{error} - at the key {entry.id}") from None
    for what, values in (
        ("id", (entry.id for entry in file.keys)),
        ("hash", (entry.hash for entry in file.keys)),
        ("id of a signing secret", (entry.id for entry in file.signing)),
    ):
        if (twice := _twice(values)) is not None:
            raise BadKeyFile(f"two entries have the same {what}: {twice}")
    return file


def _twice(values: Iterable[str]) -> str | None:
    return next((value for value, count in Counter(values).items() if count > 1), None)
