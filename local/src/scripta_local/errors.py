"""What can go wrong on a laptop, each with what to do about it.

LocalError
 ├── BrokerError   the broker does not start, or REDIS_URL does not answer
 ├── PortInUse     somebody listens where the gateway should
 └── NotReady      a service died or did not get ready in time
"""

from __future__ import annotations


class LocalError(Exception):
    """The local stack can not go on.

    Attributes:
        problem: What is wrong, in a sentence.
        fix: What to do about it; may be empty.
        detail: Lines that show it, such as the end of a log.
    """

    def __init__(self, problem: str, *, fix: str = "", detail: tuple[str, ...] = ()) -> None:
        self.problem = problem
        self.fix = fix
        self.detail = detail
        indented = [f"    {line}" for line in detail]
        super().__init__("\n".join([problem, *indented, *([fix] if fix else [])]))


class BrokerError(LocalError):
    """The broker does not start or does not answer."""


class PortInUse(LocalError):
    """Another process listens on the port."""


class NotReady(LocalError):
    """A service died before it was ready, or took too long."""
