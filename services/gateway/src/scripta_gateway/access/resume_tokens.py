"""The token by which a client takes up its session again.

Always true: the session's id alone opens nothing; the token is told to one client, in the first
frame of the connection that opens the session; what others keep of it is its digest.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Final, Self

_SECRET_BYTES: Final = 32
"""256 bits: nobody finds one by trying, however many sessions there are."""

_FORM: Final = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
"""The id is hexadecimal, so that no token can break the hash tag of a session's keys."""


def make_session_id() -> str:
    """Returns an id that no other session has."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class ResumeToken:
    """A token as its client has it: the session's id, a dot and a secret.

    Attributes:
        sid: The session that it opens.
    """

    sid: str
    _secret: str = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        """Returns the token of a new session."""
        return cls(make_session_id(), secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: object) -> Self:
        """Returns a client's token; raises ``ValueError`` if it has not the form of one."""
        if not isinstance(text, str) or (match := _FORM.fullmatch(text)) is None:
            raise ValueError("not a token")
        return cls(*match.groups())

    def digest(self, tenant: str) -> str:
        """Returns what the session log keeps of it: a SHA-256 in hexadecimal, with the tenant.

        So a token that has leaked is worth nothing to another tenant. A plain hash does: the secret
        is random and long. Nor does it matter how long a comparison takes: what can be learnt by
        that is a part of the hash, from which no token can be made.

        Args:
            tenant: The tenant of whoever shows it; empty where callers need no key.
        """
        text = f"{self.reveal()} {tenant}" if tenant else self.reveal()
        return hashlib.sha256(text.encode()).hexdigest()

    def reveal(self) -> str:
        """Returns its text, which is for its client and nobody else."""
        return f"{self.sid}.{self._secret}"
