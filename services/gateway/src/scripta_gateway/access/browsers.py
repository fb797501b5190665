"""Which requests of browsers are served: by the host that they name and the page's origin. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from scripta_common.errors import Forbidden
from scripta_gateway.access.hosts import HostPattern, host_allowed
from scripta_gateway.access.origins import SELF, entries, is_own_origin, origin_allowed

_FOREIGN_ORIGIN: Final = (
    "Pages of this origin may not call here; whoever runs the service can add it to ALLOWED_ORIGINS"
)
_FOREIGN_HOST: Final = (
    "This name of a host is not served; whoever runs the service can add it to ALLOWED_HOSTS"
)


@dataclass(frozen=True, slots=True)
class Visit:
    """What a request says of the page that it comes from.

    Attributes:
        hosts: Values of all its ``Host`` headers.
        origins: Values of all its ``Origin`` headers.
        secure: Whether it came to us by TLS.
        local: Whether it comes from the machine itself, or to an address of its own.
    """

    hosts: Sequence[str]
    origins: Sequence[str]
    secure: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class BrowserRules:
    """What is allowed.

    Attributes:
        origins: Entries of the list of origins.
        hosts: The hosts by which the gateway is called; empty: any that can not be a trick.
    """

    origins: tuple[str, ...] = (SELF,)
    hosts: tuple[HostPattern, ...] = ()

    @classmethod
    def parse(cls, origins: str, hosts: str) -> Self:
        """Returns the rules of two settings; raises ``ValueError`` for an entry that is none."""
        return cls(entries(origins), parse_hosts(hosts))

    def objection(self, visit: Visit) -> Forbidden | None:
        """Returns why a request is not served; ``None`` if it is."""
        if len(visit.hosts) > 1 or len(visit.origins) > 1:
            return Forbidden("A request names one host, and one origin at most")
        host = visit.hosts[0] if visit.hosts else ""
        if host and not host_allowed(host, self.hosts, local=visit.local):
            return Forbidden(_FOREIGN_HOST)
        if visit.origins and not self._allows(visit.origins[0], host, secure=visit.secure):
            return Forbidden(_FOREIGN_ORIGIN)
        return None

    def _allows(self, origin: str, host: str, *, secure: bool) -> bool:
        own = SELF in self.origins and is_own_origin(origin, host, secure=secure)
        return own or origin_allowed(origin, self.origins)


def parse_hosts(text: str) -> tuple[HostPattern, ...]:
    """Returns the hosts of a setting; raises ``ValueError`` for an entry that is none."""
    return tuple(HostPattern.parse(entry) for entry in entries(text))
